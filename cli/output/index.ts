/** Words, tables, colours and progress of the `mesh` command; everything foreign is escaped before it gets here. */
export { escapeBlock, escapeLine } from './escape.ts'
export { createOutput, type Output, type OutputStream, takesColor } from './output.ts'
export { createPaint, type Paint } from './paint.ts'
export { type Cell, type Column, renderTable } from './table.ts'
export { age, bytes, count, isoTime, shortAge, shortPeer } from './words.ts'
