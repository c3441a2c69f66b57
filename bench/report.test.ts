import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from './ask.ts'
import { writeDocs } from './docs.ts'
import { markdownOf } from './markdown.ts'
import type { Figure, Plot, Question, Round } from './question.ts'
import { readReport, writeReport } from './report.ts'
import { runAll } from './run.ts'
import { svgOf } from './svg.ts'

const ROUNDS: Round[] = [
  { ours: 1, limit: 1 },
  { ours: 6, limit: 3 },
  { ours: 8, limit: 2 },
  { ours: 2, limit: 2 },
]
const PLOT: Plot = {
  name: 'fixture-over-n',
  title: 'Ours < theirs',
  x: 'entries',
  y: 'ms',
  series: [
    {
      label: 'both',
      points: [
        [10, 'limit'],
        [1_000, 'ours'],
      ],
    },
  ],
}

describe('a question', () => {
  test('is summed up over the rounds that count, ratios taken round by round', async () => {
    const { figures } = await ask(askedWith(ROUNDS), 'tiny')
    expect(figures[0]).toEqual({
      id: 'ours',
      what: 'what we do',
      unit: 'ms',
      median: 6,
      low: 2,
      high: 8,
      runs: [6, 8, 2],
      ratios: [{ to: 'limit', median: 2, low: 1, high: 4, runs: [2, 4, 1] }],
      bars: [
        { bound: 'at most', value: 6, measured: 6, met: true, absolute: true },
        { bound: 'at most', value: 1.5, to: 'limit', measured: 2, met: false, absolute: false },
      ],
    })
  })

  test('shows its medians in its pictures', async () => {
    const { plots } = await ask(askedWith(ROUNDS, { plots: [PLOT] }), 'tiny')
    expect(plots[0]?.series[0]?.points).toEqual([
      [10, 2],
      [1_000, 6],
    ])
  })

  test.each<[string, Partial<Shape>]>([
    ['plot fixture-over-n shows ours, which is not measured', { figures: [limitFigure()], plots: [PLOT] }],
    ['figure ours is compared with limit, which is not measured', { figures: [oursFigure()] }],
    ['figure limit has a bar against ours', { figures: [limitFigure([{ bound: 'at most', value: 1, to: 'ours' }])] }],
  ])('that names what there is not fails: %s', async (message, shape) => {
    await expect(ask(askedWith(ROUNDS, shape), 'tiny')).rejects.toThrow(message)
  })

  test('that does not give a figure fails, is closed, and does not keep the others from being asked', async () => {
    const closed: string[] = []
    const kept: number[] = []
    const bad = askedWith([{}, { ours: 1 }], { onClose: () => closed.push('bad') })
    const report = await runAll([bad, askedWith(ROUNDS)], 'tiny', {
      keep: async ({ answers, failures }) => void kept.push(answers.length + failures.length),
    })
    expect(report.failures).toEqual([{ name: 'fixture', message: 'figure limit: measured undefined' }])
    expect(report.answers).toHaveLength(1)
    expect(closed).toEqual(['bad'])
    expect(kept).toEqual([1, 2])
    expect(markdownOf(report)).toContain(
      '| what we do | 6 | 2 to 8 | ms | 2 × the limit | at most 6 ms (idle, 2 cores): met; at most 1.5 × the limit: **missed** |',
    )
    expect(markdownOf(report)).toContain('| fixture | what we do | at most 1.5 × the limit | 2 × | **missed** |')
  })

  test('may lay its figures out as a grid', async () => {
    const cell = (column: string) => ({ cell: { row: '10 entries', column } })
    const figures = [
      { ...oursFigure(), against: ['limit'], ...cell('time') },
      { ...limitFigure(), ...cell('limit') },
    ]
    const report = await runAll([askedWith(ROUNDS, { figures })], 'tiny')
    expect(markdownOf(report)).toContain(
      '| | time, ms | limit, ms |\n|---|---:|---:|\n| 10 entries | 6 (met) (**missed**) | 2 |',
    )
  })
})

describe('a picture', () => {
  test('is SVG with axes of whole powers of ten; what is not above 0 has no place', async () => {
    const points: [number, number][] = [
      [0, 5],
      [10, 2],
      [1_000, 600],
    ]
    const svg = svgOf({ ...PLOT, series: [{ label: 'a & b', points }] })
    expect(svg).toContain('<title>Ours &lt; theirs</title>')
    expect(svg).toContain('>a &amp; b</text>')
    expect(svg.match(/<circle /g)).toHaveLength(2)
    expect([...svg.matchAll(/text-anchor="(?:middle|end)">([^<]+)<\/text>/g)].map((match) => match[1])).toEqual([
      '10',
      '100',
      '1 k',
      '1',
      '10',
      '100',
      '1 k',
      'entries',
    ])
  })

  test('of nothing is still one', () => {
    expect(svgOf({ ...PLOT, series: [] })).not.toMatch(/NaN|Infinity/)
  })
})

describe('the documents', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bench-docs-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('take their figures from a report, and nothing else changes', async () => {
    const json = join(folder, 'report.json')
    await writeReport(json, await runAll([askedWith(ROUNDS, { plots: [PLOT] })], 'tiny'))
    const init = { path: join(folder, 'page.md'), pictures: join(folder, 'pictures') }
    const place = (name: string) => `<!-- bench: ${name} -->\nolder\n<!-- /bench -->`
    await writeFile(init.path, `# Page\n\n<!-- bench: fixture -->\n<!-- /bench -->\n\nbetween\n\n${place('another')}\n`)
    expect(await writeDocs(await readReport(json), init)).toEqual(['fixture'])
    const text = await readFile(init.path, 'utf8')
    expect(text).toMatch(/^# Page\n\n<!-- bench: fixture -->\n\nDoes the harness count right\?/)
    expect(text).toContain('![Ours < theirs](pictures/fixture-over-n.svg)\n\n<!-- /bench -->\n\nbetween\n\n')
    expect(text).toContain(place('another'))
    expect(await readFile(join(init.pictures, 'fixture-over-n.svg'), 'utf8')).toMatch(/^<svg /)
    expect(await writeDocs(await readReport(json), init)).toEqual(['fixture'])
    expect(await readFile(init.path, 'utf8')).toBe(text)
  })

  test('are not touched where nothing fits', async () => {
    const init = { path: join(folder, 'empty.md'), pictures: join(folder, 'pictures') }
    await writeFile(init.path, 'nothing\n')
    await expect(writeDocs(await runAll([], 'tiny'), init)).rejects.toThrow('has no section')
  })

  test('are not written from a report of another version', async () => {
    const json = join(folder, 'old.json')
    await writeFile(json, '{"version":1}')
    await expect(readReport(json)).rejects.toThrow('run it again')
  })
})

function oursFigure(): Figure {
  const bars = [{ bound: 'at most', value: 6 } as const, { bound: 'at most', value: 1.5, to: 'limit' } as const]
  return { id: 'ours', what: 'what we do', unit: 'ms', against: ['limit'], bars }
}

function limitFigure(bars: Figure['bars'] = []): Figure {
  return { id: 'limit', what: 'the limit', unit: 'ms', bars }
}

interface Shape {
  readonly figures: readonly Figure[]
  readonly plots: readonly Plot[]
  readonly onClose: () => void
}

function askedWith(rounds: readonly Round[], shape: Partial<Shape> = {}): Question {
  const { figures = [oursFigure(), limitFigure()], plots = [], onClose = () => {} } = shape
  const scale = { rounds: rounds.length - 1, warmUps: 1 }
  return {
    name: 'fixture',
    asks: 'Does the harness count right?',
    figures: () => figures,
    plots: () => plots,
    sizes: { tiny: scale, small: scale, full: scale },
    open: async () => ({ round: async (index) => rounds[index] ?? {}, close: async () => onClose() }),
  }
}
