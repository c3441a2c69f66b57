import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Scope } from '../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { type DatabaseWatch, watchDatabase } from './database-watch.ts'

let home: string
let path: string
let store: Replica
let watch: DatabaseWatch
let lines: { checkId?: string }[]

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mesh-gone-'))
  path = join(home, 'db')
  await createReplica(path, { meshId: 'a'.repeat(32), records: [] })
  store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path })
  lines = []
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  watch = await watchDatabase({ store, log }, path)
})
afterEach(async () => {
  watch.stop()
  await store.close()
  await rm(home, { recursive: true, force: true })
})

const put = (key: string) => store.putMemory({ scope: 'mesh' as Scope, key, value: 1, nodeId: 'ceo' })

test('nothing is said of a database that is where it was', async () => {
  await put('a')
  expect(await watch.findings()).toEqual([])
  expect(lines).toEqual([])
})

test('the folder of the database removed: the next write notices (S-34)', async () => {
  await rm(home, { recursive: true })
  await put('a')
  await expect.poll(() => lines.map(({ checkId }) => checkId)).toEqual(['database.gone'])
  expect(await watch.findings()).toEqual([
    expect.objectContaining({ checkId: 'database.gone', severity: 'error', path }),
  ])
})

test('another folder in its place is noticed too, and the end of it', async () => {
  await rename(path, `${path}.moved`)
  await cp(`${path}.moved`, path, { recursive: true })
  expect(await watch.findings()).toHaveLength(1)
  await rm(path, { recursive: true })
  await rename(`${path}.moved`, path)
  expect(await watch.findings()).toEqual([])
})
