import { decodeChange } from '@automerge/automerge'
import { describe, expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import { type Commit, packOffered } from './index.ts'
import {
  authorsOf,
  collect,
  digestOf,
  feedOf,
  MEMBERS,
  memory,
  openTestReplica,
  sharedWorkers,
  transferInChanges,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()

describe('a write', () => {
  it('is seen by nobody before it is durable, then by everybody at once', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    const order: string[] = []
    ceo.onCommit((commits) => order.push(`told ${commits.map(({ seq }) => seq)} at ${ceo.position}`))
    const put = ceo.put('plan', 2).then(({ seq }) => order.push(`acknowledged ${seq}`))
    expect(ceo.position).toBe(1)
    expect((await ceo.get(memory('plan')))?.row).toMatchObject({ value: 1 })
    await put
    expect((await ceo.get(memory('plan')))?.row).toMatchObject({ value: 2 })
    expect(order).toEqual(['told 2 at 2', 'acknowledged 2'])
  })

  it('is in no history, transfer or item before it is durable', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    let written = false
    const put = ceo.put('plan', 1).finally(() => {
      written = true
    })
    for (let looks = 0; looks === 0 || !written; looks++) {
      const [history, transfer, items] = await Promise.all([
        ceo.history(memory('plan')),
        ceo.transfer(memory('plan')),
        collect(ceo.items()),
      ])
      if (ceo.position === 0) expect([history, transfer, items]).toEqual([[], undefined, []])
      await new Promise(setImmediate)
    }
    await put
    expect(await ceo.history(memory('plan'))).toHaveLength(1)
  })

  it('that is refused spoils none of those written with it', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const results = await Promise.allSettled([
      ceo.put('a', 1),
      ceo.put('b', Number.NaN),
      ceo.put('a', 2),
      ceo.put('c', 3),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect(ceo.position).toBe(3)
  })
})

describe('commits of one moment', () => {
  it('go in groups that are neither single nor without bound', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const groups: number[] = []
    ceo.onCommit((commits) => groups.push(commits.length))
    await Promise.all(Array.from({ length: 400 }, (_, i) => ceo.put(`key-${i}`, i)))
    expect(groups.reduce((sum, size) => sum + size)).toBe(400)
    expect(Math.max(...groups)).toBeLessThanOrEqual(128)
    expect(groups.length).toBeLessThan(40)
  })

  it('are told of in order, without gaps, each with the changes that a peer needs', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const sec = await openTestReplica('sec', { workers })
    const told: Commit[] = []
    ceo.onCommit((commits) => told.push(...commits))
    await Promise.all(Array.from({ length: 60 }, (_, i) => ceo.put(`key-${i % 7}`, i)))
    expect(told.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
    expect((await feedOf(ceo)).map(({ seq, id }) => ({ seq, id }))).toEqual(told.map(({ seq, id }) => ({ seq, id })))
    for (const { id, changes, signatures } of told) {
      await verdicts(sec, [{ id, chunks: changes, signatures: packOffered(signatures) }])
    }
    expect(digestOf(sec)).toBe(digestOf(ceo))
  })

  it('of one key all stand in its history, one author sequence without gaps', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await Promise.all(Array.from({ length: 40 }, (_, i) => ceo.put('plan', i)))
    expect(await ceo.history(memory('plan'))).toHaveLength(40)
    const { chunks } = await transferInChanges(ceo, memory('plan'))
    const authored = chunks.map((change) => decodeChange(change)).filter(({ deps }) => deps.length > 0)
    expect(new Set(authored.map(({ actor }) => actor)).size).toBe(1)
    expect(authored.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(MEMBERS))).faults).toEqual([])
  })

  it('are told to nobody who has stopped listening', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    let heard = 0
    const stop = ceo.onCommit(() => heard++)
    await ceo.put('a', 1)
    stop()
    await ceo.put('a', 2)
    expect(heard).toBe(1)
  })

  it('far more than are kept open are all written whole', { timeout: 30_000 }, async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await Promise.all(Array.from({ length: 1_200 }, (_, i) => ceo.put(`key-${i % 600}`, { [`at-${i}`]: i })))
    await ceo.close()
    const { faults, entries } = await audit(ceo.path, authorsOf(MEMBERS))
    expect({ faults, entries }).toEqual({ faults: [], entries: 600 })
  })
})

it('an actor is used by one opening of a replica only', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  await ceo.put('plan', 1)
  await ceo.close()
  const again = await openTestReplica('ceo', { workers, path: ceo.path })
  await again.put('plan', 2)
  const { chunks } = await transferInChanges(again, memory('plan'))
  expect(new Set(chunks.map((change) => decodeChange(change).actor)).size).toBe(3) // the first change has its own
})
