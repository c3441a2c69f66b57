/**
 * What `mesh import` reads: what `mesh export` wrote, an older mesh-memory.json, folders of skills, single skills; and how
 * it is packed to send.
 */
export { inBatches } from './batches.ts'
export { SKILL_FILE, skillNameOf } from './skill-files.ts'
export { type ImportSource, openImportSource, type Refusal } from './source.ts'
