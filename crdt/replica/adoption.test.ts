import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { audit } from './audit-suite.ts'
import { startVictim } from './child-suite.ts'
import { forge, leaf } from './forge-suite.ts'
import {
  authorsOf,
  digestOf,
  exchange,
  MESH,
  memory,
  openTestReplica,
  scopeOf,
  sharedWorkers,
  type TestReplica,
  transferOf,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()
const OTHER = 'b'.repeat(32)
const adoption = (meshId = OTHER) => ({
  meshId,
  forget: ['roster', 'peers'],
  records: [{ namespace: 'roster', key: meshId, value: Buffer.from('new') }],
})

/** A replica with entries of every kind: its own, a deleted one, some of another member, and in conflict. */
async function replicaWithEntries(more = 0): Promise<TestReplica> {
  const ceo = await openTestReplica('ceo', { workers })
  const sec = await openTestReplica('sec', { workers })
  await Promise.all([ceo.put('both', { a: 1 }), sec.put('both', { a: 2 }), sec.put('theirs', 1), ceo.put('gone', 1)])
  await Promise.all([ceo.putText('deploy', 'text'), ceo.put('own', 1, 'node'), ceo.drop(memory('gone'))])
  await exchange(ceo, sec)
  await Promise.all(Array.from({ length: more }, (_, i) => ceo.put(`key-${i}`, { [`m${i}`]: i })))
  await ceo.side.write([
    { namespace: 'roster', key: 'old', value: Buffer.from('1') },
    { namespace: 'peers', key: 'sec', value: Buffer.from('1') },
    { namespace: 'kept', key: 'x', value: Buffer.from('1') },
  ])
  return ceo
}

async function sideOf(replica: TestReplica): Promise<string[]> {
  const all = await Promise.all(['roster', 'peers', 'kept', ''].map((name) => replica.side.list(name)))
  return all.flat().map(({ key }) => key)
}

describe('a change of mesh', () => {
  it('signs everything anew, switches ids and sums, and leaves nothing of the old mesh', async () => {
    const ceo = await replicaWithEntries()
    const before = { counts: ceo.counts(), position: ceo.position, digest: digestOf(ceo), id: ceo.databaseId }
    const progress: (readonly [number, number])[] = []
    expect(await ceo.adopt(adoption(), (done, total) => progress.push([done, total]))).toBe(5)
    expect(progress.at(-1)).toEqual([5, 5])
    expect(ceo.meshId).toBe(OTHER)
    expect({ counts: ceo.counts(), position: ceo.position, id: ceo.databaseId }).toMatchObject({
      counts: before.counts,
      position: before.position,
      id: before.id,
    })
    expect(digestOf(ceo)).not.toBe(before.digest)
    expect(await sideOf(ceo)).toEqual([OTHER, 'x'])
    await ceo.close()
    // By this node's own word alone: it vouches for what others wrote.
    const { faults, meshId, digest } = await audit(ceo.path, authorsOf(['ceo']))
    expect({ faults, meshId, digest }).toEqual({ faults: [], meshId: OTHER, digest: digestOf(ceo) })
  })

  it('brings all that is shared to a member of the new mesh, its history too, and is taken on from there', async () => {
    const ceo = await replicaWithEntries()
    await ceo.adopt(adoption())
    const lab = await openTestReplica('lab', { workers })
    await lab.put('both', { a: 3, c: 1 })
    await lab.adopt(adoption())
    await exchange(ceo, lab)
    expect(digestOf(lab)).toBe(digestOf(ceo))
    expect((await lab.history(memory('both'))).map(({ nodeId }) => nodeId).sort()).toEqual(['ceo', 'lab', 'sec'])
    await lab.put('both', { a: 4 })
    expect(await verdicts(ceo, [await transferOf(lab, memory('both'))])).toEqual(['applied'])
    expect(await ceo.get(memory('both'))).toMatchObject({ row: { value: { a: 4 } }, conflicts: 0 })
  })

  it('makes what was signed for the old mesh worth nothing', async () => {
    const ceo = await replicaWithEntries()
    const old = await transferOf(ceo, memory('theirs'))
    await ceo.adopt(adoption())
    const lab = await openTestReplica('lab', { workers })
    await lab.adopt(adoption())
    expect(await verdicts(lab, [old])).toEqual(['refused CHANGE_UNSIGNED'])
    expect(await verdicts(lab, [await transferOf(ceo, memory('theirs'))])).toEqual(['applied'])
    expect(await verdicts(ceo, [forge(memory('x'), leaf('/x'), { mesh: MESH })])).toEqual(['refused CHANGE_UNSIGNED'])
    expect(await verdicts(ceo, [forge(memory('x'), leaf('/x'), { mesh: OTHER })])).toEqual(['applied'])
  })

  it('of an empty replica, and back to a mesh that it was in before, is done as well', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    expect(await ceo.adopt(adoption())).toBe(0)
    await ceo.put('plan', 1)
    const digest = digestOf(ceo)
    expect(await ceo.adopt(adoption(MESH))).toBe(1)
    expect(await ceo.adopt(adoption(OTHER))).toBe(1)
    expect(digestOf(ceo)).toBe(digest)
  })
})

describe('while a mesh is changed', () => {
  it('writes wait, and land signed for the new one; two changes of mesh come one after the other', async () => {
    const ceo = await replicaWithEntries(300)
    const first = ceo.adopt(adoption())
    const writes = [
      ceo.put('new', 1),
      ceo.put('both', { a: 5 }),
      ceo.putText('new', 'text'),
      ceo.drop(memory('theirs')),
    ]
    const imported = ceo.importMemory({ scope: scopeOf('mesh'), key: 'old', value: 1, nodeId: 'older' }, 1)
    let switched = false
    void first.then(() => {
      switched = true
    })
    const before = Promise.race(writes).then(() => switched)
    const second = ceo.adopt(adoption('c'.repeat(32)))
    expect(await before).toBe(true)
    await Promise.all([first, second, imported, ...writes])
    expect(ceo.meshId).toBe('c'.repeat(32))
    await ceo.close()
    const { faults, rows } = await audit(ceo.path, authorsOf(['ceo']))
    expect(faults).toEqual([])
    expect(rows.get('memory mesh both')).toMatchObject({ value: { a: 5 } })
    expect([...rows.keys()]).toEqual(expect.arrayContaining(['memory mesh new', 'skill mesh new', 'memory mesh old']))
    expect(rows.has('memory mesh theirs')).toBe(false)
  })

  it('what is read shows all, and what peers sent for the old mesh is refused', async () => {
    const ceo = await replicaWithEntries(300)
    const transfers = [forge(memory('late'), leaf('/x')), forge(memory('both'), leaf('/late'))]
    const apply = verdicts(ceo, transfers)
    const adopted = ceo.adopt(adoption())
    expect((await ceo.get(memory('both')))?.row).toBeDefined()
    expect(await ceo.history(memory('both'))).toHaveLength(2)
    const outcomes = await apply
    await adopted
    // Either they came before, whole, or they are refused: signed for the old mesh they never stand in the new one.
    expect(outcomes.every((outcome) => outcome === 'applied' || outcome === 'refused CHANGE_UNSIGNED')).toBe(true)
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(['ceo']))).faults).toEqual([])
  })

  it('closing ends it, and the next opening completes it', async () => {
    const ceo = await replicaWithEntries(900)
    const rows = ceo.counts()
    let closing: Promise<void> | undefined
    const adopted = ceo.adopt(adoption(), () => {
      closing ??= ceo.close()
    })
    await expect(adopted).rejects.toMatchObject({ code: 'REPLICA_CLOSED' })
    await closing
    const again = await openTestReplica('ceo', { workers, path: ceo.path })
    expect(again.meshId).toBe(OTHER)
    expect(again.counts()).toEqual(rows)
    expect(await sideOf(again)).toEqual([OTHER, 'x'])
    await again.close()
    expect((await audit(ceo.path, authorsOf(['ceo']))).faults).toEqual([])
  }, 40_000)
})

const KILLS = LONG ? 60 : 3
const ENTRIES = 900

it('a change of mesh that is killed again and again is completed, and nothing is lost', {
  timeout: 1_800_000,
}, async () => {
  const ceo = await replicaWithEntries(ENTRIES)
  const counts = ceo.counts()
  await ceo.close()
  const meshIds = [OTHER, 'c'.repeat(32)]
  let interrupted = 0
  for (let i = 0; i < KILLS; i++) {
    const meshId = meshIds[i % 2] as string
    const victim = startVictim(ceo.path, 'adopt', meshId)
    // While it opens, which may be completing the last one; or after some batches; or behind the last one.
    const lines = randomInt(Math.ceil(ENTRIES / 256) + 3)
    await victim.said(1 + lines)
    if (lines === 0) await setTimeout(randomInt(300))
    await victim.kill()
    if (!victim.lines.includes('adopted')) interrupted++
  }
  const again = await openTestReplica('ceo', { workers, path: ceo.path })
  expect(again.counts()).toEqual(counts)
  expect(meshIds).toContain(again.meshId)
  expect(await sideOf(again)).toEqual([again.meshId, 'x'])
  await again.close()
  const { faults, meshId, entries } = await audit(ceo.path, authorsOf(['ceo']))
  expect({ faults, meshId, entries }).toEqual({ faults: [], meshId: again.meshId, entries: ENTRIES + 5 })
  expect(interrupted).toBeGreaterThan(0)
})
