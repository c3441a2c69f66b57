import { describe, expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import { Database } from './database.ts'
import { documentRange } from './keys.ts'
import { authorsOf, exchange, memory, openTestReplica, sharedWorkers, type TestReplica } from './lab-suite.ts'
import { decodeDocument } from './records.ts'
import { sizeOf } from './stored.ts'

const workers = sharedWorkers()
const HOT = memory('hot')

/** Sizes of the records in which a document is stored. Closes the replica. */
async function partsOf(replica: TestReplica, id = HOT): Promise<number[]> {
  await replica.close()
  const database = await Database.open(replica.path)
  const sizes: number[] = []
  for await (const [, stored] of database.range(documentRange(id))) sizes.push(sizeOf(decodeDocument(stored)))
  await database.close()
  return sizes
}

const putEach = async (replica: TestReplica, from: number, until: number) => {
  for (let n = from; n < until; n++) await replica.put('hot', { n, [`m${n % 9}`]: 'x'.repeat(40) })
}
const rowOf = async (replica: TestReplica) => (await replica.get(HOT))?.row
const soundness = async (path: string) => (await audit(path, authorsOf(['ceo', 'sec', 'lab']))).faults

describe('a document that many commits have changed', () => {
  it('lies in one record while it is small', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await putEach(ceo, 0, 12)
    const [size, ...tail] = await partsOf(ceo)
    expect(size).toBeGreaterThan(12 * 128)
    expect(tail).toEqual([])
    expect(await soundness(ceo.path)).toEqual([])
  })

  it('gets what is added behind it, and is written whole when that is as large', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await putEach(ceo, 0, 150)
    const [base = 0, ...tail] = await partsOf(ceo)
    expect(base).toBeGreaterThan(4_096)
    expect(tail.length).toBeGreaterThan(0)
    expect(tail.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(base)
    for (const size of tail) expect(size).toBeLessThan(1_000)
    expect(await soundness(ceo.path)).toEqual([])
  })

  it('is read and written on as a whole after it was opened again', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let n = 0, path: string | undefined = ceo.path; n < 120; n += 15) {
      const again: TestReplica = n === 0 ? ceo : await openTestReplica('ceo', { workers, path })
      path = again.path
      await putEach(again, n, n + 15)
      expect((await again.history(HOT)).length).toBe(n + 15)
      expect(await rowOf(again)).toMatchObject({ value: { n: n + 14 } })
      await again.close()
    }
    expect(await soundness(ceo.path)).toEqual([])
  })

  it('goes whole to a peer, and what the peer adds comes behind it', async () => {
    const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await putEach(ceo, 0, 60)
    await exchange(ceo, sec)
    for (let n = 0; n < 30; n++) {
      // Both at once, so that neither has what it merges over.
      await Promise.all([ceo.put('hot', { n, by: 'ceo' }), sec.put('hot', { n, by: 'sec' })])
      await exchange(ceo, sec)
    }
    expect(await rowOf(sec)).toEqual(await rowOf(ceo))
    expect((await ceo.get(HOT))?.heads).toEqual((await sec.get(HOT))?.heads)
    expect((await sec.history(HOT)).length).toBe(120)
    for (const replica of [ceo, sec]) {
      expect((await partsOf(replica)).length).toBeGreaterThan(1)
      expect(await soundness(replica.path)).toEqual([])
    }
  })

  it('holds what many writers said at once, in groups of any size', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let group = 1; group < 40; group += 3) {
      await Promise.all(Array.from({ length: group }, (_, i) => ceo.put('hot', { [`m${i}`]: group })))
      if (group % 4 === 0) await ceo.drop(HOT)
    }
    const { length } = await ceo.history(HOT)
    expect((await ceo.get(HOT))?.seq).toBe(length)
    expect(ceo.position).toBe(length)
    await ceo.close()
    expect(await soundness(ceo.path)).toEqual([])
  })

  it('is in one record again after a change of mesh, signed anew', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await putEach(ceo, 0, 100)
    await ceo.adopt({ meshId: 'b'.repeat(32), forget: [], records: [] })
    await putEach(ceo, 100, 101)
    expect((await ceo.history(HOT)).length).toBe(101)
    expect((await partsOf(ceo)).length).toBe(2)
    expect(await soundness(ceo.path)).toEqual([])
  })

  it('is not mixed up with one whose key goes on', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const keys = ['hot', 'hot!', 'hot\u0001', 'ho', 'hot\u0001hot']
    for (let n = 0; n < 60; n++) await Promise.all(keys.map((key) => ceo.put(key, { n, text: 'x'.repeat(100) })))
    for (const key of keys) expect((await ceo.history(memory(key))).length).toBe(60)
    await ceo.close()
    expect(await soundness(ceo.path)).toEqual([])
  })
})
