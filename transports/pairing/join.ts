import { MeshError } from '../../crdt/errors.ts'
import { publicKeyOf } from '../libp2p/identity.ts'
import { evaluateRoster, parseRecord, type Roster, type RosterRecord } from '../roster/index.ts'
import { Link } from '../sync/link.ts'
import { MAX_ADDRESSES, PROTOCOLS } from '../sync/wire.ts'
import type { Channel, PeerId, Transport } from '../transport.ts'
import type { Invitations } from './invitations.ts'
import type { Ticket } from './ticket.ts'

/** How long the inviting node may take to answer, in milliseconds. */
const ANSWER_MS = 20_000

/** What the inviting side needs to take somebody in. */
export interface WelcomeComponents {
  readonly roster: Roster
  readonly invitations: Invitations
  /** Takes in where a new member can be dialled. */
  readonly learn: (peer: PeerId, addresses: readonly string[]) => Promise<unknown>
}

/**
 * Serves a machine that comes with a ticket: makes it a member under the name that it gives, and uses the ticket up, in
 * one batch. A machine whose answer was lost may come again with the same ticket.
 */
export async function welcome({ roster, invitations, learn }: WelcomeComponents, channel: Channel): Promise<void> {
  const link = new Link(channel, ANSWER_MS)
  const { meshId, secret, name, addresses } = await link.expect('join')
  try {
    refuseOtherMesh(roster, meshId)
    const { again } = invitations.check(secret, link.peer)
    const key = Buffer.from(publicKeyOf(link.peer)).toString('hex')
    if (roster.member(key) === undefined) {
      if (again) refuseRemoved(roster, key)
      refuseTakenName(roster, key, name)
      const record = roster.sign({ type: 'add', member: key, name })
      await roster.add([record], [invitations.use(secret, link.peer)])
    } else {
      // Used up all the same: it is good for one machine.
      await roster.add([], [invitations.use(secret, link.peer)])
    }
    if (roster.member(key) === undefined) {
      throw new MeshError('ROSTER_INVALID', 'the roster has no room for another member', { hint: 'begin a new mesh' })
    }
    await learn(link.peer, addresses)
    await link.send({ type: 'welcome', meshId: roster.meshId, records: roster.records.map(({ bytes }) => bytes) })
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    const { code, message, field = '', hint = '' } = error
    await link.send({ type: 'refused', code, message, field, hint })
  }
}

/** Sends a guest away with an error that says why. */
export async function turnAway(channel: Channel, { code, message, field = '', hint = '' }: MeshError): Promise<void> {
  const link = new Link(channel, ANSWER_MS)
  await link.expect('join')
  await link.send({ type: 'refused', code, message, field, hint })
}

/** Before anything is done: whoever comes with a ticket for another mesh would refuse the welcome. */
function refuseOtherMesh(roster: Roster, meshId: string): void {
  if (meshId === roster.meshId) return
  throw new MeshError('TICKET_UNKNOWN', 'ticket: for a mesh that this node is not in', {
    field: 'ticket',
    hint: 'ask for a new one: `mesh invite` on the other machine',
  })
}

/** What once made it a member must not undo its removal. */
function refuseRemoved(roster: Roster, key: string): void {
  if (!roster.authors.some((author) => Buffer.from(author).toString('hex') === key)) return
  throw new MeshError('TICKET_USED', 'ticket: used already, and this machine was removed since', {
    field: 'ticket',
    hint: 'ask for a new one: `mesh invite` on the other machine',
  })
}

function refuseTakenName(roster: Roster, key: string, name: string): void {
  const holder = roster.members.find((member) => member.name === name && member.key !== key)
  if (holder === undefined) return
  throw new MeshError('NAME_TAKEN', `nodeId: the mesh has a member "${name}" already`, {
    field: 'nodeId',
    hint: 'give this machine another nodeId in its config (or MESH_NODE_ID), restart its daemon, and join again',
  })
}

export interface KnockComponents {
  readonly transport: Pick<Transport, 'self' | 'dial' | 'open'>
  /** This node's name. */
  readonly nodeId: string
  /** Where others can dial this node. */
  readonly addresses: () => readonly string[]
}

/**
 * Goes to the inviting node with a ticket. Returns the records of the mesh that now lists this node.
 * @throws {MeshError} `PEER_UNREACHABLE`, what the inviting node refuses (`TICKET_USED` …), `ROSTER_INVALID`
 */
export async function knock(
  { transport, nodeId, addresses }: KnockComponents,
  ticket: Ticket,
  signal?: AbortSignal,
): Promise<RosterRecord[]> {
  const options = signal === undefined ? {} : { signal }
  await transport.dial(ticket.peer, ticket.addresses, options)
  const link = new Link(await transport.open(ticket.peer, PROTOCOLS.join, options), ANSWER_MS)
  try {
    const { meshId: asked, secret } = ticket
    await link.send({
      type: 'join',
      meshId: asked,
      secret,
      name: nodeId,
      addresses: addresses().slice(0, MAX_ADDRESSES),
    })
    const { meshId, records } = await link.expect('welcome')
    return checkWelcome(ticket, transport.self, meshId, records.map(parseRecord))
  } finally {
    await link.close()
  }
}

// The ticket named the mesh before anybody answered: nobody can lead this node into another one.
function checkWelcome(ticket: Ticket, self: PeerId, meshId: string, records: RosterRecord[]): RosterRecord[] {
  const state = evaluateRoster(ticket.meshId, records)
  const key = Buffer.from(publicKeyOf(self)).toString('hex')
  if (meshId !== ticket.meshId || !state.members.has(key)) {
    throw new MeshError('ROSTER_INVALID', 'the inviting node sent a roster of another mesh, or one without this node')
  }
  return records
}
