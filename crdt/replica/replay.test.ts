import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import type { JsonValue } from '../entry/index.ts'
import { audit } from './audit-suite.ts'
import { packOffered, type Transfer } from './index.ts'
import {
  authorsOf,
  digestOf,
  hex,
  itemsIn,
  MEMBERS,
  memory,
  openTestReplica,
  rowsOf,
  sharedWorkers,
  type TestReplica,
  transferOf,
  verdictOf,
} from './lab-suite.ts'

const workers = sharedWorkers()
const KEYS = ['a', 'b', 'c']

/** Pushes and whole entries of three members that meet now and then, in the order in which they came about. */
async function story(steps: readonly (readonly [string, number, number, JsonValue])[]): Promise<Transfer[]> {
  const members = await Promise.all(MEMBERS.map((name) => openTestReplica(name, { workers })))
  const said: Transfer[] = []
  for (const replica of members) {
    replica.onCommit((commits) => {
      for (const { id, changes, signatures } of commits) {
        said.push({ id, chunks: changes, signatures: packOffered(signatures) })
      }
    })
  }
  for (const [act, node, key, value] of steps) {
    const replica = members[node] as TestReplica
    const name = KEYS[key] as string
    if (act === 'put') await replica.put(name, value)
    else if (act === 'text') await replica.putText(name, `${JSON.stringify(value)}\nend\n`)
    else if (act === 'drop') await replica.drop(memory(name))
    else await replica.apply(said.slice(), 'peer')
  }
  for (const replica of members) {
    for (const { id } of await itemsIn(replica)) said.push(await transferOf(replica, id))
    await replica.close()
  }
  return said
}

const values = fc.constantFrom<JsonValue>(1, 'x', { a: 1 }, { a: { b: 2 } }, { c: [] })
const acts = fc.constantFrom('put', 'put', 'text', 'drop', 'meet')
const steps = fc.array(fc.tuple(acts, fc.nat(2), fc.nat(2), values), { minLength: 3, maxLength: 14 })

/** A way to receive: an order, with some twice, in batches of some size. */
const ways = fc.record({
  order: fc.array(fc.nat(), { minLength: 30, maxLength: 60 }),
  batch: fc.integer({ min: 1, max: 9 }),
})

async function receive(said: readonly Transfer[], { order, batch }: { order: number[]; batch: number }) {
  const replica = await openTestReplica('lab', { workers })
  const stream = [...order.map((n) => said[n % said.length] as Transfer), ...said.toReversed(), ...said]
  for (let i = 0; i < stream.length; i += batch) {
    const outcomes = await replica.apply(stream.slice(i, i + batch), 'peer')
    const odd = outcomes
      .map(verdictOf)
      .filter((one) => !['applied', 'known', 'incomplete CHANGE_INCOMPLETE'].includes(`${one}`))
    expect(odd).toEqual([])
  }
  return replica
}

it('S-09: whatever is doubled, reordered and replayed makes the same heads, rows and digests everywhere', async () => {
  const property = fc.asyncProperty(steps, fc.array(ways, { minLength: 2, maxLength: 3 }), async (all, some) => {
    const said = await story(all)
    if (said.length === 0) return
    const seen = []
    for (const way of some) {
      const replica = await receive(said, way)
      const heads = (await itemsIn(replica)).map(({ id, item }) => `${id.kind} ${id.key} ${hex(item)}`)
      const { position } = replica
      expect(new Set((await replica.apply(said, 'peer')).map(verdictOf))).toEqual(new Set(['known']))
      expect(replica.position).toBe(position)
      const rows = [await rowsOf(replica, 'memory'), await rowsOf(replica, 'skill')]
      seen.push({ digest: digestOf(replica), heads, rows, counts: replica.counts() })
      await replica.close()
      expect((await audit(replica.path, authorsOf(MEMBERS))).faults).toEqual([])
    }
    for (const one of seen) expect(one).toEqual(seen[0])
  })
  await fc.assert(property, { numRuns: LONG ? 200 : 8 })
})
