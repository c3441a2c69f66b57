import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import { Database } from './database.ts'
import { digestKey, feedRange, itemRange, metaKey, parseFeedKey } from './keys.ts'
import { authorsOf, digestOf, memory, openTestReplica, scopeOf, sharedWorkers } from './lab-suite.ts'
import { backupOf } from './migration.ts'
import { decodeDatabase, decodeFeed, encodeDatabase, encodeDigest, encodeFeed } from './records.ts'

const workers = sharedWorkers()
const MESH = scopeOf('mesh')

/** Makes a database what it was in format 1: without items, with other digests, and a feed that names no replaced item. */
async function outdate(path: string): Promise<void> {
  const database = await Database.open(path)
  const operations: { key: Uint8Array; value?: Uint8Array }[] = []
  for await (const [key] of database.range(itemRange())) operations.push({ key })
  for await (const [key, stored] of database.range(feedRange(0, 1_000))) {
    operations.push({ key, value: encodeFeed({ ...decodeFeed(parseFeedKey(key), stored), before: undefined }) })
  }
  const record = decodeDatabase((await database.get(metaKey('database'))) as Uint8Array)
  operations.push({ key: metaKey('database'), value: encodeDatabase({ ...record, format: 1 }) })
  operations.push({ key: metaKey('symbols') })
  operations.push({ key: digestKey(MESH), value: encodeDigest({ digest: new Uint8Array(32).fill(7), items: 3 }) })
  await database.write(operations)
  await database.close()
}

it('a database of format 1 is copied, then brought to the present format with everything in it', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  for (let i = 0; i < 600; i++) await ceo.put(`key-${i % 500}`, i)
  await ceo.put('secret', 1, 'node')
  await ceo.drop(memory('key-3'))
  const [digest, position, databaseId] = [digestOf(ceo), ceo.position, ceo.databaseId]
  await ceo.side.write([{ namespace: 'checkpoints', key: 'peer', value: new Uint8Array(1) }])
  await ceo.close()
  await outdate(ceo.path)

  const again = await openTestReplica('ceo', { workers, path: ceo.path })
  expect([digestOf(again), again.position, again.databaseId]).toEqual([digest, position, databaseId])
  expect(await again.side.list('checkpoints')).toEqual([])
  expect((await again.symbols(0)).symbols(0, 1).count[0]).toBe(500)
  await again.put('key-1', 'new')
  await again.close()
  const { faults, entries } = await audit(ceo.path, authorsOf(['ceo']))
  expect(faults).toEqual([])
  expect(entries).toBe(501)
  expect(existsSync(`${backupOf(ceo.path, 1)}/CURRENT`)).toBe(true)
})
