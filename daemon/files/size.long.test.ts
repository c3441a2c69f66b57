import { createHook } from 'node:async_hooks'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Scope } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import type { FileSource } from './exporter.ts'
import { createFileView, type FileView } from './index.ts'
import { PATIENTLY, viewPaths } from './view-suite.ts'

/** Enough that work on all of them stands out from work on a few. */
const ENTRIES = 3_000
/** Looked at between the first two pauses of a look, and what else a start or a put does with files. */
const FEW_FILE_OPERATIONS = 2_200
const FEW_READS = 50

const scope = 'mesh' as Scope

let home: string
let store: Replica
let view: FileView | undefined
/** Entries that the view read or listed. */
let reads: number

/** A replica that counts what the view reads of it. */
function counting(): FileSource {
  reads = 0
  return {
    databaseId: store.databaseId,
    get position() {
      return store.position
    },
    get(id) {
      reads++
      return store.get(id)
    },
    async *list(kind, options) {
      for await (const entry of store.list(kind, options)) {
        reads++
        yield entry
      }
    },
    feed: (after, limit) => store.feed(after, limit),
    onCommit: (listener) => store.onCommit(listener),
    counts: () => store.counts(),
    digest: (scopes) => store.digest(scopes),
  }
}

/** How often anything was asked of the file system while `work` went on. */
async function fileOperations(work: () => Promise<void>): Promise<number> {
  let count = 0
  const hook = createHook({
    init(_, type) {
      if (type.startsWith('FSREQ')) count++
    },
  })
  hook.enable()
  await work().finally(() => hook.disable())
  return count
}

async function startView(): Promise<FileView> {
  const init = { ...viewPaths(home), memoryJson: false, flatSkills: false }
  const created = createFileView({ store: counting(), log: pino({ level: 'silent' }) }, init)
  await created.start()
  view = created
  return created
}

async function putMany(count: number): Promise<void> {
  const put = (_: unknown, i: number) =>
    store.putMemory({ scope, key: `key-${String(i).padStart(5, '0')}`, value: i, nodeId: 'ceo' })
  await Promise.all(Array.from({ length: count }, put))
}

const fileNames = () => readdir(join(home, 'mesh/memory/mesh')).catch(() => [])
const shown = (key: string) => readFile(join(home, `mesh/memory/mesh/${key}.md`), 'utf8').catch(() => '')

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mesh-size-'))
  await mkdir(join(home, 'meshd'))
  await createReplica(join(home, 'meshd', 'db'), { meshId: 'a'.repeat(32), records: [] })
  store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: join(home, 'meshd', 'db') })
})
afterEach(async () => {
  await view?.stop()
  view = undefined
  await store.close()
  await rm(home, { recursive: true, force: true })
})

describe('with many entries', () => {
  test('a second start reads none of them, looks at the files by and by, and a put is one file', async () => {
    await putMany(ENTRIES)
    const first = await startView()
    await first.settled(store.position)
    await first.stop()
    const operations = await fileOperations(async () => {
      const second = await startView()
      await second.settled(store.position)
      await store.putMemory({ scope, key: 'new', value: 'here', nodeId: 'ceo' })
      await second.settled(store.position)
    })
    expect(await shown('new')).toContain('here')
    expect(reads).toBeLessThan(FEW_READS)
    expect(operations).toBeLessThan(FEW_FILE_OPERATIONS)
  })

  test('what is put while the first files are being written does not wait for them', async () => {
    await putMany(ENTRIES)
    const first = await startView()
    await expect.poll(async () => (await fileNames()).length, { ...PATIENTLY, interval: 1 }).toBeGreaterThan(0)
    expect(first.findings()).toEqual([expect.objectContaining({ checkId: 'files.catching-up', severity: 'info' })])
    // Behind all others in the order in which they are written.
    await store.putMemory({ scope, key: 'zzz', value: 'here', nodeId: 'ceo' })
    await expect.poll(() => shown('zzz'), { ...PATIENTLY, interval: 1 }).toContain('here')
    expect((await fileNames()).length).toBeLessThan(ENTRIES)
    await first.settled(store.position)
    expect(await fileNames()).toHaveLength(ENTRIES + 1)
    expect(first.findings()).toEqual([])
  })

  test('the first writing of all files goes on where it was cut short', async () => {
    await putMany(ENTRIES)
    const first = await startView()
    await expect.poll(async () => (await fileNames()).length, { ...PATIENTLY, interval: 1 }).toBeGreaterThan(1_000)
    await first.stop()
    const before = (await fileNames()).length
    expect(before).toBeLessThan(ENTRIES)
    // Meanwhile, in the part that was done and in the one that was not.
    for (const key of ['key-00000', 'key-02999']) await store.putMemory({ scope, key, value: 'new', nodeId: 'ceo' })
    await store.remove({ kind: 'memory', scope, key: 'key-00001' }, 'ceo')
    const second = await startView()
    await second.settled(store.position)
    expect(await fileNames()).toHaveLength(ENTRIES - 1)
    for (const key of ['key-00000', 'key-02999']) expect(await shown(key)).toContain('new')
    // Each is listed, those left are read, and each file is asked once whether its entry is gone.
    expect(reads).toBeLessThan(3 * ENTRIES - before + 500)
  })

  test('a folder that is removed is noticed by the next write, and all in it is written again (S-34)', async () => {
    await putMany(ENTRIES)
    const running = await startView()
    await running.settled(store.position)
    await running.check()
    await rm(join(home, 'mesh'), { recursive: true })
    await store.putMemory({ scope, key: 'new', value: 'here', nodeId: 'ceo' })
    await expect.poll(async () => (await fileNames()).length, PATIENTLY).toBe(ENTRIES + 1)
    await expect
      .poll(() => running.findings(), PATIENTLY)
      .toEqual([expect.objectContaining({ checkId: 'files.vanished', severity: 'info' })])
    expect(store.counts().memory).toBe(ENTRIES + 1)
  })

  test('who asks for a look waits a bounded time, and is told that it goes on', async () => {
    await putMany(ENTRIES)
    const init = { ...viewPaths(home), memoryJson: false, flatSkills: false, timing: { maxCheckMs: 1 } }
    const hasty = createFileView({ store, log: pino({ level: 'silent' }) }, init)
    view = hasty
    await hasty.start()
    await hasty.settled(store.position)
    await hasty.check()
    expect(hasty.findings()).toEqual([expect.objectContaining({ checkId: 'files.checking', severity: 'info' })])
  })
})
