import type { Conflicts } from '../daemon/api/client.ts'
import { cellOf } from './entry.ts'
import { type Cell, type Column, escapeLine, isoTime, type Output, renderTable, shortAge } from './output/index.ts'

/** A place at which writers disagree, and every value that is live there, the shown one first. */
export type Conflict = Conflicts['conflicts'][0]

const COLUMNS: readonly Column[] = [
  { title: 'PATH', least: 8 },
  { title: '#', right: true },
  { title: 'VALUE', least: 12 },
  { title: 'NODE', least: 6 },
  { title: 'AGE', right: true },
  { title: ' ' },
]

/** Lines of a table of places; the values of each are numbered from 1 on. @param now Unix seconds */
export function conflictTable(conflicts: readonly Conflict[], { paint, width }: TableOutput, now: number): string[] {
  const rows = conflicts.flatMap(({ path, values }) =>
    values.map(({ value, node_id, at }, index): Cell[] => [
      index === 0 ? { text: placeName(path), paint: paint.bold } : '',
      String(index + 1),
      cellOf(JSON.stringify(value)),
      escapeLine(node_id),
      { text: shortAge(at, now), paint: paint.dim },
      index === 0 ? { text: 'shown', paint: paint.green } : '',
    ]),
  )
  return renderTable({ columns: COLUMNS, rows, width, paintTitle: paint.dim })
}

type TableOutput = Pick<Output, 'paint' | 'width'>

/** Lines for programs that read lines, one a value. */
export function tabbedConflict({ path, values }: Conflict): string[] {
  return values.map(({ value, node_id, at }, index) =>
    [path, String(index + 1), index === 0 ? 'shown' : 'kept', JSON.stringify(value), node_id, isoTime(at)]
      .map(escapeLine)
      .join('\t'),
  )
}

/** What a place is called in words, escaped; the path of the whole value is empty. */
export function placeName(path: string): string {
  return path === '' ? '(the whole)' : escapeLine(path)
}
