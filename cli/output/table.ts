import { displayWidth, shorten } from './width.ts'

/** A cell: escaped, uncoloured text of one line, and how to colour it once it has its final width. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string }

export interface Column {
  readonly title: string
  /** The width in columns below which it is not cut; a column without it is never cut. */
  readonly least?: number
  readonly right?: boolean
}

export interface TableInit {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
  /** Columns of the terminal. */
  readonly width: number
  readonly paintTitle: (text: string) => string
}

const GAP = 2

/**
 * Lines of a table that fits the width: the widest of the columns that may be cut gives way first. On a terminal
 * narrower than the least widths lines overflow rather than lose a column.
 */
export function renderTable({ columns, rows, width, paintTitle }: TableInit): string[] {
  const widths = columns.map((column, index) =>
    rows.reduce((widest, row) => Math.max(widest, displayWidth(textOf(row[index]))), displayWidth(column.title)),
  )
  fitWidths(columns, widths, width)
  const line = (cells: readonly Cell[]): string =>
    columns
      .map((column, index) => renderCell(cells[index] ?? '', widths[index] ?? 0, column, index === columns.length - 1))
      .join(' '.repeat(GAP))
      .trimEnd()
  return [line(columns.map(({ title }) => ({ text: title, paint: paintTitle }))), ...rows.map(line)]
}

function textOf(cell: Cell | undefined): string {
  return cell === undefined ? '' : typeof cell === 'string' ? cell : cell.text
}

function fitWidths(columns: readonly Column[], widths: number[], width: number): void {
  let excess = widths.reduce((sum, each) => sum + each, GAP * (columns.length - 1)) - width
  while (excess > 0) {
    let widest = -1
    for (const [index, { least }] of columns.entries()) {
      if (least === undefined || (widths[index] ?? 0) <= least) continue
      if (widest < 0 || (widths[index] ?? 0) > (widths[widest] ?? 0)) widest = index
    }
    if (widest < 0) return
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
}

function renderCell(cell: Cell, width: number, column: Column, last: boolean): string {
  const text = shorten(textOf(cell), width)
  const pad = ' '.repeat(Math.max(0, width - displayWidth(text)))
  const painted = typeof cell === 'string' ? text : cell.paint(text)
  if (column.right) return pad + painted
  return last ? painted : painted + pad
}
