/** Pictures of figures, as SVG that any browser and GitHub show, without a library. */
import type { DrawnPlot } from './report.ts'

const WIDTH = 760
const HEIGHT = 400
const EDGE = { left: 72, right: 210, top: 44, bottom: 56 }
const PLOT_WIDTH = WIDTH - EDGE.left - EDGE.right
const PLOT_HEIGHT = HEIGHT - EDGE.top - EDGE.bottom
const LEGEND_LINE = 20
/** Told apart by those who see no red or green too (Okabe and Ito), each with a mark of its own. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#444444']
const DASHES = ['', '7 4', '2 3', '9 3 2 3']

interface Axis {
  /** Powers of ten from the one below the least value to the one above the largest. */
  readonly from: number
  readonly to: number
  place(value: number): number
}

/** Draws a plot; both axes logarithmic. Points that are not above 0 have no place on them and are left out. */
export function svgOf({ title, x, y, series }: DrawnPlot): string {
  const lines = series.map(({ label, points }) => ({ label, points: points.filter(([a, b]) => a > 0 && b > 0) }))
  const all = lines.flatMap(({ points }) => points)
  const across = axis(
    all.map(([value]) => value),
    (share) => EDGE.left + share * PLOT_WIDTH,
  )
  const up = axis(
    all.map(([, value]) => value),
    (share) => EDGE.top + (1 - share) * PLOT_HEIGHT,
  )
  const middle = EDGE.top + PLOT_HEIGHT / 2
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="sans-serif" font-size="12" fill="#222">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${EDGE.left}" y="24" font-size="15">${escaped(title)}</text>`,
    ...powers(across).flatMap((value) => verticalLine(across.place(value), value)),
    ...powers(up).flatMap((value) => horizontalLine(up.place(value), value)),
    `<text x="${EDGE.left + PLOT_WIDTH / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escaped(x)}</text>`,
    `<text x="16" y="${middle}" text-anchor="middle" transform="rotate(-90 16 ${middle})">${escaped(y)}</text>`,
    ...lines.flatMap(({ label, points }, index) => {
      const placed = points.map(([a, b]) => [across.place(a), up.place(b)] as const)
      return [...curve(placed, index), ...legend(label, index)]
    }),
    '</svg>',
    '',
  ].join('\n')
}

function axis(values: readonly number[], at: (share: number) => number): Axis {
  const from = Math.floor(Math.log10(Math.min(...values, Number.MAX_VALUE)))
  const bounded = values.length === 0 ? 0 : from
  const to = Math.max(bounded + 1, Math.ceil(Math.log10(Math.max(...values, 1e-9))))
  return { from: bounded, to, place: (value) => at((Math.log10(value) - bounded) / (to - bounded)) }
}

const powers = ({ from, to }: Axis) => Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))

function verticalLine(x: number, value: number): string[] {
  const bottom = EDGE.top + PLOT_HEIGHT
  return [
    `<line x1="${fixed(x)}" y1="${EDGE.top}" x2="${fixed(x)}" y2="${bottom}" stroke="#ddd"/>`,
    `<text x="${fixed(x)}" y="${bottom + 18}" text-anchor="middle">${short(value)}</text>`,
  ]
}

function horizontalLine(y: number, value: number): string[] {
  return [
    `<line x1="${EDGE.left}" y1="${fixed(y)}" x2="${EDGE.left + PLOT_WIDTH}" y2="${fixed(y)}" stroke="#ddd"/>`,
    `<text x="${EDGE.left - 8}" y="${fixed(y + 4)}" text-anchor="end">${short(value)}</text>`,
  ]
}

function curve(points: readonly (readonly [number, number])[], index: number): string[] {
  const path = points.map(([x, y]) => `${fixed(x)},${fixed(y)}`).join(' ')
  return [
    `<polyline points="${path}" fill="none" stroke-width="2" ${stroke(index)}/>`,
    ...points.map(([x, y]) => `<circle cx="${fixed(x)}" cy="${fixed(y)}" r="3.5" fill="${colour(index)}"/>`),
  ]
}

function legend(label: string, index: number): string[] {
  const x = EDGE.left + PLOT_WIDTH + 14
  const y = EDGE.top + 8 + index * LEGEND_LINE
  return [
    `<line x1="${x}" y1="${y}" x2="${x + 26}" y2="${y}" stroke-width="2" ${stroke(index)}/>`,
    `<text x="${x + 32}" y="${y + 4}">${escaped(label)}</text>`,
  ]
}

const colour = (index: number) => COLOURS[index % COLOURS.length] as string

function stroke(index: number): string {
  const dashes = DASHES[index % DASHES.length]
  return `stroke="${colour(index)}"${dashes ? ` stroke-dasharray="${dashes}"` : ''}`
}

const fixed = (value: number) => String(Math.round(value * 10) / 10)

function short(value: number): string {
  if (value >= 1e9) return `${value / 1e9} G`
  if (value >= 1e6) return `${value / 1e6} M`
  if (value >= 1e3) return `${value / 1e3} k`
  return String(Number(value.toPrecision(1)))
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
