import type { Machine } from './machine.ts'
import type { Answer, MeasuredFigure, Report } from './report.ts'

/** A report for people: the machine in a line, a table for each question. */
export function markdownOf({ date, machine, answers, failures }: Report): string {
  const failed = failures.map(({ name, message }) => `**${name} failed:** ${message}`)
  return [machineLine(date, machine), ...answers.map(section), ...failed].join('\n\n')
}

function machineLine(date: string, { cores, cpu, memoryBytes, platform, node, commit, load }: Machine): string {
  const gigabytes = (memoryBytes / 2 ** 30).toFixed(0)
  const busy = `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`
  return `${date}, ${cores} cores (${cpu}), ${gigabytes} GiB, ${platform}, Node ${node}, commit ${commit ?? 'unknown'}, ${busy}`
}

function section({ name, asks, size, seconds, figures }: Answer): string {
  const { name: sizeName, ...scale } = size
  const numbers = Object.entries(scale).map(([what, number]) => `${what} ${number}`)
  const named = new Map(figures.map((figure) => [figure.id, figure]))
  return [
    `## ${name}`,
    '',
    `${asks} Size ${sizeName}: ${numbers.join(', ')}; took ${seconds.toFixed(0)} s.`,
    '',
    '| figure | median | lowest to highest | unit | ratio |',
    '|---|---:|---:|---|---|',
    ...figures.map((figure) => row(figure, named)),
  ].join('\n')
}

function row({ what, unit, median, low, high, ratios }: MeasuredFigure, named: ReadonlyMap<string, MeasuredFigure>) {
  const compared = ratios.map(({ to, median: ratio }) => `${ratio.toFixed(2)} × ${named.get(to)?.what ?? to}`)
  return `| ${what} | ${shown(median)} | ${shown(low)} to ${shown(high)} | ${unit} | ${compared.join('; ')} |`
}

/** Three digits that count, or all before the point. */
export function shown(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
