import { describe, expect, it } from 'vitest'
import type { VersionMismatch } from './index.ts'
import { exchange, memory, openTestReplica, sharedWorkers } from './lab-suite.ts'

const workers = sharedWorkers()

describe('a write that expects a version', () => {
  it('is made where that is the version, and tells the one that it made', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const id = memory('plan')
    const first = await ceo.putMemory({ ...id, value: 1, nodeId: 'ceo', expect: { noneMatch: '*' } })
    expect((await ceo.rowJson(id))?.version).toBe(first.version)
    const second = await ceo.putMemory({ ...id, value: 2, nodeId: 'ceo', expect: { match: ['x', first.version] } })
    expect(second.version).not.toBe(first.version)
    await ceo.putMemory({ ...id, value: 3, nodeId: 'ceo', expect: { match: '*', noneMatch: [first.version] } })
    const { version = '' } = (await ceo.rowJson(id)) ?? {}
    expect(await ceo.remove(id, 'ceo', { match: [version] })).toBe(true)
  })

  it.each([
    ['another version', { match: ['0'.repeat(32)] }],
    ['no entry', { noneMatch: '*' }],
    ['any but this version', { noneMatch: 'this' }],
    ['none of an empty list', { match: [] }],
  ] as const)('is refused where it expects %s: nothing is written, and what is there is told', async (_, expected) => {
    const ceo = await openTestReplica('ceo', { workers })
    const { version, row } = await ceo.put('plan', 1)
    const expect_ = 'noneMatch' in expected && expected.noneMatch === 'this' ? { noneMatch: [version] } : expected
    const writes = [
      () => ceo.putMemory({ ...memory('plan'), value: 2, nodeId: 'ceo', expect: expect_ as never }),
      () => ceo.remove(memory('plan'), 'ceo', expect_ as never),
      () => ceo.resolve(memory('plan'), undefined, 'ceo', expect_ as never),
    ]
    for (const write of writes) {
      const error = (await write().catch((reason: unknown) => reason)) as VersionMismatch
      expect(error).toMatchObject({ code: 'VERSION_MISMATCH', field: 'version' })
      expect(error.current).toMatchObject({ json: JSON.stringify(row), version })
    }
    expect(ceo.position).toBe(1)
  })

  it('never meets an entry that is deleted or was never there', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('gone', 1)
    await ceo.drop(memory('gone'))
    for (const key of ['gone', 'never']) {
      await expect(
        ceo.putMemory({ ...memory(key), value: 2, nodeId: 'ceo', expect: { match: '*' } }),
      ).rejects.toMatchObject({ code: 'VERSION_MISMATCH', current: undefined })
    }
  })

  it('S-09: of many at once over one version exactly one is made', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    let { version } = await ceo.put('count', 0)
    for (let round = 1; round <= 10; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          ceo.putMemory({ ...memory('count'), value: n, nodeId: 'ceo', expect: { match: [version] } }),
        ),
      )
      const made = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      expect(made).toHaveLength(1)
      version = made[0]?.version ?? ''
      // What the others were told was durable by then.
      for (const one of outcomes) if (one.status === 'rejected') expect(one.reason.current.version).toBe(version)
    }
    expect(ceo.position).toBe(11)
  })

  it('is made again on the same entry right after one that was refused', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    await expect(
      ceo.putMemory({ ...memory('plan'), value: 2, nodeId: 'ceo', expect: { match: [] } }),
    ).rejects.toMatchObject({ code: 'VERSION_MISMATCH' })
    const { row } = await ceo.put('plan', 3)
    expect(row.value).toBe(3)
  })
})

it('a version has one name on every node, also where it has several heads', async () => {
  const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
  await Promise.all([ceo.put('plan', { a: 1 }), sec.put('plan', { b: 2 })])
  await exchange(ceo, sec)
  await exchange(ceo, sec)
  const [a, b] = await Promise.all([ceo.rowJson(memory('plan')), sec.rowJson(memory('plan'))])
  expect((await ceo.get(memory('plan')))?.heads).toHaveLength(2)
  expect(a).toEqual(b)
})
