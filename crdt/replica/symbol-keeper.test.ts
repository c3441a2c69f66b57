import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeSymbols, SymbolPrefix, WINDOWS } from '../summary/index.ts'
import { Database } from './database.ts'
import { keptSymbols } from './index.ts'
import { metaKey } from './keys.ts'
import {
  itemsIn,
  memory,
  openTestReplica,
  sharedWorkers,
  type TestReplica,
  tempFolder,
  transfersOf,
} from './lab-suite.ts'

const workers = sharedWorkers()

/** Whether a replica's symbols in every window are those of its items, made anew. */
async function expectExact(replica: TestReplica): Promise<void> {
  const items = await itemsIn(replica)
  for (const window of WINDOWS) {
    const kept = await replica.symbols(window)
    const made = new SymbolPrefix(window, kept.length)
    for (const { item } of items) made.add(item)
    expect(encodeSymbols(kept.symbols(0, kept.length))).toEqual(encodeSymbols(made.symbols(0, kept.length)))
    expect(kept.size).toBe(replica.digest().items)
  }
}

async function write(replica: TestReplica, from: number, to: number): Promise<void> {
  const puts: Promise<unknown>[] = []
  for (let i = from; i < to; i++) puts.push(replica.put(`key-${i}`, i, i % 7 === 0 ? 'node' : 'mesh'))
  await Promise.all(puts)
}

describe('kept symbols', () => {
  it('are those of the items after writes, overwrites, deletes, and what came from a peer', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await expectExact(ceo)
    await write(ceo, 0, 50)
    await expectExact(ceo)
    await write(ceo, 20, 30)
    await ceo.drop(memory('key-1'))
    await ceo.putText('deploy', 'text\n')
    const sec = await openTestReplica('sec', { workers })
    await write(sec, 45, 60)
    await ceo.apply(await transfersOf(sec), 'sec')
    await expectExact(ceo)
  })

  it('hold also what is committed while they are being read', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await write(ceo, 0, 3_000)
    const reading = ceo.symbols(0)
    await write(ceo, 100, 200)
    await reading
    await expectExact(ceo)
  })

  it('are written down at the end, and brought up to date from the feed after that', async () => {
    const first = await openTestReplica('ceo', { workers })
    await write(first, 0, 100)
    await first.symbols(0)
    await first.close()

    const database = await Database.open(first.path)
    const old = await database.get(metaKey('symbols'))
    await database.close()
    expect(old).toBeDefined()

    const second = await openTestReplica('ceo', { workers, path: first.path })
    await write(second, 50, 150)
    await second.drop(memory('key-3'))
    // As after a crash: what was written down is older than the feed.
    await second.close()
    const third = await openTestReplica('ceo', { workers, path: second.path })
    await expectExact(third)
    await write(third, 0, 10)
    await expectExact(third)
  })

  it('are made from all items where the feed does not reach back to when they were written down', async () => {
    const first = await openTestReplica('ceo', { workers })
    await write(first, 0, 100)
    await first.symbols(0)
    await first.close()
    const second = await openTestReplica('ceo', { workers, path: first.path, feedKept: 10 })
    for (let round = 0; round < 5; round++) await write(second, 0, 100)
    expect(second.horizon).toBeGreaterThan(100)
    await second.close()
    await expectExact(await openTestReplica('ceo', { workers, path: first.path }))
  })

  it('are made from all items where they are missing, or too few for what has been added', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await write(ceo, 0, 10)
    expect((await ceo.symbols(0)).length).toBe(keptSymbols(9))
    await write(ceo, 10, 700)
    expect((await ceo.symbols(0)).length).toBe(keptSymbols(600))
    await expectExact(ceo)
    await ceo.close()
    const database = await Database.open(ceo.path)
    await database.write([{ key: metaKey('symbols') }])
    await database.close()
    await expectExact(await openTestReplica('ceo', { workers, path: ceo.path }))
  })

  it('are those of the new mesh after a change of mesh', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await write(ceo, 0, 20)
    await ceo.symbols(0)
    await ceo.adopt({ meshId: 'c'.repeat(32), forget: [], records: [] })
    await expectExact(ceo)
  })

  it('are those of a copy that was restored', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await write(ceo, 0, 20)
    await ceo.symbols(0)
    await ceo.close()
    const copy = join(await tempFolder(), 'db')
    await cp(ceo.path, copy, { recursive: true })
    await rm(join(copy, 'LOCK'), { force: true })
    const again = await openTestReplica('ceo', { workers, path: copy })
    await write(again, 10, 40)
    await expectExact(again)
  })
})

describe('what a peer lacks', () => {
  it('is what came since the version that it has, and the whole where it has none of those in reach', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const sec = await openTestReplica('sec', { workers })
    await ceo.put('key', 0)
    const [first] = await itemsIn(ceo)
    await sec.apply(await transfersOf(ceo), 'ceo')
    for (let i = 1; i <= 5; i++) await ceo.put('key', i)
    const isKnown = (item: Uint8Array) => Buffer.compare(item, first?.item ?? new Uint8Array()) === 0

    const news = await ceo.news(memory('key'), isKnown, 8)
    expect(news?.isPartial).toBe(true)
    expect(news?.transfer.chunks.length).toBe(5)
    expect(news?.transfer.signatures.length).toBe(5 * 100)
    const [outcome] = await sec.apply(news === undefined ? [] : [news.transfer], 'ceo')
    expect(outcome?.outcome).toBe('applied')
    expect(sec.digest()).toEqual(ceo.digest())

    expect((await ceo.news(memory('key'), isKnown, 4))?.isPartial).toBe(false)
    expect((await ceo.news(memory('key'), () => false, 8))?.isPartial).toBe(false)
    expect(await ceo.news(memory('nothing'), () => true, 8)).toBeUndefined()
  })

  it('of a merged entry is what one of its two sides lacks', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const sec = await openTestReplica('sec', { workers })
    await ceo.put('key', { a: 1 })
    await sec.put('key', { b: 1 })
    const [mine] = await itemsIn(sec)
    await ceo.apply(await transfersOf(sec), 'sec')
    const isKnown = (item: Uint8Array) => Buffer.compare(item, mine?.item ?? new Uint8Array()) === 0
    const news = await ceo.news(memory('key'), isKnown, 8)
    expect(news?.isPartial).toBe(true)
    expect(news?.transfer.chunks.length).toBe(1)
    await sec.apply(news === undefined ? [] : [news.transfer], 'ceo')
    expect(sec.digest()).toEqual(ceo.digest())
  })
})
