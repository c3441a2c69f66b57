import type { Machine } from './machine.ts'
import type { Answer, JudgedBar, MeasuredFigure, Report } from './report.ts'

/** A report for people: the machine in a line, all bars, the tables of each question. */
export function markdownOf(report: Report): string {
  const { answers, failures } = report
  const failed = failures.map(({ name, message }) => `**${name} failed:** ${message}`)
  const sections = answers.map((answer) => `## ${answer.name}\n\n${answerMarkdown(answer)}`)
  return [machineLine(report), `## Bars\n\n${barsMarkdown(answers)}`, ...sections, ...failed].join('\n\n')
}

/** When, where and of what a report is. */
export function machineLine({ date, machine }: { readonly date: string; readonly machine: Machine }): string {
  const { cores, cpu, memoryBytes, platform, node, commit, load } = machine
  const gigabytes = (memoryBytes / 2 ** 30).toFixed(0)
  const busy = `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`
  return `${date}, ${cores} cores (${cpu}), ${gigabytes} GiB, ${platform}, Node ${node}, commit ${commit ?? 'unknown'}, ${busy}`
}

/** Every bar with what was measured, and whether it is met. Bars in time or rate hold for an idle machine of 2 cores. */
export function barsMarkdown(answers: readonly Answer[]): string {
  const rows = answers.flatMap(({ name, figures }) =>
    figures.flatMap((figure) =>
      figure.bars.map((bar) => {
        const judged = `${shown(bar.measured)}${bar.to === undefined ? ` ${figure.unit}` : ' ×'}`
        return `| ${name} | ${figure.what} | ${barText(bar, figure, figures)} | ${judged} | ${verdict(bar)} |`
      }),
    ),
  )
  if (rows.length === 0) return 'None of what was asked has one at this size.'
  return ['| question | figure | bar | measured | |', '|---|---|---|---:|---|', ...rows].join('\n')
}

/** The tables of one question. */
export function answerMarkdown({ asks, size, seconds, figures }: Answer): string {
  const { name: sizeName, ...scale } = size
  const numbers = Object.entries(scale).map(([what, number]) => `${what} ${number.toLocaleString('en-US')}`)
  const listed = figures.filter(({ cell }) => cell === undefined)
  const grid = figures.filter(({ cell }) => cell !== undefined)
  return [
    `${asks} Size ${sizeName}: ${numbers.join(', ')}; took ${seconds.toFixed(0)} s.`,
    ...(listed.length === 0 ? [] : [listMarkdown(listed, figures)]),
    ...(grid.length === 0 ? [] : [gridMarkdown(grid)]),
  ].join('\n\n')
}

function listMarkdown(listed: readonly MeasuredFigure[], all: readonly MeasuredFigure[]): string {
  const row = (figure: MeasuredFigure) => {
    const { what, unit, median, low, high, ratios, bars } = figure
    const compared = ratios.map(({ to, median: ratio }) => `${shown(ratio)} × ${nameOf(to, all)}`)
    const barred = bars.map((bar) => `${barText(bar, figure, all)}: ${verdict(bar)}`)
    const cells = [what, shown(median), `${shown(low)} to ${shown(high)}`, unit, compared.join('; '), barred.join('; ')]
    return `| ${cells.join(' | ')} |`
  }
  const head = ['| figure | median | lowest to highest | unit | ratio | bar |', '|---|---:|---:|---|---|---|']
  return [...head, ...listed.map(row)].join('\n')
}

/** Medians alone, a row for each case; every run is in the JSON. */
function gridMarkdown(figures: readonly MeasuredFigure[]): string {
  const columns = [...new Set(figures.map(columnOf))]
  const rows = Map.groupBy(figures, ({ cell }) => cell?.row ?? '')
  const line = ([row, cells]: readonly [string, readonly MeasuredFigure[]]) => {
    const found = columns.map((column) => cells.find((figure) => columnOf(figure) === column))
    return `| ${row} | ${found.map((figure) => (figure === undefined ? '' : cellText(figure))).join(' | ')} |`
  }
  return [`| | ${columns.join(' | ')} |`, `|---|${columns.map(() => '---:|').join('')}`, ...[...rows].map(line)].join(
    '\n',
  )
}

const columnOf = ({ cell, unit }: MeasuredFigure) => {
  const column = cell?.column ?? ''
  return column === unit ? column : `${column}, ${unit}`
}

const cellText = ({ median, bars }: MeasuredFigure) =>
  [shown(median), ...bars.map((bar) => `(${verdict(bar)})`)].join(' ')

function barText({ bound, value, to, absolute }: JudgedBar, { unit }: MeasuredFigure, all: readonly MeasuredFigure[]) {
  if (to !== undefined) return `${bound} ${shown(value)} × ${nameOf(to, all)}`
  return `${bound} ${shown(value)} ${unit}${absolute ? ' (idle, 2 cores)' : ''}`
}

const verdict = ({ met }: JudgedBar) => (met ? 'met' : '**missed**')

const nameOf = (id: string, all: readonly MeasuredFigure[]) => all.find((figure) => figure.id === id)?.what ?? id

/** Three digits that count, or all before the point. */
export function shown(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
