import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Ended, startChild } from '../support/child.ts'
import type { Machine } from '../support/machine.ts'
import { useFleet } from './fleet.ts'

/** The user that owns nothing. */
const NOBODY = 65_534

const fleet = useFleet()
let ceo: Machine
let apiPort: string
let p2pPort: string

beforeAll(async () => {
  ceo = await fleet.make('ceo')
  await ceo.start()
  await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 'kept' })
  const { api, addresses } = await ceo.client.status()
  apiPort = new URL(api.url ?? '').port
  p2pPort = /\/tcp\/(\d+)$/.exec(addresses[0] ?? '')?.[1] ?? ''
})

describe('a start that cannot be is refused in one line, with an exit code of its own', () => {
  test('S-07: a second daemon on the same home is 11, and the first goes on', async () => {
    const second = await fleet.make('ceo', { home: ceo.home })
    expectOneLine(await second.launch().ended, 11, ceo.home, 'MESH_HOME')
    expect((await ceo.client.getMemory('mesh', 'plan')).value).toBe('kept')
    await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 'still kept' })
  })

  test('the API’s port in use is 12', async () => {
    const sec = await fleet.make('sec')
    expectOneLine(await sec.launch({ MESH_API_PORT: apiPort }).ended, 12, apiPort, 'MESH_API_PORT')
  })

  test('the port for peers in use is 12', async () => {
    const sec = await fleet.make('sec')
    expectOneLine(await sec.launch({ MESH_P2P_PORT: p2pPort }).ended, 12, p2pPort, 'MESH_P2P_PORT')
    // It was made before it was refused, so the next start goes on with it.
    await sec.start()
  })

  test('a file where the home should be is 13', async () => {
    const { home, launch } = await fleet.make('sec')
    await rm(home, { recursive: true })
    await writeFile(home, 'mine')
    expectOneLine(await launch().ended, 13, home, 'MESH_HOME')
    expect(await readFile(home, 'utf8')).toBe('mine')
  })

  test('a file where the daemon’s folder should be is 13', async () => {
    const { home, launch } = await fleet.make('sec')
    await writeFile(join(home, 'meshd'), 'mine')
    expectOneLine(await launch().ended, 13, join(home, 'meshd'))
    expect(await readFile(join(home, 'meshd'), 'utf8')).toBe('mine')
  })

  test('a home that is another user’s is 13', async () => {
    // Only root can become somebody who may not write: anybody else takes the right away from itself.
    const isRoot = process.getuid?.() === 0
    const home = await mkdtemp(join(tmpdir(), 'mesh-foreign-'))
    await chmod(home, isRoot ? 0o755 : 0o555)
    const env = { MESH_HOME: home, MESH_API_PORT: '0', MESH_P2P_PORT: '0' }
    const ended = await startChild('daemon/main.ts', [], { env, ...(isRoot ? { uid: NOBODY } : {}) }).ended
    const left = await readdir(home)
    await rm(home, { recursive: true })
    expectOneLine(ended, 13, home, 'MESH_HOME')
    expect(left).toEqual([])
  })
})

describe('a damaged database is never replaced', () => {
  test.each(['CURRENT', 'MANIFEST'])(
    'without its %s the start is refused with 14, and every file stays',
    async (part) => {
      const lab = await fleet.make('lab')
      await lab.start()
      await lab.client.putMemory({ scope: 'mesh', key: 'plan', value: 'kept' })
      await lab.stop()
      const db = join(lab.home, 'meshd/db')
      for (const name of await readdir(db)) if (name.startsWith(part)) await rm(join(db, name))
      const before = await tables(db)
      expect(before).not.toEqual([])

      expectOneLine(await lab.launch().ended, 14, db)
      expect(await tables(db)).toEqual(before)
      // Nor is it by the command that makes homes.
      expect(await lab.json(['init'])).toMatchObject({ ok: false, exit: 9 })
      expect(await tables(db)).toEqual(before)
    },
  )

  test('without the node’s key the start is refused with 14, and no other key is made', async () => {
    const lab = await fleet.make('lab')
    await lab.start()
    await lab.stop()
    await rm(join(lab.home, 'meshd/node.key'))
    expectOneLine(await lab.launch().ended, 14, 'node.key')
    expect(await readdir(join(lab.home, 'meshd'))).not.toContain('node.key')
  })
})

describe('a malformed configuration is 2, with the key, the fault and the way out', () => {
  const cases = [
    ['no JSON5', '{ api: ', ['config.json5', 'JSON5']],
    ['an unknown key', '{ sync: { intervalSecond: 5 } }', ['sync.intervalSecond', 'sync.intervalSeconds']],
    ['a value that is none', '{ sync: { intervalSeconds: "5" } }', ['sync.intervalSeconds', '"5"', 'whole number']],
    ['no auth for everybody', '{ api: { host: "0.0.0.0", auth: false } }', ['api.auth', '0.0.0.0', '127.0.0.1']],
  ] as const

  test.each(cases)('%s', async (_, text, words) => {
    const sec = await fleet.make('sec')
    const path = join(sec.home, 'meshd/config.json5')
    await mkdir(join(sec.home, 'meshd'))
    await writeFile(path, text)
    expectOneLine(await sec.launch().ended, 2, ...words)
    // Nothing was made, so that it can be mended and started as if for the first time.
    expect(await readdir(join(sec.home, 'meshd'))).toEqual(['config.json5'])
  })

  test('a misspelt variable, and one with a bad value', async () => {
    const sec = await fleet.make('sec')
    expectOneLine(await sec.launch({ MESH_API_PROT: '4078' }).ended, 2, 'MESH_API_PROT', 'MESH_API_PORT')
    expectOneLine(await sec.launch({ MESH_API_PORT: '70000' }).ended, 2, 'MESH_API_PORT', '70000', '65535')
    expectOneLine(await sec.launch({ MESH_NODE_ID: 'a b' }).ended, 2, 'MESH_NODE_ID', '"a b"')
    expect(await readdir(sec.home)).toEqual([])
  })
})

/** Everything that it says is one line on stderr which holds these words. */
function expectOneLine({ code, stdout, stderr }: Ended, exit: number, ...words: readonly string[]): void {
  expect({ code, stdout, lines: stderr.trimEnd().split('\n') }).toEqual({
    code: exit,
    stdout: '',
    lines: [expect.stringMatching(/^openclaw-meshd: /)],
  })
  for (const word of words) expect(stderr).toContain(word)
}

/** What a database must not lose: its files but for locks and logs, with their sizes. */
async function tables(db: string): Promise<string[]> {
  const names = (await readdir(db)).filter((name) => /\.(ldb|log)$|^CURRENT|^MANIFEST/.test(name)).sort()
  return Promise.all(names.map(async (name) => `${name} ${(await stat(join(db, name))).size}`))
}
