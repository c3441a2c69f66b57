import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../daemon/api/client.ts'
import { EXIT } from '../exit-codes.ts'
import { inFolder, startDaemon, type TestDaemon } from '../harness-suite.ts'

const THEN = 1_700_000_000
const LATER = 4_000_000_000

/** Two nodes that have never met. */
let ceo: TestDaemon
let sec: TestDaemon

beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([startDaemon('ceo'), startDaemon('sec')])
  const client = createClient({ home: ceo.home })
  const author = { node_id: 'lab', ts: THEN }
  await client.import({
    memory: [
      { scope: 'mesh', key: 'plan', value: { due: ['Friday', 1.5, null, { '': {} }] }, ...author },
      { scope: 'mesh', key: 'plan', value: { due: ['Monday'] }, node_id: 'sec', ts: THEN + 1 },
      { scope: 'mesh', key: 'a:b/c "d"\u2028e\u{1f998}', value: 'x\u2028\r\ny', ...author },
      { scope: 'mesh', key: '__proto__', value: 1e21, ...author },
      { scope: 'node', key: 'own', value: 'stays, unless it is named', ...author },
      { scope: 'user:acme:bob', key: 'ends', value: true, ...author, expires_at: LATER },
      { scope: 'tenant:acme', key: 'empty', value: {}, node_id: 'a b', ts: THEN + 2 },
    ],
    skills: [
      { name: 'weather', content: '# Weather\r\n\n\ttext\u2028', source_node: 'lab', ts: THEN },
      { name: 'linked', path: '/srv/skills/linked', source_node: 'lab', ts: THEN, expires_at: LATER },
      { name: 'both', content: '', path: 'p', scope: 'federation', source_node: 'lab', ts: THEN },
    ],
  })
  // Written by the node itself, now; and one that is gone again.
  await client.putMemory({ scope: 'mesh', key: 'fresh', value: 'now', expires_at: LATER })
  await client.putMemory({ scope: 'mesh', key: 'gone', value: 1 })
  await client.deleteMemory('mesh', 'gone')
  client.close()
})
afterAll(() => Promise.all([ceo?.stop(), sec?.stop()]))

const rowsOf = async ({ json }: TestDaemon) => [(await json(['ls']))['memory'], (await json(['skill', 'ls']))['skills']]

test('what one node exports another takes in: every row is the same in content, author, time and end', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'mesh.jsonl')
    await ceo.run([
      'export',
      file,
      ...['node', 'mesh', 'user:acme:bob', 'tenant:acme', 'federation'].flatMap((scope) => ['-s', scope]),
    ])
    const taken = await sec.run(['import', file])
    expect(taken).toMatchObject({ exit: EXIT.ok, stdout: 'taken 10, already there 0, older 0, refused 0\n' })
    const [memory, skills] = await rowsOf(ceo)
    expect([memory, skills]).toMatchObject([{ length: 7 }, { length: 3 }])
    expect(await rowsOf(sec)).toEqual([memory, skills])
    expect((await sec.run(['import', file])).stdout).toBe('taken 0, already there 10, older 0, refused 0\n')
  })
})

test('it goes through a pipe as well, and comes out the same', async () => {
  const { stdout } = await ceo.run(['export'])
  const { exit, stdout: report } = await sec.run(['import', '-'], { input: stdout })
  expect({ exit, report }).toEqual({ exit: EXIT.ok, report: 'taken 0, already there 9, older 0, refused 0\n' })
  expect((await sec.run(['export'])).stdout).toBe(stdout)
})

test('the later of two writes stays, as it does with older files', async () => {
  const { stdout } = await ceo.run(['export', '-s', 'mesh'])
  await sec.run(['put', 'plan', '"newer"'])
  await sec.run(['rm', 'fresh'])
  const report = await sec.json(['import', '-'], { input: stdout })
  expect(report).toMatchObject({ ok: true, taken: 0, older: 2, refused: [] })
  expect((await sec.run(['get', 'plan'])).stdout).toBe('newer\n')
  expect((await sec.run(['get', 'fresh'])).exit).toBe(EXIT.notFound)
})

test('an entry whose time is over is passed over and counted; one that says no time is refused', async () => {
  const row = { kind: 'memory', scope: 'mesh', value: 1, node_id: 'lab', updated_at: THEN }
  const lines = [
    { ...row, key: 'over', expires_at: THEN + 1 },
    { ...row, key: 'odd', expires_at: LATER + 0.5 },
    { ...row, key: 'fine', expires_at: LATER + 1 },
  ]
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const { exit, stdout, stderr } = await sec.run(['import', '-'], { input })
  expect({ exit, stdout }).toEqual({
    exit: EXIT.refused,
    stdout: 'taken 1, already there 0, older 0, refused 1, ended 1\n',
  })
  expect(stderr).toContain('refused: memory mesh/odd:')
  expect(stderr).toContain('(EXPIRY_INVALID)')
  expect((await sec.run(['get', 'over'])).exit).toBe(EXIT.notFound)
  expect(await sec.json(['get', 'fine'])).toMatchObject({ expires_at: LATER + 1, updated_at: THEN })
})

test('what is no export is said so, and nothing is taken', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'mesh.jsonl')
    await writeFile(file, '{"mesh:plan":{"value":1}}')
    const { exit, stderr } = await sec.run(['import', file])
    expect({ exit, stderr }).toEqual({
      exit: EXIT.refused,
      stderr: expect.stringContaining('not what mesh export writes'),
    })
    expect((await sec.run(['import', join(folder, 'none.jsonl')])).exit).toBe(EXIT.notFound)
    expect((await sec.run(['import', '-'])).stdout).toBe('taken 0, already there 0, older 0, refused 0\n')
  })
})

test('--dry-run lists what it would send', async () => {
  const { stdout } = await ceo.run(['export', '-s', 'tenant:acme', '-s', 'federation'])
  const dry = await sec.run(['import', '-', '--dry-run'], { input: stdout })
  expect(dry.stdout).toBe('memory\ttenant:acme\tempty\nskill\tfederation\tboth\n')
})
