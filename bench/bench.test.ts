import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { LONG } from '../test/support/long.ts'
import { parseOptions } from './options.ts'
import { QUESTIONS } from './questions.ts'
import { ReportSchema } from './report.ts'
import { runAll } from './run.ts'
import { median, percentile } from './statistics.ts'
import { benchValue, VALUE_BYTES } from './values.ts'

/** Those that are asked within a process; others start daemons, which takes a minute in all. `npm run bench` asks each. */
const QUICK = ['automerge-handle', 'put-get', 'search', 'secrets']
const ASKED = QUESTIONS.filter(({ name }) => LONG || QUICK.includes(name))

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

describe.each(ASKED)('$name, at its smallest', (question) => {
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

test('pictures have names of their own', () => {
  const names = QUESTIONS.flatMap(({ plots }) => (plots?.('full') ?? []).map(({ name }) => name))
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

test('docs/performance.md has a place for every question', async () => {
  const text = await readFile(fileURLToPath(new URL('../docs/performance.md', import.meta.url)), 'utf8')
  const places = [...text.matchAll(/^<!-- bench: ([a-z-]+) -->$/gm)].map((match) => match[1])
  expect(places.sort()).toEqual(['bars', 'machine', ...QUESTIONS.map(({ name }) => name)].sort())
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
    expect(parseOptions([], QUESTIONS)).toMatchObject({ fresh: false, writeDocs: false })
    expect(parseOptions(['--fresh', '--write-docs'], QUESTIONS)).toMatchObject({ fresh: true, writeDocs: true })
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
