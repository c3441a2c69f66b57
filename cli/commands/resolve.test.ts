import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon
let sec: TestDaemon

const VALUES = { ceo: '{"cpu":4,"memory":"4G"}', sec: '{"cpu":8,"memory":"8G"}' }

// What both write before they meet is in conflict when they have met.
beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([startDaemon('ceo'), startDaemon('sec')])
  for (const [node, name] of [
    [ceo, 'ceo'],
    [sec, 'sec'],
  ] as const) {
    for (const key of ['keep', 'two', 'late']) await node.run(['put', key, VALUES[name]])
    for (const key of ['pick', 'value', 'asked']) await node.run(['put', key, `from ${name}\u001b[2J`])
    await node.run(['skill', 'put', 'weather', '-'], { input: `# by ${name}\n` })
    await node.run(['put', 'equal', 'the same'])
  }
  const { ticket } = (await ceo.json(['invite'])) as { ticket?: string }
  expect((await sec.run(['join', ticket ?? ''])).exit).toBe(EXIT.ok)
  expect((await ceo.run(['sync'])).exit).toBe(EXIT.ok)
})

afterAll(() => Promise.all([ceo?.stop(), sec?.stop()]))

interface Found {
  conflicts: { path: string; values: { value: unknown; node_id: string }[] }[]
  etag: string
}

const conflictsOf = async (...args: string[]) => (await ceo.json(['conflicts', ...args])) as unknown as Found

test('conflicts: every value of every place, the shown one first', async () => {
  const { conflicts, etag } = await conflictsOf('keep')
  expect(conflicts.map(({ path, values }) => [path, values.map(({ node_id }) => node_id).sort()])).toEqual([
    ['/cpu', ['ceo', 'sec']],
    ['/memory', ['ceo', 'sec']],
  ])
  const row = (await ceo.json(['get', 'keep'])) as { value?: { cpu?: number }; etag?: string }
  expect([conflicts[0]?.values[0]?.value, etag]).toEqual([row.value?.cpu, row.etag])

  const lines = (await ceo.run(['conflicts', 'pick'])).stdout.trimEnd().split('\n')
  expect(lines.map((line) => line.split('\t').slice(0, 3))).toEqual([
    ['', '1', 'shown'],
    ['', '2', 'kept'],
  ])
  expect(lines.map((line) => line.split('\t')[3]).sort()).toEqual(['"from ceo\\u001b[2J"', '"from sec\\u001b[2J"'])

  const table = await ceo.run(['conflicts', 'keep'], { terminal: 60, env: { NO_COLOR: '1' } })
  expect(table.stdout).toMatch(/^PATH +# +VALUE +NODE +AGE\n\/cpu +1 +[48] +(ceo|sec) +\S+ +shown\n +2 +[48] /)
  expect(table.stderr).toContain('2 places in conflict')
  expect(table.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
  for (const line of table.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
})

test('conflicts of nothing, of no entry, and of all entries', async () => {
  expect((await conflictsOf('equal')).conflicts).toEqual([])
  expect(await ceo.run(['conflicts', 'equal'], { terminal: 80 })).toMatchObject({ exit: EXIT.ok, stdout: '' })
  expect(await ceo.run(['conflicts', 'nowhere'])).toMatchObject({ exit: EXIT.notFound })
  const all = ['keep', 'late', 'two', 'asked', 'pick', 'value'].sort()
  const { entries } = (await ceo.json(['conflicts'])) as {
    entries?: { kind: string; key: string; conflicts: number }[]
  }
  expect(entries?.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    ...all.map((key) => `memory ${key}`),
    'skill weather',
  ])
  const { stdout } = await ceo.run(['conflicts'])
  expect(stdout.split('\n')[1]).toMatch(/^memory\tmesh\tkeep\t2\t\d{4}-.+Z$/)
  expect((await ceo.run(['conflicts', '--skill'])).stdout).toMatch(/^skill\tmesh\tweather\t1\t.+\n$/)
  const table = await ceo.run(['conflicts', '-s', 'mesh'], { terminal: 60, env: { NO_COLOR: '1' } })
  expect(table.stdout).toMatch(/^KIND +SCOPE +KEY +PLACES +AGE\nmemory +mesh +asked +1 /)
  expect(table.stderr).toContain('7 entries in conflict')
  expect(await ceo.run(['conflicts', '-s', 'federation'], { terminal: 60 })).toMatchObject({
    exit: EXIT.ok,
    stdout: '',
    stderr: expect.stringContaining('no entry is in conflict'),
  })
})

test('a vouched change says who signed it', async () => {
  const { stdout } = await ceo.run(['history', 'equal'])
  const signers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[4])
  expect(signers.sort()).toEqual(['ceo', 'sec'])
})

test('--keep-shown ends all with what is shown', async () => {
  const before = (await ceo.run(['get', 'keep'])).stdout
  const { exit, stdout } = await ceo.run(['resolve', 'keep', '--keep-shown'])
  expect({ exit, stdout }).toEqual({
    exit: EXIT.ok,
    stdout: `mesh/keep resolved (ceo, just now)\n${JSON.stringify(JSON.parse(before))}\n`,
  })
  expect((await conflictsOf('keep')).conflicts).toEqual([])
  expect(await ceo.json(['resolve', 'keep', '--keep-shown'])).toMatchObject({ exit: EXIT.ok, resolved: [], left: 0 })
})

test('--pick takes a value by its number, --value another one', async () => {
  const second = (await conflictsOf('pick')).conflicts[0]?.values[1]?.value
  const picked = await ceo.run(['resolve', 'pick', '--pick', '2', '--node-id', 'judge'])
  expect(picked.stdout).toBe(`mesh/pick resolved (judge, just now)\n${String(second).replace('\u001b', '\\u001b')}\n`)
  expect(await ceo.json(['get', 'pick'])).toMatchObject({ value: second })
  expect(await ceo.json(['resolve', 'value', '--value', '1.10', '--text'])).toMatchObject({ value: '1.10', left: 0 })
})

test('places one by one, in pairs; the others stay', async () => {
  const wrong: (readonly [args: string[], field: string, exit: number])[] = [
    [['--pick', '1'], '--path', EXIT.usage],
    [['--path', '/cpu'], '--path', EXIT.usage],
    [['--path', '/cpu', '--path', '/memory', '--pick', '1'], '--path', EXIT.usage],
    [['--path', '/cpu', '--pick', '3'], '--pick', EXIT.usage],
    [['--path', '/cpu', '--pick', '0'], '--pick', EXIT.usage],
    [['--path', '/cpu', '--pick', '1', '--path', '/cpu', '--value', '1'], '--path', EXIT.usage],
    [['--path', '/disk', '--value', '1'], '--path', EXIT.refused],
    [['--keep-shown', '--pick', '1'], '--keep-shown', EXIT.usage],
    [[], '--keep-shown', EXIT.usage],
  ]
  for (const [args, field, exit] of wrong) {
    expect(await ceo.json(['resolve', 'two', ...args]), args.join(' ')).toMatchObject({ exit, error: { field } })
  }
  expect((await conflictsOf('two')).conflicts).toHaveLength(2)
  const one = await ceo.run(['resolve', 'two', '--path', '/cpu', '--value', '16'])
  expect(one.stderr).toBe('1 place is still in conflict\n')
  expect(await ceo.json(['resolve', 'two', '--path', '/memory', '--value', '16G'])).toMatchObject({
    value: { cpu: 16, memory: '16G' },
    resolved: ['/memory'],
    left: 0,
  })
})

test('what was written after the look is not resolved by accident', async () => {
  const { etag } = await conflictsOf('late')
  const { value } = (await ceo.json(['get', 'late'])) as { value?: object }
  await ceo.run(['put', 'late', JSON.stringify({ ...value, disk: '1T' })])
  expect(await ceo.json(['resolve', 'late', '--keep-shown', '--if-match', etag])).toMatchObject({
    exit: EXIT.refused,
    error: { type: 'VERSION_MISMATCH' },
  })
  expect((await conflictsOf('late')).conflicts).toHaveLength(2)
})

test('on a terminal it asks; who gives no answer changes nothing', async () => {
  const silent = await ceo.run(['resolve', 'asked'], { terminal: 80, input: '' })
  expect(silent).toMatchObject({ exit: EXIT.failure, stderr: expect.stringContaining('nothing changed') })
  const second = (await conflictsOf('asked')).conflicts[0]?.values[1]?.value
  const asked = await ceo.run(['resolve', 'asked'], { terminal: 80, input: '2\n' })
  expect(asked.exit, asked.stderr).toBe(EXIT.ok)
  expect(asked.stderr).toContain('Which one is to stand at (the whole)? [1-2]')
  expect(await ceo.json(['get', 'asked'])).toMatchObject({ value: second })
})

test('a skill that was created twice', async () => {
  const [{ values } = { values: [] }] = (await conflictsOf('weather', '--skill')).conflicts
  expect(values.map(({ value }) => value).sort()).toEqual(['# by ceo\n', '# by sec\n'])
  const { stdout } = await ceo.run(['resolve', 'weather', '--skill', '--pick', '2'])
  expect(stdout).toBe('skill weather resolved (ceo, just now)\n')
  expect((await ceo.run(['skill', 'get', 'weather'])).stdout).toBe(values[1]?.value)
  expect((await conflictsOf('weather', '--skill')).conflicts).toEqual([])
})
