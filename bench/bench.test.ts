import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { ask } from './ask.ts'
import { markdownOf } from './markdown.ts'
import { parseOptions } from './options.ts'
import type { Question, Round } from './question.ts'
import { QUESTIONS } from './questions.ts'
import { ReportSchema } from './report.ts'
import { runAll } from './run.ts'
import { median, percentile } from './statistics.ts'
import { benchValue, VALUE_BYTES } from './values.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

describe.each(QUESTIONS)('$name, at its smallest', (question) => {
  // Starts daemons and warms them up: on a busy machine that alone takes long.
  test('gives every figure as a finite number, in the declared shape', { timeout: 90_000 }, async () => {
    const report = await runAll([question], 'tiny')
    expect(report.failures).toEqual([])
    expect([...Value.Errors(ReportSchema, JSON.parse(JSON.stringify(report)))]).toEqual([])
    const figures = report.answers[0]?.figures ?? []
    expect(figures.map(({ id }) => id)).toEqual(question.figures('tiny').map(({ id }) => id))
    for (const { median, ratios } of figures) {
      expect([median, ...ratios.map((ratio) => ratio.median)].every(Number.isFinite)).toBe(true)
    }
  })
})

test('small and full sizes run several rounds', () => {
  const counts = QUESTIONS.flatMap(({ sizes }) => [sizes.small.rounds, sizes.full.rounds])
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(3)
})

describe('a question', () => {
  const rounds: Round[] = [
    { ours: 1, limit: 1 },
    { ours: 6, limit: 3 },
    { ours: 8, limit: 2 },
    { ours: 2, limit: 2 },
  ]

  test('is summed up over the rounds that count, ratios taken round by round', async () => {
    const { figures } = await ask(askedWith(rounds), 'tiny')
    expect(figures[0]).toEqual({
      id: 'ours',
      what: 'what we do',
      unit: 'ms',
      median: 6,
      low: 2,
      high: 8,
      runs: [6, 8, 2],
      ratios: [{ to: 'limit', median: 2, low: 1, high: 4, runs: [2, 4, 1] }],
    })
  })

  test('that does not give a figure fails, is closed, and does not keep the others from being asked', async () => {
    const closed: string[] = []
    const report = await runAll([askedWith([{}, { ours: 1 }], () => closed.push('bad')), askedWith(rounds)], 'tiny')
    expect(report.failures).toEqual([{ name: 'fixture', message: 'figure limit: measured undefined' }])
    expect(report.answers).toHaveLength(1)
    expect(closed).toEqual(['bad'])
    expect(markdownOf(report)).toContain('| what we do | 6 | 2 to 8 | ms | 2.00 × the limit |')
  })
})

test('a percentile is a value that was measured, a median the middle', () => {
  const values = [4, 1, 3, 2]
  expect([0, 0.5, 0.75, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 2, 3, 4, 4])
  expect(median(values)).toBe(2.5)
  expect(median([3, 1, 2])).toBe(2)
})

test.each([0, 7, 123_456])('value %i has 200 bytes of JSON', (n) => {
  expect(JSON.stringify(benchValue(n))).toHaveLength(VALUE_BYTES)
})

describe('the command', () => {
  test('writes the JSON where it is told to, and prints a table', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bench-test-'))
    try {
      const path = join(folder, 'new', 'report.json')
      const args = [MAIN, '--tiny', '--only', 'automerge-handle', '--json', path]
      const { stdout } = await promisify(execFile)(process.execPath, args)
      expect(stdout).toContain('## automerge-handle')
      expect(Value.Check(ReportSchema, JSON.parse(await readFile(path, 'utf8')))).toBe(true)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('asks everything at the small size unless told otherwise', () => {
    expect(parseOptions([], QUESTIONS)).toMatchObject({ size: 'small', questions: QUESTIONS, json: undefined })
    expect(parseOptions(['--full', '--only', 'visible'], QUESTIONS)).toMatchObject({
      size: 'full',
      questions: [{ name: 'visible' }],
    })
  })

  test.each([
    [['--only', 'speed'], '--only: no question "speed"; there are automerge-handle'],
    [['--small', '--full'], '--small and --full exclude each other'],
    [['--fast'], "Unknown option '--fast'"],
  ])('refuses %j and says why', (args, message) => {
    expect(() => parseOptions(args, QUESTIONS)).toThrow(message)
  })
})

function askedWith(rounds: readonly Round[], onClose: () => void = () => {}): Question {
  const scale = { rounds: rounds.length - 1, warmUps: 1 }
  return {
    name: 'fixture',
    asks: 'Does the harness count right?',
    figures: () => [
      { id: 'ours', what: 'what we do', unit: 'ms', against: ['limit'] },
      { id: 'limit', what: 'the limit', unit: 'ms' },
    ],
    sizes: { tiny: scale, small: scale, full: scale },
    open: async () => ({ round: async (index) => rounds[index] ?? {}, close: async () => onClose() }),
  }
}
