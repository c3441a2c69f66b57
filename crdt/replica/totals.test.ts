import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import type { JsonValue } from '../entry/index.ts'
import { audit } from './audit-suite.ts'
import {
  authorsOf,
  digestOf,
  exchange,
  feedOf,
  MEMBERS,
  memory,
  openTestReplica,
  rowsOf,
  scopeOf,
  sharedWorkers,
  skill,
  type TestReplica,
} from './lab-suite.ts'

const workers = sharedWorkers()

type Step = readonly [act: 'put' | 'text' | 'drop' | 'dropText' | 'import' | 'exchange', node: number, ...number[]]

const KEYS = ['a', 'b', 'c/d']
const SCOPES = ['mesh', 'node', 'user:ann', 'federation']
const VALUES: readonly JsonValue[] = [1, null, 'text', [1, 2], { a: 1 }, { a: 2, b: { c: 3 } }, { b: { d: [] } }, {}]
const TEXTS = ['one\n', 'one\ntwo\n', 'two\nthree\n', '']

const acts = fc.constantFrom('put', 'put', 'put', 'text', 'drop', 'dropText', 'import', 'exchange')
const steps = fc.array(fc.tuple(acts, fc.nat(1), fc.nat(2), fc.nat(3), fc.nat(7)), { minLength: 5, maxLength: 25 })

async function run(replicas: readonly TestReplica[], [act, node, key = 0, scope = 0, value = 0]: Step): Promise<void> {
  const replica = replicas[node] as TestReplica
  const where = SCOPES[scope] as string
  const name = KEYS[key] as string
  const id = memory(name, where)
  const title = `skill-${key}`
  switch (act) {
    case 'put':
      await replica.put(name, VALUES[value] as JsonValue, where)
      return
    case 'text':
      await replica.putText(title, TEXTS[value % 4] as string, where)
      return
    case 'drop':
      await replica.drop(id)
      return
    case 'dropText':
      await replica.drop(skill(title, where))
      return
    case 'import':
      await replica.importMemory({ scope: scopeOf(where), key: name, value, nodeId: 'older' }, undefined)
      return
    case 'exchange':
      await exchange(replicas[0] as TestReplica, replicas[1] as TestReplica)
  }
}

/** What a reader sees. */
async function seen(replica: TestReplica) {
  return {
    rows: [await rowsOf(replica, 'memory'), await rowsOf(replica, 'skill')],
    feed: await feedOf(replica),
    position: replica.position,
    counts: replica.counts(),
    digest: digestOf(replica),
    items: replica.digest().items,
    scopes: SCOPES.map((scope) => replica.digest([scopeOf(scope)])),
  }
}

it('after any operations every sum is what a full recomputation gives, and all survives closing', async () => {
  const property = fc.asyncProperty(steps, async (all) => {
    const replicas = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    // Some at once, so that groups of commits come about.
    for (let i = 0; i < all.length; i += 3) {
      await Promise.all(all.slice(i, i + 3).map((step) => run(replicas, step as Step)))
    }
    await exchange(replicas[0] as TestReplica, replicas[1] as TestReplica)
    expect(digestOf(replicas[0] as TestReplica)).toBe(digestOf(replicas[1] as TestReplica))
    for (const replica of replicas) {
      const before = await seen(replica)
      expect(before.feed.map(({ seq }) => seq)).toEqual(before.feed.map((_, i) => i + 1))
      await replica.close()
      const { faults, digest } = await audit(replica.path, authorsOf(MEMBERS))
      expect(faults).toEqual([])
      expect(digest).toBe(before.digest)
      const again = await openTestReplica(replica.name, { workers, path: replica.path })
      expect(await seen(again)).toEqual(before)
      await again.close()
    }
  })
  await fc.assert(property, { numRuns: LONG ? 300 : 15 })
})
