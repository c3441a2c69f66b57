import { describe, expect, test } from 'vitest'
import { type EntryId, MESH_SCOPE } from '../entry/index.ts'
import { RowCache } from './row-cache.ts'
import type { VersionedRow } from './version.ts'

const idOf = (key: string): EntryId => ({ kind: 'memory', scope: MESH_SCOPE, key })
const rowOf = (json: string): VersionedRow => ({
  json,
  version: `version of ${json.slice(0, 8)}`,
  expiresAt: undefined,
})

const NOW = () => 1_000

/** A cache over rows that the test changes, and the keys that it had to look for. */
function cacheOf(rows: Record<string, string>) {
  const asked: string[] = []
  const cache = new RowCache(async ({ key }) => {
    asked.push(key)
    const json = rows[key]
    return json === undefined ? undefined : rowOf(json)
  }, NOW)
  return { cache, asked, rows }
}

test('a row is looked for once, until its entry is committed', async () => {
  const { cache, asked, rows } = cacheOf({ a: '1', b: '2' })
  for (const key of ['a', 'b', 'a', 'b']) expect(await cache.get(idOf(key))).toEqual(rowOf(rows[key] as string))
  expect(asked).toEqual(['a', 'b'])
  rows['a'] = '3'
  cache.forget([idOf('a'), idOf('never read')])
  expect(await cache.get(idOf('a'))).toEqual(rowOf('3'))
  expect(await cache.get(idOf('b'))).toEqual(rowOf('2'))
  expect(asked).toEqual(['a', 'b', 'a'])
  cache.forgetAll()
  expect(await cache.get(idOf('b'))).toEqual(rowOf('2'))
  expect(asked).toEqual(['a', 'b', 'a', 'b'])
})

test('a memory and a skill of one name are two', async () => {
  const cache = new RowCache(async ({ kind }) => rowOf(kind), NOW)
  for (const kind of ['memory', 'skill', 'memory', 'skill'] as const) {
    expect(await cache.get({ ...idOf('x'), kind })).toEqual(rowOf(kind))
  }
})

test('that there is no entry is not kept', async () => {
  const { cache, asked, rows } = cacheOf({})
  expect(await cache.get(idOf('a'))).toBeUndefined()
  rows['a'] = '1'
  expect(await cache.get(idOf('a'))).toEqual(rowOf('1'))
  expect(asked).toEqual(['a', 'a'])
})

describe('what was read while somebody committed', () => {
  test.each([
    ['the same entry', (cache: RowCache) => cache.forget([idOf('a')])],
    ['all entries, as when the database is opened again', (cache: RowCache) => cache.forgetAll()],
  ])('%s, is given but not kept', async (_what, commit) => {
    const reading = Promise.withResolvers<VersionedRow>()
    let reads = 0
    const cache = new RowCache(() => {
      reads++
      return reads === 1 ? reading.promise : Promise.resolve(rowOf('new'))
    }, NOW)
    const first = cache.get(idOf('a'))
    commit(cache)
    reading.resolve(rowOf('old'))
    expect(await first).toEqual(rowOf('old'))
    expect(await cache.get(idOf('a'))).toEqual(rowOf('new'))
    expect(await cache.get(idOf('a'))).toEqual(rowOf('new'))
    expect(reads).toBe(2)
  })
})

test('S-26: it takes no more than its bound; what was not read for longest goes first', async () => {
  const row = 'x'.repeat(1024 * 1024)
  const { cache, asked } = cacheOf({ a: row, b: row, c: row, d: row, e: row, whole: 'x'.repeat(5 * 1024 * 1024) })
  for (const key of ['a', 'b', 'c', 'd', 'a', 'e']) await cache.get(idOf(key))
  asked.length = 0
  for (const key of ['a', 'c', 'd', 'e', 'b']) await cache.get(idOf(key))
  expect(asked).toEqual(['b'])
  await cache.get(idOf('whole'))
  await cache.get(idOf('whole'))
  expect(asked).toEqual(['b', 'whole', 'whole'])
})

test('a row is given until it expires, also one that is kept', async () => {
  const clock = { now: 9 }
  let reads = 0
  const cache = new RowCache(
    async () => {
      reads++
      return { ...rowOf('1'), expiresAt: 10 }
    },
    () => clock.now,
  )
  expect(await cache.get(idOf('a'))).toMatchObject({ json: '1' })
  clock.now = 10
  expect(await cache.get(idOf('a'))).toBeUndefined()
  expect(await cache.get(idOf('b'))).toBeUndefined()
  expect(reads).toBe(2)
})
