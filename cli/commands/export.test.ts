import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../daemon/api/client.ts'
import { EXIT } from '../exit-codes.ts'
import { inFolder, startDaemon, type TestDaemon } from '../harness-suite.ts'
import { runMesh } from '../run.ts'

let ceo: TestDaemon
let sec: TestDaemon

/** Memory that a careless reader would stumble over, by scope. */
const MEMORY: readonly (readonly [scope: string, key: string, value: string])[] = [
  ['mesh', 'plan', 'ship on Friday'],
  ['mesh', 'a:b/c "d"', '{"deep":{"list":[1,"\\n",null]}}'],
  ['mesh', '__proto__', '1'],
  ['mesh', 'evil\u001b[2J\u202e', 'x\u001b[31m\r\n'],
  ['user:alice', 'notes:today', '"sunny"'],
  ['user:acme:bob', 'plan', 'bob'],
  ['tenant:acme', 'plan', 'all'],
]

beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([startDaemon('ceo'), startDaemon('sec')])
  for (const [scope, key, value] of MEMORY) await ceo.run(['put', key, '--scope', scope, '--', value])
  await ceo.run(['put', 'secret', 'stays here', '--scope', 'node'])
  await ceo.run(['skill', 'put', 'weather', '-'], { input: '# Weather\r\n' })
})

afterAll(() => Promise.all([ceo?.stop(), sec?.stop()]))

const rowsOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('export', () => {
  test('a line a row as lists have it; the scope node only when it is named', async () => {
    const { exit, stdout, stderr } = await ceo.run(['export'])
    expect(exit).toBe(EXIT.ok)
    const { memory } = (await ceo.json(['ls'])) as { memory?: { scope: string }[] }
    const { skills } = (await ceo.json(['skill', 'ls'])) as { skills?: object[] }
    expect(rowsOf(stdout)).toEqual([
      ...(memory ?? []).filter(({ scope }) => scope !== 'node').map((row) => ({ kind: 'memory', ...row })),
      ...(skills ?? []).map((row) => ({ kind: 'skill', ...row })),
    ])
    expect(stdout).not.toContain('stays here')
    expect(stderr).toBe('7 memories and 1 skill exported\n1 of the scope node left out; --scope node exports them\n')
    const named = await ceo.run(['export', '-', '--scope', 'node', '-s', 'tenant:acme', '-s', 'node'])
    expect(rowsOf(named.stdout)).toMatchObject([{ key: 'secret' }, { value: 'all' }])
    expect(named.stderr).not.toContain('left out')
  })

  test('a file is written whole, for its owner alone, and not over another', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'mesh.jsonl')
      expect(await ceo.json(['export', file])).toEqual({
        exit: EXIT.ok,
        ok: true,
        file,
        format: 'jsonl',
        memory: 7,
        skills: 1,
        leftOut: 1,
        notes: [],
      })
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      const text = await readFile(file, 'utf8')
      expect(text).toBe((await ceo.run(['export'])).stdout)
      await writeFile(file, 'mine')
      expect(await ceo.json(['export', file])).toMatchObject({ exit: EXIT.usage, error: { field: 'FILE' } })
      expect(await readFile(file, 'utf8')).toBe('mine')
      const link = join(folder, 'link')
      await symlink(file, link)
      expect((await ceo.run(['export', link, '--force'])).exit).toBe(EXIT.ok)
      expect(await readFile(file, 'utf8')).toBe(text)
      expect((await readdir(folder)).sort()).toEqual(['link', 'mesh.jsonl'])
    })
  })

  test('where it cannot be written, or is refused half-way, nothing is left', async () => {
    await inFolder(async (folder) => {
      await mkdir(join(folder, 'sub'))
      expect(await ceo.run(['export', join(folder, 'sub'), '--force'])).toMatchObject({ exit: EXIT.usage })
      expect(await ceo.run(['export', '/dev/null', '--force'])).toMatchObject({ exit: EXIT.usage })
      expect(await ceo.json(['export', join(folder, 'no', 'x')])).toMatchObject({
        exit: EXIT.storage,
        error: { type: 'FILE_UNWRITABLE' },
      })
      const half = await ceo.json(['export', join(folder, 'x'), '--scope', 'mesh', '--scope', 'nowhere'])
      expect(half).toMatchObject({ exit: EXIT.refused, error: { type: 'SCOPE_INVALID' } })
      const stop = AbortSignal.abort(new Error('interrupted'))
      expect(await ceo.run(['export', join(folder, 'x')], { signal: stop })).toMatchObject({ exit: EXIT.interrupted })
      expect(await readdir(folder)).toEqual(['sub'])
    })
  })

  test('--json needs a file, --force too; a terminal gets no control characters (S-27)', async () => {
    expect(await ceo.json(['export'])).toMatchObject({ exit: EXIT.usage, error: { field: '--json' } })
    expect(await ceo.json(['export', '--force', '--json'])).toMatchObject({ exit: EXIT.usage })
    const { stdout } = await ceo.run(['export'], { terminal: 80 })
    expect(stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    expect(rowsOf(stdout)).toEqual(rowsOf((await ceo.run(['export'])).stdout))
  })

  test('memory-json goes into another node by import, and comes out the same', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'mesh-memory.json')
      const { stderr } = await ceo.run(['export', file, '--format', 'memory-json'])
      expect(stderr).toContain('memory-json holds no skills\nnote: to read it: mesh import FILE --tenant acme\n')
      const taken = await sec.run(['import', file, '--tenant', 'acme'])
      expect(taken.stdout).toBe('taken 7, already there 0, older 0, refused 0\n')
      const again = join(folder, 'again.json')
      expect((await sec.run(['export', again, '--format', 'memory-json'])).exit).toBe(EXIT.ok)
      expect(await readFile(again, 'utf8')).toBe(await readFile(file, 'utf8'))
      expect((await ceo.run(['import', again])).stdout).toBe('taken 0, already there 7, older 0, refused 0\n')
      expect((await ceo.run(['export', '--format', 'memory-json', '-s', 'federation'])).stdout).toBe('{}\n')
    })
  })

  test('memory-json is refused where its keys could be read in two ways', async () => {
    await ceo.run(['put', 'bob:plan', 'alice of acme?', '--scope', 'user:acme'])
    await inFolder(async (folder) => {
      const made = await ceo.json(['export', join(folder, 'm.json'), '--format', 'memory-json'])
      expect(made).toMatchObject({ exit: EXIT.refused, error: { type: 'EXPORT_AMBIGUOUS', field: '--format' } })
      expect(await readdir(folder)).toEqual([])
    })
    await ceo.run(['rm', 'bob:plan', '--scope', 'user:acme'])
  })

  test('a reader that is slow holds it up: it never runs ahead by more than a little', async () => {
    const client = createClient({ home: ceo.home })
    const value = 'x'.repeat(100_000)
    const puts = Array.from({ length: 20 }, (_, i) => ({ scope: 'federation', key: `big/${i}`, value }))
    await client.bulk(puts.slice(0, 10))
    await client.bulk(puts.slice(10))
    client.close()
    const argv = ['export', '--scope', 'federation']
    let handed = 0
    let held: number | undefined
    const stdout = new Writable({
      highWaterMark: 1,
      decodeStrings: false,
      write(_chunk, _encoding, done) {
        if (held !== undefined) return done()
        // Nothing more is taken while another export runs from beginning to end.
        held = 0
        void ceo.run(argv).then(({ stdout: { length } }) => {
          expect(length).toBeGreaterThan(2_000_000)
          held = handed
          done()
        }, done)
      },
    })
    const pass = stdout.write.bind(stdout)
    stdout.write = ((chunk: string) => {
      handed += chunk.length
      return pass(chunk)
    }) as typeof stdout.write
    const stderr = new Writable({ write: (_chunk, _encoding, done) => done() })
    const signal = new AbortController().signal
    const env = { MESH_HOME: ceo.home }
    expect(await runMesh(argv, { stdin: process.stdin, stdout, stderr, env, signal, now: Date.now })).toBe(EXIT.ok)
    expect(handed).toBeGreaterThan(2_000_000)
    expect(held).toBeLessThan(250_000)
  })
})
