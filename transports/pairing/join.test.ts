import { describe, expect, it } from 'vitest'
import { type Roster, signRecord } from '../roster/index.ts'
import { Link } from '../sync/link.ts'
import type { Channel, PeerId } from '../transport.ts'
import { Invitations } from './invitations.ts'
import { knock, welcome } from './join.ts'
import { beginMesh, channelPair, type Person, person } from './lab-suite.ts'
import type { Ticket } from './ticket.ts'

const [ceo, sec, lab] = [person('ceo'), person('sec'), person('lab')]
const NOW = 1_800_000_000
const ADDRESSES = ['/ip4/192.0.2.9/tcp/4079']

/** The inviting side: a mesh of `ceo`, and what it learnt of where others are. */
async function openDoor() {
  const clock = { now: NOW }
  const { meshId, roster, store } = await beginMesh(ceo, () => clock.now * 1000)
  const invitations = await Invitations.load(store.side, () => clock.now)
  const learnt = new Map<PeerId, readonly string[]>()
  const learn = async (peer: PeerId, addresses: readonly string[]) => void learnt.set(peer, addresses)
  const invite = async (): Promise<Ticket> => {
    const secret = await invitations.open(clock.now + 60)
    return { meshId, peer: ceo.peer, addresses: ADDRESSES, secret, expiresAt: clock.now + 60 }
  }
  return { meshId, roster, store, invitations, learnt, learn, invite, clock }
}

type Door = Awaited<ReturnType<typeof openDoor>>

/** Somebody comes to the door with a ticket, over a channel in memory. */
async function come(door: Door, who: Person, ticket: Ticket, name = who.name) {
  const [there, here] = channelPair(who.peer, ceo.peer)
  const served = serve(door, here)
  const transport = { self: who.peer, dial: async () => {}, open: async (): Promise<Channel> => there }
  try {
    return await knock({ transport, nodeId: name, addresses: () => ADDRESSES }, ticket)
  } finally {
    await served
  }
}

async function serve(door: Door, channel: Channel): Promise<void> {
  await welcome(door, channel)
  await channel.close()
}

const namesOf = (roster: Roster) => roster.members.map(({ name }) => name)

describe('joining with a ticket', () => {
  it('makes both sides hold the same roster, and tells where the new member is', async () => {
    const door = await openDoor()
    const records = await come(door, sec, await door.invite())
    expect(namesOf(door.roster)).toEqual(['ceo', 'sec'])
    expect(records.map(({ hash }) => hash).sort()).toEqual(door.roster.records.map(({ hash }) => hash).sort())
    expect(door.learnt.get(sec.peer)).toEqual(ADDRESSES)
  })

  it('works once for another machine, and again for the same: its answer may have been lost', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    await come(door, sec, ticket)
    const { version } = door.roster
    await come(door, sec, ticket)
    expect(door.roster.version).toBe(version)
    await expect(come(door, lab, ticket)).rejects.toMatchObject({ code: 'TICKET_USED', field: 'ticket' })
    expect(namesOf(door.roster)).toEqual(['ceo', 'sec'])
  })

  it('of two machines with one ticket at one moment takes one', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const outcomes = await Promise.allSettled([come(door, sec, ticket), come(door, lab, ticket)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(door.roster.members).toHaveLength(2)
  })

  it('with a lost answer leaves a member, who is told so when it comes again', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const [there, here] = channelPair(sec.peer, ceo.peer)
    const link = new Link(there)
    await link.send({ type: 'join', meshId: ticket.meshId, secret: ticket.secret, name: 'sec', addresses: [] })
    here.send = async () => {
      throw new Error('lost')
    }
    await expect(welcome(door, here)).rejects.toThrow('lost')
    expect(namesOf(door.roster)).toEqual(['ceo', 'sec'])
    expect(await come(door, sec, ticket)).toHaveLength(2)
  })

  it('is refused with a ticket that is unknown, expired, or for another mesh, and leaves no trace', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const { version } = door.roster
    const unknown = { ...ticket, secret: new Uint8Array(16) }
    await expect(come(door, sec, unknown)).rejects.toMatchObject({ code: 'TICKET_UNKNOWN' })
    await expect(come(door, sec, { ...ticket, meshId: 'f'.repeat(32) })).rejects.toMatchObject({
      code: 'TICKET_UNKNOWN',
    })
    door.clock.now += 61
    await expect(come(door, sec, ticket)).rejects.toMatchObject({ code: 'TICKET_EXPIRED' })
    expect(door.roster.version).toBe(version)
    expect(door.learnt.size).toBe(0)
  })

  it('under a name that a member has, or that is none, is refused, and the ticket stays good', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    await expect(come(door, sec, ticket, 'ceo')).rejects.toMatchObject({ code: 'NAME_TAKEN', field: 'nodeId' })
    await expect(come(door, sec, ticket, '')).rejects.toMatchObject({ code: 'ROSTER_INVALID' })
    await expect(come(door, sec, ticket, 'a\u001b[2Jb')).rejects.toMatchObject({ code: 'ROSTER_INVALID' })
    expect(door.roster.members).toHaveLength(1)
    await come(door, lab, ticket)
    expect(namesOf(door.roster)).toEqual(['ceo', 'lab'])
  })

  it('does not undo a removal: the ticket that once was used is worth nothing then, and a new one is needed', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    await come(door, sec, ticket)
    await door.roster.add([door.roster.sign({ type: 'remove', member: sec.key })])
    await expect(come(door, sec, ticket)).rejects.toMatchObject({ code: 'TICKET_USED' })
    expect(namesOf(door.roster)).toEqual(['ceo'])
    await come(door, sec, await door.invite())
    expect(namesOf(door.roster)).toEqual(['ceo', 'sec'])
  })

  it('is the same after the inviting daemon was restarted: the use of a ticket is durable with the member', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    await come(door, sec, ticket)
    const invitations = await Invitations.load(door.store.side, () => door.clock.now)
    await expect(come({ ...door, invitations }, lab, ticket)).rejects.toMatchObject({ code: 'TICKET_USED' })
  })

  it('many machines with a ticket each, at one moment, are all members in the end', async () => {
    const door = await openDoor()
    const people = Array.from({ length: 12 }, (_, i) => person(`node-${i}`))
    const tickets = await Promise.all(people.map(() => door.invite()))
    await Promise.all(people.map((who, i) => come(door, who, tickets[i] as Ticket)))
    expect(namesOf(door.roster)).toEqual(['ceo', ...people.map(({ name }) => name)].sort())
  })
})

describe('whoever comes with a ticket', () => {
  /** An inviting side that answers what it likes. */
  async function answered(ticket: Ticket, answer: Parameters<Link['send']>[0]) {
    const [there, here] = channelPair(sec.peer, ceo.peer)
    const link = new Link(here)
    const served = link.expect('join').then(() => link.send(answer))
    const transport = { self: sec.peer, dial: async () => {}, open: async (): Promise<Channel> => there }
    const joined = knock({ transport, nodeId: 'sec', addresses: () => [] }, ticket)
    await Promise.allSettled([served, joined])
    return joined
  }

  it('is not led into another mesh, nor into one that does not list it', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const other = await beginMesh(lab)
    const foreign = other.roster.sign({ type: 'add', member: sec.key, name: 'sec' })
    const records = [other.genesis, foreign].map(({ bytes }) => bytes)
    const invalid = { code: 'ROSTER_INVALID' }
    await expect(answered(ticket, { type: 'welcome', meshId: other.meshId, records })).rejects.toMatchObject(invalid)
    await expect(answered(ticket, { type: 'welcome', meshId: door.meshId, records })).rejects.toMatchObject(invalid)
    const without = door.roster.records.map(({ bytes }) => bytes)
    await expect(answered(ticket, { type: 'welcome', meshId: door.meshId, records: without })).rejects.toMatchObject(
      invalid,
    )
  })

  it('takes no member’s word that was not entitled to give it', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const parents = [door.roster.records[0]?.hash as string]
    const forged = signRecord(lab.signer, {
      parents,
      at: NOW,
      statement: { type: 'add', member: sec.key, name: 'sec' },
    })
    const records = [...door.roster.records, forged].map(({ bytes }) => bytes)
    await expect(answered(ticket, { type: 'welcome', meshId: door.meshId, records })).rejects.toMatchObject({
      code: 'ROSTER_INVALID',
    })
    await expect(
      answered(ticket, { type: 'welcome', meshId: door.meshId, records: [new Uint8Array(9)] }),
    ).rejects.toMatchObject({ code: 'ROSTER_INVALID' })
  })

  it('hears in the inviting node’s words why it is refused', async () => {
    const door = await openDoor()
    const ticket = await door.invite()
    const refused = { type: 'refused', code: 'NAME_TAKEN', message: 'taken', field: 'nodeId', hint: 'another' } as const
    await expect(answered(ticket, refused)).rejects.toMatchObject({ code: 'NAME_TAKEN', message: 'taken' })
  })
})
