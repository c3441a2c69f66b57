import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openReplica, type Replica } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { startChild } from '../test/support/child.ts'
import { LONG } from '../test/support/long.ts'
import { peerIdFromSeed } from '../transports/libp2p/index.ts'
import { type HomeLayout, layoutOf } from './home.ts'
import { initNode } from './init.ts'
import { type RestoredNode, restoreNode } from './restore.ts'
import { restoredPathOf, setUp } from './setup.ts'

/** Kills of a restore. */
const KILLS = LONG ? 60 : 3

let folder: string
let home: HomeLayout
/** A backup with the key, and one without. */
let whole: string
let keyless: string
let seed: Uint8Array
let before: Awaited<ReturnType<typeof stateOf>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restore-'))
  home = layoutOf(join(folder, 'ceo'))
  seed = (await setUp(home, 'ceo')).seed
  const replica = await open(home)
  const nodeId = 'ceo'
  await Promise.all([
    ...Array.from({ length: 300 }, (_, i) =>
      replica.putMemory({ scope: 'mesh' as never, key: `key-${i}`, value: i, nodeId }),
    ),
    replica.putMemory({ scope: 'node' as never, key: 'own', value: 'here', nodeId }),
    replica.putMemory({ scope: 'mesh' as never, key: 'gone', value: 1, nodeId }),
    replica.putSkill({ scope: 'mesh' as never, name: 'greet', content: 'Say hello.\n', nodeId }),
  ])
  await replica.remove({ kind: 'memory', scope: 'mesh' as never, key: 'gone' }, nodeId)
  await replica.side.write([
    { namespace: 'api-keys', key: 'x', value: Buffer.from('1') },
    { namespace: 'invitations', key: 'x', value: Buffer.from('1') },
  ])
  const init = { nodeId, peerId: peerIdFromSeed(seed), version: '0.1.0' }
  ;[whole, keyless] = [join(folder, 'whole'), join(folder, 'keyless')] as const
  await writeFile(whole, replica.backup({ ...init, seed }))
  await writeFile(keyless, replica.backup({ ...init, seed: undefined }))
  before = await stateOf(replica)
  await replica.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function open(layout: HomeLayout): Promise<Replica> {
  const { seed: key } = await setUp(layout, 'ceo')
  return openReplica({ signer: createSigner(key) }, { path: layout.databasePath })
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

async function stateOf(replica: Replica) {
  const rows = async (kind: 'memory' | 'skill') => (await Array.fromAsync(replica.list(kind))).map(({ row }) => row)
  return {
    digest: hex(replica.digest().digest),
    node: hex(replica.digest(['node' as never]).digest),
    position: replica.position,
    counts: replica.counts(),
    meshId: replica.meshId,
    rows: [await rows('memory'), await rows('skill')],
    keys: await replica.side.list('api-keys'),
  }
}

async function emptyHome(): Promise<HomeLayout> {
  const path = await mkdtemp(join(tmpdir(), 'restored-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return layoutOf(path)
}

const restore = (layout: HomeLayout, file: string, asNewNode = false): Promise<RestoredNode> =>
  restoreNode(layout, { file, asNewNode, nodeId: 'ceo' })

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )

/** What lies in the daemon's folder. */
const madeIn = async ({ meshdDir }: HomeLayout) => (await readdir(meshdDir)).sort()

describe('S-30: a backup that is restored to an empty home', () => {
  test('is the node again, with all that it had, in another database', async () => {
    const layout = await emptyHome()
    const peerId = peerIdFromSeed(seed)
    expect(await restore(layout, whole)).toMatchObject({
      peerId,
      meshId: before.meshId,
      isNewNode: false,
      entries: 303,
      backup: { nodeId: 'ceo', peerId, position: before.position },
    })
    expect(await madeIn(layout)).toEqual(['db', 'node.key'])
    expect((await stat(layout.meshdDir)).mode & 0o777).toBe(0o700)
    expect((await stat(join(layout.meshdDir, 'node.key'))).mode & 0o777).toBe(0o600)
    const [first, again] = [await open(home), await open(layout)]
    expect(await stateOf(again)).toEqual(before)
    expect(again.databaseId).not.toBe(first.databaseId)
    // Tickets may have been used since.
    expect(await again.side.list('invitations')).toEqual([])
    await Promise.all([first.close(), again.close()])
    expect(await initNode(layout, 'ceo')).toMatchObject({ peerId, created: false })
  })

  test('without its key is a new node, alone in a new mesh, that has signed all anew, scope node too', async () => {
    for (const [file, asNewNode] of [
      [keyless, false],
      [whole, true],
    ] as const) {
      const layout = await emptyHome()
      const made = await restore(layout, file, asNewNode)
      expect(made).toMatchObject({ isNewNode: true, entries: 303, backup: { peerId: peerIdFromSeed(seed) } })
      expect(made.peerId).not.toBe(peerIdFromSeed(seed))
      expect(made.meshId).not.toBe(before.meshId)
      const again = await open(layout)
      const { digest: _, node: __, meshId, ...rest } = await stateOf(again)
      const { digest: ___, node: ____, meshId: _____, ...expected } = before
      expect(rest).toEqual(expected)
      expect(meshId).toBe(made.meshId)
      const { seed: key } = await setUp(layout, 'ceo')
      const [latest] = await again.history({ kind: 'memory', scope: 'mesh' as never, key: 'key-1' })
      expect(latest?.signers.map(hex)).toEqual([hex(createSigner(key).publicKey)])
      expect(await again.side.list('roster')).toHaveLength(1)
      await again.close()
    }
  })

  test('uses the key that is left in the home, where it is the same, and takes no other for it', async () => {
    const layout = await emptyHome()
    await restore(layout, whole)
    await rm(layout.databasePath, { recursive: true })
    expect(await restore(layout, keyless)).toMatchObject({ isNewNode: false, peerId: peerIdFromSeed(seed) })
    await rm(layout.databasePath, { recursive: true })
    expect(await codeOf(restore(layout, whole, true))).toBe('RESTORE_NOT_EMPTY')
    await writeFile(join(layout.meshdDir, 'node.key'), `${'ab'.repeat(32)}\n`)
    expect(await codeOf(restore(layout, whole))).toBe('RESTORE_NOT_EMPTY')
    expect(await madeIn(layout)).toEqual(['node.key'])
  })

  test('is refused where there is a node, which stays as it is', async () => {
    const layout = await emptyHome()
    await initNode(layout, 'ceo')
    const files = await madeIn(layout)
    await expect(restore(layout, whole)).rejects.toMatchObject({
      code: 'RESTORE_NOT_EMPTY',
      field: layout.meshdDir,
      hint: expect.stringMatching(/mesh restore.*move .* away first/),
    })
    expect(await madeIn(layout)).toEqual(files)
    // Also where only the tables of a database are left.
    const damaged = await emptyHome()
    await mkdir(damaged.databasePath, { recursive: true })
    await writeFile(join(damaged.databasePath, '000005.ldb'), 'precious')
    expect(await codeOf(restore(damaged, whole))).toBe('RESTORE_NOT_EMPTY')
    expect(await readFile(join(damaged.databasePath, '000005.ldb'), 'utf8')).toBe('precious')
  })

  test('that is none, is cut off, damaged or not there leaves nothing behind', async () => {
    const layout = await emptyHome()
    const bytes = await readFile(whole)
    const file = join(folder, 'broken')
    const codes: (string | undefined)[] = []
    for (const broken of [Buffer.of(), Buffer.from('hello'), bytes.subarray(0, bytes.length - 1)]) {
      await writeFile(file, broken)
      codes.push(await codeOf(restore(layout, file)))
    }
    const flipped = Buffer.from(bytes)
    flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] as number) ^ 1
    await writeFile(file, flipped)
    codes.push(await codeOf(restore(layout, file)))
    codes.push(await codeOf(restore(layout, join(folder, 'none'))), await codeOf(restore(layout, folder)))
    expect(codes).toEqual([
      'BACKUP_INVALID',
      'BACKUP_INVALID',
      'BACKUP_DAMAGED',
      'BACKUP_DAMAGED',
      'BACKUP_UNREADABLE',
      'BACKUP_UNREADABLE',
    ])
    expect(await madeIn(layout)).toEqual([])
    expect(await restore(layout, whole)).toMatchObject({ isNewNode: false })
  })
})

describe('S-30: a restore that is cut short', () => {
  /** A home in which a restore was killed just before the node got its place. */
  async function unplaced(): Promise<HomeLayout> {
    const layout = await emptyHome()
    await restore(layout, whole)
    const restored = restoredPathOf(layout)
    await mkdir(restored)
    await rename(layout.databasePath, join(restored, 'db'))
    await rename(join(layout.meshdDir, 'node.key'), join(restored, 'node.key'))
    return layout
  }

  test('when all was there is completed by the next start, at whichever step it was', async () => {
    const steps: ((layout: HomeLayout) => Promise<void>)[] = [
      async () => {},
      async ({ meshdDir }) => writeFile(join(meshdDir, 'node.key.new'), `${hex(seed)}\n`),
      async ({ meshdDir, databasePath }) => {
        await writeFile(join(meshdDir, 'node.key.new'), `${hex(seed)}\n`)
        await rename(join(meshdDir, 'restored/db'), databasePath)
      },
      async ({ meshdDir, databasePath }) => {
        await writeFile(join(meshdDir, 'node.key'), `${hex(seed)}\n`)
        await rename(join(meshdDir, 'restored/db'), databasePath)
      },
    ]
    for (const step of steps) {
      const layout = await unplaced()
      await step(layout)
      const replica = await open(layout)
      expect(await stateOf(replica)).toEqual(before)
      await replica.close()
      await setUp(layout, 'ceo')
      expect(await madeIn(layout)).toEqual(['db', 'node.key'])
    }
  })

  test('does not take the place of a node that was made there meanwhile', async () => {
    const layout = await unplaced()
    await rename(restoredPathOf(layout), `${restoredPathOf(layout)}.away`)
    const { peerId } = await initNode(layout, 'ceo')
    await rename(`${restoredPathOf(layout)}.away`, restoredPathOf(layout))
    expect(await initNode(layout, 'ceo')).toMatchObject({ peerId, created: false })
    expect(existsSync(restoredPathOf(layout))).toBe(false)
    // Another key that is about to be one.
    const other = await unplaced()
    await writeFile(join(other.meshdDir, 'node.key.new'), `${'ab'.repeat(32)}\n`)
    const made = await initNode(other, 'ceo')
    expect(made.peerId).toBe(peerIdFromSeed(Buffer.alloc(32, 0xab)))
    expect(made.meshId).not.toBe(before.meshId)
    expect(existsSync(restoredPathOf(other))).toBe(false)
  })

  test('is placed once, by however many starts at once', async () => {
    for (let round = 0; round < 10; round++) {
      const layout = await unplaced()
      const made = await Promise.all([1, 2, 3].map(() => setUp(layout, 'ceo')))
      expect(made.map((one) => hex(one.seed))).toEqual([hex(seed), hex(seed), hex(seed)])
      await setUp(layout, 'ceo')
      expect((await madeIn(layout)).filter((name) => !name.startsWith('restore-'))).toEqual(['db', 'node.key'])
      const replica = await open(layout)
      expect(replica.position).toBe(before.position)
      await replica.close()
    }
  })

  test('meets a first start at the same moment: one of the two has the place, whole', async () => {
    for (let round = 0; round < 10; round++) {
      const layout = await emptyHome()
      const restoring = codeOf(restore(layout, whole))
      // Somewhere in the middle of it.
      for (let turn = 0; turn < round * 3; turn++) await new Promise((resolve) => setImmediate(resolve))
      const { seed: key } = await setUp(layout, 'ceo')
      const outcome = await restoring
      const replica = await open(layout)
      expect({ outcome, position: replica.position, isOurs: hex(key) === hex(seed) }).toEqual(
        outcome === 'done'
          ? { outcome, position: before.position, isOurs: true }
          : { outcome: 'RESTORE_NOT_EMPTY', position: 0, isOurs: false },
      )
      await replica.close()
    }
  })

  test(`by kill -9, ${KILLS} times: the next start finds nothing, or all of it, and nothing is left lying`, async () => {
    const outcomes = new Set<string>()
    for (let i = 0; i < KILLS; i++) {
      const layout = await emptyHome()
      const env = { MESH_HOME: layout.home, MESH_NODE_ID: 'ceo', HOME: layout.home }
      const child = startChild('daemon/main.ts', ['--restore', whole, ...(i % 3 === 2 ? ['--as-new-node'] : [])], {
        env,
      })
      // At what is there for a moment only; the later rounds come later.
      const wanted = [/^restore-/, /^restored$|^db$/, /^node\.key/][i % 3] as RegExp
      const isThere = async () => (await readdir(layout.meshdDir).catch(() => [])).some((name) => wanted.test(name))
      while (child.isRunning() && !(await isThere()));
      child.signal('SIGKILL')
      await child.ended
      const replica = await open(layout)
      const { rows, counts } = await stateOf(replica)
      await replica.close()
      if (replica.counts().memory === 0) outcomes.add('nothing')
      else {
        outcomes.add('all')
        expect({ rows, counts }).toEqual({ rows: before.rows, counts: before.counts })
      }
      // What is left of it goes when a daemon starts; see the tests of those.
      expect((await madeIn(layout)).filter((name) => !name.startsWith('restore-'))).toEqual(
        expect.arrayContaining(['db', 'node.key']),
      )
      expect(existsSync(restoredPathOf(layout))).toBe(false)
    }
    expect(outcomes).toEqual(new Set(['nothing', 'all']))
  }, 300_000)
})

describe('openclaw-meshd --restore', () => {
  const run = async (layout: HomeLayout, ...given: (string | Record<string, string>)[]) => {
    const args = given.filter((one) => typeof one === 'string')
    const more = given.find((one) => typeof one !== 'string')
    const env = { MESH_HOME: layout.home, MESH_NODE_ID: 'ceo', HOME: layout.home, ...more }
    const { code, stdout, stderr } = await startChild('daemon/main.ts', args, { env }).ended
    return { code, stdout, stderr }
  }

  test('says what it made, and what must not be done now', async () => {
    const layout = await emptyHome()
    const { code, stdout, stderr } = await run(layout, '--restore', whole)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`restored 303 entries of "ceo"`)
    expect(stdout).toContain(peerIdFromSeed(seed))
    expect(stdout).toMatch(/must never run it again.*\(peer\.cloned\)/)
    expect(stdout).not.toContain('MESH_NODE_ID')
    const renamed = await run(await emptyHome(), '--restore', whole, { MESH_NODE_ID: 'boss' })
    expect(renamed.stdout).toMatch(/by the name boss: .*MESH_NODE_ID/)
    const other = await emptyHome()
    const { stdout: json } = await run(other, '--restore', keyless, '--json')
    expect(JSON.parse(json)).toMatchObject({ ok: true, home: other.home, nodeId: 'ceo', isNewNode: true, entries: 303 })
  })

  test('ends with exit codes that tell why it was refused', async () => {
    const layout = await emptyHome()
    const broken = join(folder, 'cut')
    await writeFile(broken, (await readFile(whole)).subarray(0, 1_000))
    expect(await run(layout, '--restore', broken)).toMatchObject({
      code: 14,
      stderr: expect.stringContaining('damaged'),
    })
    expect(await run(layout, '--restore', join(folder, 'none'))).toMatchObject({ code: 2 })
    await restore(layout, whole)
    const { code, stdout } = await run(layout, '--restore', whole, '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      error: { type: 'RESTORE_NOT_EMPTY', field: layout.meshdDir },
    })
    expect(await run(layout, '--as-new-node')).toMatchObject({ code: 2, stderr: expect.stringContaining('--restore') })
  })
})
