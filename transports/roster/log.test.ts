import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSigner, type Signer } from '../../crdt/signing.ts'
import { evaluateRoster, meshIdOf, parseRecord, type RosterRecord, signRecord } from './index.ts'
import type { RosterState } from './log.ts'
import type { RosterStatement } from './record.ts'

const people = ['ceo', 'sec', 'lab', 'nas', 'mini'].map((name) => {
  const signer = createSigner(createHash('sha256').update(name).digest())
  return { name, signer, key: keyOf(signer) }
})
const [ceo, sec, lab, nas] = people as [Person, Person, Person, Person]
type Person = (typeof people)[number]

const genesis = sign(ceo, [], { type: 'genesis', name: 'ceo', nonce: 'n' })
const meshId = meshIdOf(genesis)

function keyOf({ publicKey }: Signer): string {
  return Buffer.from(publicKey).toString('hex')
}

function sign(author: Person, parents: readonly string[], statement: RosterStatement): RosterRecord {
  return signRecord(author.signer, { parents, at: 1_700_000_000, statement })
}

/** What somebody says who knows just these records. */
function say(author: Person, knows: readonly RosterRecord[], statement: RosterStatement): RosterRecord {
  const subject = statement.type === 'genesis' ? author.key : statement.member
  return sign(author, read(knows).parentsFor(author.key, subject), statement)
}

const add = (who: Person, name = who.name): RosterStatement => ({ type: 'add', member: who.key, name })
const remove = (who: Person): RosterStatement => ({ type: 'remove', member: who.key })
const read = (records: readonly RosterRecord[]) => evaluateRoster(meshId, records)
const names = (records: readonly RosterRecord[]) => [...read(records).members.values()].map(({ name }) => name).sort()

/** A mesh of these, each added by the one before. */
function chain(...members: readonly Person[]): RosterRecord[] {
  const records = [genesis]
  for (const [i, member] of members.entries()) records.push(say(members[i - 1] ?? ceo, records, add(member)))
  return records
}

describe('the roster', () => {
  it('begins with its founder, and lists whom members add', () => {
    expect(names([genesis])).toEqual(['ceo'])
    expect(names(chain(sec, lab))).toEqual(['ceo', 'lab', 'sec'])
  })

  it('ends a membership, and takes the same machine in again', () => {
    const records = chain(sec)
    records.push(say(ceo, records, remove(sec)))
    expect(names(records)).toEqual(['ceo'])
    records.push(say(ceo, records, add(sec, 'sec-2')))
    expect(names(records)).toEqual(['ceo', 'sec-2'])
  })

  it('knows a member by another name once it has said so itself', () => {
    const records = chain(sec)
    records.push(say(sec, records, add(sec, 'office')))
    expect(names(records)).toEqual(['ceo', 'office'])
  })

  it('drops what is by strangers, about strangers, of another mesh, without its parents, or a repetition', () => {
    const records = chain(sec)
    const other = sign(sec, [], { type: 'genesis', name: 'sec', nonce: 'x' })
    const strangers = [say(lab, records, add(nas)), sign(ceo, [genesis.hash], remove(lab)), other]
    const orphan = sign(sec, ['00'.repeat(32)], add(lab))
    const repetition = sign(ceo, [(records.at(-1) as RosterRecord).hash], add(sec))
    expect(read([...records, ...strangers, orphan, repetition]).kept).toHaveLength(records.length)
  })

  it('lets a removal beat what its target does at the same time, but keeps what the invited had signed', () => {
    const records = chain(sec)
    const both = [...records, say(ceo, records, remove(sec)), say(sec, records, add(lab))]
    expect(names(both)).toEqual(['ceo'])
    expect(read(both).everMembers).toContain(lab.key)
  })

  it('of two who remove each other keeps the one who was there first, however old the other pretends to be', () => {
    const records = chain(sec, lab)
    const removal = say(ceo, records, remove(lab))
    const backdated = [genesis, ...records.slice(1)].map((record) => sign(lab, [record.hash], remove(ceo)))
    expect(names([...records, removal, ...backdated])).toEqual(['ceo', 'sec'])
    expect(names([...records, removal, say(lab, records, remove(sec))])).toEqual(['ceo', 'sec'])
  })

  it('refuses records that were tampered with', () => {
    const { bytes } = genesis
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] as number) ^ 1
      expect(() => parseRecord(changed), `byte ${at}`).toThrow(expect.objectContaining({ code: 'ROSTER_INVALID' }))
    }
    expect(() => parseRecord(new Uint8Array(5_000))).toThrow(expect.objectContaining({ code: 'ROSTER_INVALID' }))
  })

  it('names few parents, and first those that entitle a record, whoever makes many heads', () => {
    const records = chain(sec, lab)
    const flood = Array.from({ length: 60 }, (_, i) =>
      sign(lab, [(records[2] as RosterRecord).hash], add(nas, `n${i}`)),
    )
    const all = [...records, ...flood]
    const removal = say(sec, all, remove(lab))
    expect(removal.parents.length).toBeLessThanOrEqual(32)
    const { members } = read([...all, removal])
    expect([ceo, sec, lab].map(({ key }) => members.has(key))).toEqual([true, true, false])
  })

  it('is read in little time, also when a member has filled it', () => {
    const records = chain(sec)
    const last = (records.at(-1) as RosterRecord).hash
    for (let i = 0; i < 1_000; i++) records.push(sign(sec, [last], i % 2 === 0 ? add(lab, `n${i}`) : remove(ceo)))
    const began = performance.now()
    read(records)
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe('of any history, with every mix of concurrent records', () => {
  const steps = fc.array(
    fc.record({
      author: fc.nat(people.length - 1),
      subject: fc.nat(people.length - 1),
      removes: fc.boolean(),
      /** How many of the latest records the author has not heard of. */
      behind: fc.nat(4),
    }),
    { maxLength: 14 },
  )

  function history(chosen: readonly { author: number; subject: number; removes: boolean; behind: number }[]) {
    const records = chain(sec, lab)
    for (const { author, subject, removes, behind } of chosen) {
      const knows = records.slice(0, Math.max(1, records.length - behind))
      const who = people[author] as Person
      const whom = people[subject] as Person
      if (read(knows).members.has(who.key)) records.push(say(who, knows, removes ? remove(whom) : add(whom)))
    }
    return records
  }

  const summary = ({ members, everMembers, version }: RosterState) =>
    JSON.stringify([[...members].sort(), [...everMembers].sort(), version])

  it('says the same in whatever order and however often the records come', () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (chosen, order) => {
        const records = history(chosen)
        const numbers = order[Symbol.iterator]()
        const shuffled = [...records, ...records]
          .map((record) => [numbers.next().value as number, record] as const)
          .sort(([a], [b]) => a - b)
          .map(([, record]) => record)
        expect(summary(read(shuffled))).toBe(summary(read(records)))
      }),
      { numRuns: 200 },
    )
  })

  it('every member that is left can add, rename and remove', () => {
    fc.assert(
      fc.property(steps, (chosen) => {
        const records = history(chosen)
        const newcomer = createSigner(createHash('sha256').update('newcomer').digest())
        for (const key of read(records).members.keys()) {
          const who = people.find((one) => one.key === key) as Person
          const joined = [...records, say(who, records, { type: 'add', member: keyOf(newcomer), name: 'new' })]
          expect(read(joined).members.has(keyOf(newcomer))).toBe(true)
          expect(read([...records, say(who, records, add(who, 'renamed'))]).members.get(key)?.name).toBe('renamed')
          for (const other of read(records).members.keys()) {
            const left = read([...records, say(who, records, { type: 'remove', member: other })])
            expect(left.members.has(other)).toBe(false)
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})
