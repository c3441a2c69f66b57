import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import type { JsonValue, Row } from '../entry/index.ts'
import {
  digestOf,
  exchange,
  memory,
  openTestReplica,
  rowsOf,
  scopeOf,
  sharedWorkers,
  type TestReplica,
} from './lab-suite.ts'

const workers = sharedWorkers()
const NOW = 1_800_000_000_000
const TEN_YEARS = 10 * 365 * 86_400_000

/** A replica whose clock a test sets. */
async function openWithClock(name: string, ms: number) {
  const clock = { ms }
  const replica = await openTestReplica(name, { workers, now: () => clock.ms })
  return Object.assign(replica, { clock })
}

const rowOf = async (replica: TestReplica, key = 'plan') =>
  (await replica.get(memory(key)))?.row as { value: JsonValue; updated_at: number; node_id: string } | undefined

describe('S-08: clocks', () => {
  it.each([
    ['ahead', TEN_YEARS],
    ['back', -TEN_YEARS],
  ])('ten years %s win nothing and lose nothing: what comes after an edit stands above it', async (_, skew) => {
    const ceo = await openWithClock('ceo', NOW)
    const sec = await openWithClock('sec', NOW + skew)
    await ceo.put('plan', { a: 1 })
    await exchange(ceo, sec)
    await sec.put('plan', { a: 2 })
    await exchange(ceo, sec)
    await ceo.put('plan', { a: 3 })
    await exchange(ceo, sec)
    for (const replica of [ceo, sec]) {
      expect(await rowOf(replica)).toMatchObject({ value: { a: 3 }, node_id: 'ceo' })
      expect((await replica.get(memory('plan')))?.conflicts).toBe(0)
      expect((await replica.history(memory('plan'))).map(({ nodeId }) => nodeId)).toEqual(['ceo', 'sec', 'ceo'])
    }
  })

  it('that differ merge to the same as clocks that do not, whoever is ahead', async () => {
    const values = async (skew: number) => {
      const ceo = await openWithClock('ceo', NOW)
      const sec = await openWithClock('sec', NOW + skew)
      await Promise.all([ceo.put('plan', { a: 1, b: 1 }), sec.put('plan', { a: 1, c: 1 })])
      await exchange(ceo, sec)
      await Promise.all([ceo.drop(memory('plan')), sec.put('plan', { a: 1, b: 1, c: 2 })])
      await exchange(ceo, sec)
      expect(digestOf(ceo)).toBe(digestOf(sec))
      return (await rowOf(ceo))?.value
    }
    const same = await values(0)
    expect(same).toEqual({ a: 1, b: 1, c: 2 })
    expect(await values(TEN_YEARS)).toEqual(same)
    expect(await values(-TEN_YEARS)).toEqual(same)
  })

  it('before 1970, or none at all, make a time of zero and no error', async () => {
    for (const ms of [-TEN_YEARS * 100, Number.NaN]) {
      const ceo = await openWithClock('ceo', ms)
      expect((await ceo.put('plan', 1)).row.updated_at).toBe(0)
      expect(await ceo.importMemory({ scope: scopeOf('mesh'), key: 'x', value: 1, nodeId: 'a' }, undefined)).toBe(
        'taken',
      )
    }
  })

  it('an import is judged by the time it bears; one from the future counts as now', async () => {
    const ceo = await openWithClock('ceo', NOW)
    const take = (value: number, at: number) =>
      ceo.importMemory({ scope: scopeOf('mesh'), key: 'plan', value, nodeId: 'older' }, at)
    const now = NOW / 1000
    expect(await take(1, now - 100)).toBe('taken')
    expect(await take(2, now - 100)).toBe('older')
    expect(await take(1, now - 50)).toBe('equal')
    expect(await take(3, now + 301)).toBe('taken')
    expect(await rowOf(ceo)).toMatchObject({ value: 3, updated_at: now })
    expect(await take(4, now + 300)).toBe('taken')
    expect(await rowOf(ceo)).toMatchObject({ value: 4, updated_at: now + 300 })
    expect(await take(5, now)).toBe('older')
    expect(await take(5, Number.NaN)).not.toBe('equal')
    expect(Number.isSafeInteger((await rowOf(ceo))?.updated_at)).toBe(true)
  })
})

it('S-08: updated_at of an entry never goes backwards on any side, whatever clocks do', async () => {
  const act = fc.constantFrom('put', 'put', 'drop', 'import', 'exchange')
  const jump = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -TEN_YEARS, max: TEN_YEARS }),
    fc.integer({ min: -5_000, max: 5_000 }),
  )
  const steps = fc.array(fc.tuple(act, fc.nat(1), fc.nat(2), jump), { minLength: 4, maxLength: 20 })
  const property = fc.asyncProperty(steps, async (all) => {
    const replicas = [await openWithClock('ceo', NOW), await openWithClock('sec', NOW)] as const
    const latest = replicas.map(() => new Map<string, number>())
    for (const [what, node, key, skew] of all) {
      const replica = replicas[node as 0 | 1]
      replica.clock.ms += skew
      const name = `key-${key}`
      if (what === 'put') await replica.put(name, { [replica.name]: skew })
      else if (what === 'drop') await replica.drop(memory(name))
      else if (what === 'exchange') await exchange(...replicas)
      else {
        const put = { scope: scopeOf('mesh'), key: name, value: skew, nodeId: 'older' }
        await replica.importMemory(put, Math.floor(replica.clock.ms / 1000))
      }
      for (const [i, each] of replicas.entries()) await expectForwards(each, latest[i] as Map<string, number>)
    }
    await exchange(...replicas)
    expect(await rowsOf(replicas[0], 'memory')).toEqual(await rowsOf(replicas[1], 'memory'))
    for (const replica of replicas) await replica.close()
  })
  await fc.assert(property, { numRuns: LONG ? 300 : 15 })
})

async function expectForwards(replica: TestReplica, latest: Map<string, number>): Promise<void> {
  for (const row of (await rowsOf(replica, 'memory')) as (Row & { key: string })[]) {
    expect(row.updated_at).toBeGreaterThanOrEqual(latest.get(row.key) ?? 0)
    latest.set(row.key, row.updated_at)
  }
}
