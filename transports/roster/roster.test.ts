import { describe, expect, it } from 'vitest'
import { beginMesh, openStore, type Person, person } from '../pairing/lab-suite.ts'
import { ROSTER_NAMESPACE, Roster, type RosterRecord, signRecord } from './index.ts'

const [ceo, sec, lab] = [person('ceo'), person('sec'), person('lab')]
const now = () => 1_800_000_000_000

const open = (who: Person, meshId: string, side: { side: Parameters<typeof Roster.load>[0]['side'] }) =>
  Roster.load({ side: side.side, signer: who.signer, now }, meshId)

/** Another node's copy of a mesh. */
async function join(who: Person, roster: Roster, meshId: string) {
  const record = roster.sign({ type: 'add', member: who.key, name: who.name })
  await roster.add([record])
  const store = await openStore(who.signer, { meshId, records: roster.records })
  return open(who, meshId, store)
}

const namesOf = (roster: Roster) => roster.members.map(({ name }) => name)

describe('a node’s copy of the roster', () => {
  it('is the same after a restart', async () => {
    const { meshId, roster, store } = await beginMesh(ceo, now)
    await roster.add([roster.sign({ type: 'add', member: sec.key, name: 'sec' })])
    const again = await open(ceo, meshId, store)
    expect(again.version).toBe(roster.version)
    expect(again.members).toEqual(roster.members)
    expect(again.authors).toEqual(roster.authors)
    expect(again.isSelfMember).toBe(true)
  })

  it('tells its listeners of what is new, and of nothing else', async () => {
    const { roster } = await beginMesh(ceo, now)
    let told = 0
    const stop = roster.onChange(() => told++)
    const record = roster.sign({ type: 'add', member: sec.key, name: 'sec' })
    expect(await roster.add([record])).toBe(1)
    expect(await roster.add([record, ...roster.records])).toBe(0)
    expect(told).toBe(1)
    stop()
    await roster.add([roster.sign({ type: 'remove', member: sec.key })])
    expect(told).toBe(1)
  })

  it('writes what comes along in the same batch, also when no record is new', async () => {
    const { roster, store } = await beginMesh(ceo, now)
    const write = (key: string) => ({ namespace: 'x', key, value: new Uint8Array(1) })
    await roster.add([roster.sign({ type: 'add', member: sec.key, name: 'sec' })], [write('with')])
    await roster.add([], [write('without')])
    expect((await store.side.list('x')).map(({ key }) => key)).toEqual(['with', 'without'])
  })

  it('that is written by two calls at once holds both', async () => {
    const { meshId, roster, store } = await beginMesh(ceo, now)
    const records = [sec, lab].map(({ key, name }) => roster.sign({ type: 'add', member: key, name }))
    await Promise.all(records.map((record) => roster.add([record])))
    expect(namesOf(roster)).toEqual(['ceo', 'lab', 'sec'])
    expect((await open(ceo, meshId, store)).version).toBe(roster.version)
  })

  it('takes records whose parents come later, once they are there', async () => {
    const { meshId, roster } = await beginMesh(ceo, now)
    const other = await join(sec, roster, meshId)
    await other.add([other.sign({ type: 'add', member: lab.key, name: 'lab' })])
    await other.add([other.sign({ type: 'add', member: lab.key, name: 'lab-2' })])
    const [first, second] = other.records.filter(({ author }) => author === sec.key) as [RosterRecord, RosterRecord]
    await roster.add([second])
    expect(namesOf(roster)).toEqual(['ceo', 'sec'])
    await roster.add([first, second])
    expect(namesOf(roster)).toEqual(['ceo', 'lab-2', 'sec'])
    expect(roster.version).toBe(other.version)
  })

  it('keeps nothing of strangers and of other meshes, so that nobody can fill it', async () => {
    const { meshId, roster, store } = await beginMesh(ceo, now)
    const other = await beginMesh(lab, now)
    const parents = roster.records.map(({ hash }) => hash)
    const stranger = signRecord(lab.signer, {
      parents,
      at: 1,
      statement: { type: 'add', member: lab.key, name: 'lab' },
    })
    const orphans = Array.from({ length: 20 }, (_, i) =>
      signRecord(lab.signer, { parents: ['ab'.repeat(32)], at: i, statement: { type: 'remove', member: ceo.key } }),
    )
    expect(await roster.add([other.genesis, stranger, ...orphans])).toBe(0)
    expect(await store.side.list(ROSTER_NAMESPACE)).toHaveLength(1)
    expect((await open(ceo, meshId, store)).version).toBe(roster.version)
  })

  it('says with a code that a stored record is damaged', async () => {
    const { meshId, store, genesis } = await beginMesh(ceo, now)
    const value = genesis.bytes.map((byte, i) => (i === 20 ? byte ^ 1 : byte))
    await store.side.write([{ namespace: ROSTER_NAMESPACE, key: genesis.hash, value }])
    await expect(open(ceo, meshId, store)).rejects.toMatchObject({ code: 'ROSTER_INVALID' })
  })
})

describe('members', () => {
  it('come and go on every copy alike, whoever invited, left, removed and renamed whom', async () => {
    const { meshId, roster } = await beginMesh(ceo, now)
    const second = await join(sec, roster, meshId)
    const third = await join(lab, second, meshId)
    const all = [roster, second, third]
    const gossip = async () => {
      for (const a of all) for (const b of all) await a.add(b.records)
      for (const each of all) expect(each.version).toBe(roster.version)
    }
    await gossip()
    expect(namesOf(roster)).toEqual(['ceo', 'lab', 'sec'])

    // Left by itself, renamed by itself, added by another, all at once.
    await third.add([third.sign({ type: 'remove', member: lab.key })])
    await second.add([second.sign({ type: 'add', member: sec.key, name: 'office' })])
    const nas = person('nas')
    await roster.add([roster.sign({ type: 'add', member: nas.key, name: 'nas' })])
    await gossip()
    for (const each of all) expect(namesOf(each)).toEqual(['ceo', 'nas', 'office'])
    expect(third.isSelfMember).toBe(false)
    expect(roster.authors).toHaveLength(4)
    expect(roster.member(sec.key)).toMatchObject({ name: 'office', key: sec.key, since: now() / 1000 })
  })

  it('that was removed writes nothing that counts, though it does not know yet', async () => {
    const { meshId, roster } = await beginMesh(ceo, now)
    const removed = await join(sec, roster, meshId)
    await roster.add([roster.sign({ type: 'remove', member: sec.key })])
    await removed.add([removed.sign({ type: 'add', member: lab.key, name: 'lab' })])
    await roster.add(removed.records)
    await removed.add(roster.records)
    for (const each of [roster, removed]) expect(namesOf(each)).toEqual(['ceo'])
    expect(removed.version).toBe(roster.version)
  })

  it('whom a removed member adds at the same time can remove nobody: not even who removed its sponsor', async () => {
    const { meshId, roster } = await beginMesh(ceo, now)
    const removed = await join(sec, roster, meshId)
    await roster.add([roster.sign({ type: 'remove', member: sec.key })])
    await removed.add([removed.sign({ type: 'add', member: lab.key, name: 'puppet' })])
    const parents = removed.records.map(({ hash }) => hash)
    const revenge = signRecord(lab.signer, { parents, at: 1, statement: { type: 'remove', member: ceo.key } })
    await roster.add([...removed.records, revenge])
    expect(namesOf(roster)).toEqual(['ceo'])
  })

  it('fifty of them, each invited by the one before, are read in little time', async () => {
    const { roster } = await beginMesh(ceo, now)
    const records = [...roster.records]
    let author = ceo
    for (let i = 0; i < 49; i++) {
      const next = person(`node-${i}`)
      const parents = [(records.at(-1) as RosterRecord).hash]
      records.push(
        signRecord(author.signer, { parents, at: i, statement: { type: 'add', member: next.key, name: next.name } }),
      )
      author = next
    }
    const began = performance.now()
    await roster.add(records.toReversed())
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(roster.members).toHaveLength(50)
  })
})
