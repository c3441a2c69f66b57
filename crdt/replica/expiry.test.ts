import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it, test, vi } from 'vitest'
import { audit } from './audit-suite.ts'
import type { Commit, Replica } from './index.ts'
import {
  authorsOf,
  collect,
  digestOf,
  exchange,
  feedOf,
  memory,
  openTestReplica,
  rowsOf,
  sharedWorkers,
  skill,
  type TestReplica,
} from './lab-suite.ts'
import { expiryOfJson } from './records.ts'

const workers = sharedWorkers()
const START = 1_000_000

/** A clock that the test sets, in Unix seconds. */
function clockAt(seconds: number) {
  const clock = { seconds, now: () => clock.seconds * 1000 }
  return clock
}

const putUntil = (replica: TestReplica, key: string, expiresAt: number | undefined, value: string | number = key) =>
  replica.putMemory({ ...memory(key), value, nodeId: replica.name, expiresAt })

const keysOf = async (replica: Replica) => (await collect(replica.list('memory'))).map(({ id }) => id.key)

describe('an entry that expires', () => {
  it('is read until its time, and by nobody after it', async () => {
    const clock = clockAt(START)
    const ceo = await openTestReplica('ceo', { workers, now: clock.now })
    await putUntil(ceo, 'short', START + 10)
    await ceo.putSkill({ ...skill('deploy'), name: 'deploy', content: 'x', nodeId: 'ceo', expiresAt: START + 10 })
    await ceo.put('stays', 1)
    expect((await ceo.get(memory('short')))?.row).toMatchObject({ expires_at: START + 10 })
    clock.seconds = START + 9
    expect(await keysOf(ceo)).toEqual(['short', 'stays'])
    clock.seconds = START + 10
    expect(await ceo.get(memory('short'))).toMatchObject({ row: undefined, isExpired: true })
    expect(await ceo.rowJson(memory('short'))).toBeUndefined()
    expect(await keysOf(ceo)).toEqual(['stays'])
    expect(await rowsOf(ceo, 'skill')).toEqual([])
    expect(await ceo.drop(memory('short'))).toBe(false)
    expect(await ceo.resolve(memory('short'), undefined, 'ceo')).toBeUndefined()
    await expect(
      ceo.putMemory({ ...memory('short'), value: 2, nodeId: 'ceo', expect: { match: '*' } }),
    ).rejects.toMatchObject({ code: 'VERSION_MISMATCH', current: undefined })
    expect((await ceo.history(memory('short'))).map(({ row }) => row)).toMatchObject([{ value: 'short' }])
  })

  it('is there again when somebody puts it, for as long as that says', async () => {
    const clock = clockAt(START)
    const ceo = await openTestReplica('ceo', { workers, now: clock.now })
    await putUntil(ceo, 'plan', START + 10)
    clock.seconds = START + 20
    await putUntil(ceo, 'plan', START + 30)
    expect(await keysOf(ceo)).toEqual(['plan'])
    await putUntil(ceo, 'plan', undefined)
    clock.seconds = START + 1_000
    expect(await keysOf(ceo)).toEqual(['plan'])
  })

  it('is said in the feed and counted as expired, without a change that would travel', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const lapsed = Promise.withResolvers<Commit>()
    ceo.onCommit((commits) => {
      for (const commit of commits) if (commit.changes.length === 0) lapsed.resolve(commit)
    })
    const now = Math.floor(Date.now() / 1000)
    await putUntil(ceo, 'later', now + 1_000)
    await putUntil(ceo, 'soon', now + 2)
    const before = digestOf(ceo)
    expect(await lapsed.promise).toMatchObject({ seq: 3, id: memory('soon'), signatures: [], via: undefined })
    expect((await feedOf(ceo)).map(({ id }) => id.key)).toEqual(['later', 'soon', 'soon'])
    expect(ceo.counts()).toEqual({ memory: 1, skills: 0, deleted: 0, expired: 1, conflicts: 0 })
    expect(digestOf(ceo)).toBe(before)
    await ceo.put('soon', 2)
    expect(ceo.counts()).toMatchObject({ memory: 2, expired: 0 })
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(['ceo']))).faults).toEqual([])
  })

  it('is counted out at the next start, where it expired while nothing ran', async () => {
    const clock = clockAt(START)
    const first = await openTestReplica('ceo', { workers, now: clock.now })
    for (let n = 0; n < 300; n++) await putUntil(first, `key-${n}`, START + 10 + (n % 3))
    await first.put('stays', 1)
    await first.close()
    clock.seconds = START + 100
    const again = await openTestReplica('ceo', { workers, now: clock.now, path: first.path })
    await vi.waitFor(() => expect(again.counts()).toMatchObject({ memory: 1, expired: 300 }))
    expect(again.position).toBe(601)
    await again.close()
    expect((await audit(first.path, authorsOf(['ceo']))).faults).toEqual([])
  })

  it('that comes from another when it is over is never shown, nor counted as live', async () => {
    const clock = clockAt(START)
    const ceo = await openTestReplica('ceo', { workers, now: clock.now })
    await putUntil(ceo, 'plan', START + 10)
    const sec = await openTestReplica('sec', { workers, now: () => (START + 50) * 1000 })
    await exchange(ceo, sec)
    expect(sec.counts()).toEqual({ memory: 0, skills: 0, deleted: 0, expired: 1, conflicts: 0 })
    expect(await keysOf(sec)).toEqual([])
    expect(digestOf(sec)).toBe(digestOf(ceo))
    await sec.close()
    expect((await audit(sec.path, authorsOf(['ceo', 'sec']))).faults).toEqual([])
  })

  it('where nodes have different clocks, both come to the same, and no delete travels', async () => {
    const clocks = [clockAt(START), clockAt(START + 50)] as const
    const [ceo, sec] = [
      await openTestReplica('ceo', { workers, now: clocks[0].now }),
      await openTestReplica('sec', { workers, now: clocks[1].now }),
    ]
    await putUntil(ceo, 'plan', START + 10)
    await exchange(ceo, sec)
    expect([await keysOf(ceo), await keysOf(sec)]).toEqual([['plan'], []])
    clocks[0].seconds = START + 10
    expect(await keysOf(ceo)).toEqual([])
    await exchange(ceo, sec)
    expect((await ceo.history(memory('plan'))).map(({ action }) => action)).toEqual(['put'])
  })
})

test.each([0, -1, 1.5, Number.NaN, START, 253_402_300_800, '2000000', null])(
  'a time like %s is refused',
  async (time) => {
    const ceo = await openTestReplica('ceo', { workers, now: () => START * 1000 })
    await expect(putUntil(ceo, 'plan', time as number)).rejects.toMatchObject({
      code: 'EXPIRY_INVALID',
      field: 'expires_at',
    })
    expect(ceo.position).toBe(0)
  },
)

test('a clock that gives no number hides nothing, and does not keep the replica busy', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  await putUntil(ceo, 'plan', Math.floor(Date.now() / 1000) + 1_000)
  await ceo.close()
  const now = vi.fn(() => Number.NaN)
  const again = await openTestReplica('ceo', { workers, now, path: ceo.path })
  expect(await keysOf(again)).toEqual(['plan'])
  const calls = now.mock.calls.length
  await wait(100)
  expect(now.mock.calls.length - calls).toBeLessThan(10)
})

test('what is inside a value is never taken for the time at which its row expires', () => {
  const row = { scope: 'mesh', key: 'k', value: { expires_at: 5 } as unknown, node_id: 'ceo', updated_at: 1 }
  expect(expiryOfJson(JSON.stringify(row))).toBeUndefined()
  expect(expiryOfJson(JSON.stringify({ ...row, expires_at: 77 }))).toBe(77)
  expect(expiryOfJson(JSON.stringify({ name: 'n', scope: ',"expires_at":5}' }))).toBeUndefined()
})
