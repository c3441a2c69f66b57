import { describe, expect, it } from 'vitest'
import { collect, feedOf, openTestReplica, sharedWorkers, type TestReplica } from './lab-suite.ts'

const workers = sharedWorkers()

async function write(replica: TestReplica, commits: number, keys: number): Promise<void> {
  for (let i = 0; i < commits; i++) await replica.put(`key-${i % keys}`, i)
}

describe('a feed that has become long', () => {
  it('keeps the latest commits, all of them from its horizon on, also behind a restart', async () => {
    const ceo = await openTestReplica('ceo', { workers, feedKept: 20 })
    await write(ceo, 100, 5)
    const expected = Array.from({ length: 20 }, (_, i) => 81 + i)
    const check = async (replica: TestReplica) => {
      expect([replica.position, replica.horizon]).toEqual([100, 80])
      expect((await feedOf(replica)).map(({ seq }) => seq)).toEqual(expected)
      expect((await collect(replica.feed(replica.horizon))).length).toBe(20)
    }
    await check(ceo)
    await ceo.close()
    await check(await openTestReplica('ceo', { workers, feedKept: 20, path: ceo.path }))
  })

  it('keeps as many as there are entries, deleted ones too', async () => {
    const ceo = await openTestReplica('ceo', { workers, feedKept: 20 })
    await write(ceo, 50, 50)
    for (let i = 0; i < 10; i++) await ceo.drop({ kind: 'memory', scope: 'mesh' as never, key: `key-${i}` })
    expect([ceo.position, ceo.horizon]).toEqual([60, 10])
    await ceo.put('key-1', 'again')
    expect([ceo.position, ceo.horizon]).toEqual([61, 11])
  })

  it('of earlier times gets shorter by and by, and not in one batch', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await write(ceo, 100, 5)
    expect(ceo.horizon).toBe(0)
    await ceo.close()
    const later = await openTestReplica('ceo', { workers, feedKept: 20, path: ceo.path })
    await later.put('key-0', 1)
    expect([later.position, later.horizon]).toEqual([101, 2])
    await write(later, 100, 5)
    expect([later.position, later.horizon]).toEqual([201, 181])
  })
})
