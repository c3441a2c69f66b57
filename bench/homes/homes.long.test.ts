import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openReplica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { layoutOf } from '../../daemon/home.ts'
import { openPair } from '../pair.ts'
import { openHomes, removeHomes } from './index.ts'

const ENTRIES = 20
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bench-homes-'))
  vi.stubEnv('TMPDIR', folder)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

test('two homes hold the same entries under databases of their own, and are kept for the next time', async () => {
  const first = await describeHomes()
  expect(first.ceo).toMatchObject({ items: ENTRIES, meshId: first.sec.meshId, digest: first.sec.digest })
  expect(first.sec.databaseId).not.toBe(first.ceo.databaseId)
  const again = await describeHomes()
  expect(again).toEqual(first)
  await removeHomes()
  expect((await describeHomes()).ceo.databaseId).not.toBe(first.ceo.databaseId)
}, 60_000)

test('are files of their own, which nobody else may read', async () => {
  await using parts = new AsyncDisposableStack()
  const { ceo, sec } = await openHomes(parts, ENTRIES)
  for (const home of [ceo, sec]) {
    const below = await readdir(home, { recursive: true })
    const found = await Promise.all(['', ...below].map((path) => stat(join(home, path))))
    const files = found.filter((one) => one.isFile())
    expect(files.length).toBeGreaterThan(0)
    // LevelDB writes a table that it left unfinished again, over the same file.
    expect(files.every(({ nlink }) => nlink === 1)).toBe(true)
    expect(found.every((one) => one.isFile() || (one.mode & 0o777) === 0o700)).toBe(true)
  }
}, 60_000)

test('their nodes are equal at once, and again after each has edited some', async () => {
  await using parts = new AsyncDisposableStack()
  const pair = await openPair(parts, await openHomes(parts, ENTRIES))
  expect(await pair.talk()).toMatchObject({ payload: 0, trips: 1 })
  await pair.edit(0, 3)
  expect((await pair.talk()).payload).toBeGreaterThan(0)
  await pair.edit(3, 6)
  await pair.forget()
  expect((await pair.talk()).beyond).toBeGreaterThan(0)
}, 60_000)

async function describeHomes() {
  await using parts = new AsyncDisposableStack()
  const homes = await openHomes(parts, ENTRIES)
  const described = { ceo: await describeHome(homes.ceo), sec: await describeHome(homes.sec) }
  expect(await readdir(join(folder, 'mesh-bench-homes'))).toHaveLength(1)
  return described
}

async function describeHome(home: string) {
  const signer = createSigner(Buffer.alloc(32, 7))
  const replica = await openReplica({ signer }, { path: layoutOf(home).databasePath })
  try {
    const { digest, items } = replica.digest()
    const { databaseId, meshId } = replica
    return { databaseId, meshId, digest: Buffer.from(digest).toString('hex'), items }
  } finally {
    await replica.close()
  }
}
