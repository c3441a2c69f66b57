import { MeshError } from '../../crdt/errors.ts'
import type { Adoption, Replica } from '../../crdt/replica/index.ts'
import type { Signer } from '../../crdt/signing.ts'
import type { Clock } from '../clock.ts'
import { publicKeyOf } from '../libp2p/index.ts'
import type { Invitation, JoinReport, LongWorkOptions } from '../mesh.ts'
import { knock } from '../pairing/join.ts'
import { encodeTicket, parseTicket, type Ticket } from '../pairing/ticket.ts'
import { newMesh, rosterWrite } from '../roster/index.ts'
import type { PeerId, Transport } from '../transport.ts'
import { addressWrite } from './address-book.ts'
import { MESH_NAMESPACES, type Membership } from './membership.ts'

export interface PairingComponents {
  readonly replica: Replica
  readonly transport: Transport
  readonly signer: Signer
  readonly clock: Clock
  /** This node's name. */
  readonly nodeId: string
  /** The membership of now; another one after {@link reload}. */
  readonly membership: () => Membership
  /** Reads the membership anew, after the replica has changed its mesh. */
  readonly reload: () => Promise<void>
  /** Where others can dial this node. */
  readonly addresses: () => string[]
  /** Called when a change of mesh has ended, well or not. */
  readonly onSettled: () => void
}

/** What changes who is in the mesh: inviting, joining, leaving, removing. Described where `Mesh` declares it. */
export class Pairing {
  readonly #components: PairingComponents
  #switching = false

  constructor(components: PairingComponents) {
    this.#components = components
  }

  /** Whether this node is just changing its mesh: nothing is exchanged meanwhile. */
  get isSwitching(): boolean {
    return this.#switching
  }

  async invite({ ttlSeconds }: { ttlSeconds: number }): Promise<Invitation> {
    this.#refuseWhileSwitching()
    const addresses = this.#components.addresses()
    if (addresses.length === 0) {
      const hint = 'set p2p.host to an address of this machine, or p2p.announce to one that leads to it'
      throw new MeshError('INVITE_NO_ADDRESS', 'this node listens at no address that another machine could dial', {
        hint,
      })
    }
    this.refuseUnlessMember()
    const expiresAt = Math.floor(this.#components.clock.now() / 1000) + ttlSeconds
    const secret = await this.#membership.invitations.open(expiresAt)
    const ticket = encodeTicket({
      meshId: this.#components.replica.meshId,
      peer: this.#components.transport.self,
      addresses,
      secret,
      expiresAt,
    })
    return { ticket, expiresAt, addresses }
  }

  async join(text: string, { signal, onProgress }: LongWorkOptions = {}): Promise<JoinReport> {
    const ticket = parseTicket(text)
    this.#checkJoin(ticket)
    return this.#switch(async () => {
      onProgress?.({ phase: 'asking', peer: ticket.peer, done: 0, total: 1 })
      const records = await knock(this.#components, ticket, signal)
      // In the batch that makes the switch: after a crash in between, somebody must know whom to dial.
      const inviter = addressWrite(ticket.peer, { own: ticket.addresses, heard: [] })
      // Back in the mesh that removed it: what its entries are signed for is the same.
      const isReturn = ticket.meshId === this.#components.replica.meshId
      const vouched = isReturn
        ? 0
        : await this.#adopt(ticket.meshId, [...records.map(rosterWrite), inviter], onProgress)
      if (isReturn) await this.#membership.roster.add(records, [inviter])
      return { meshId: ticket.meshId, members: this.#membership.roster.members.map(({ name }) => name), vouched }
    })
  }

  async leave({ onProgress }: LongWorkOptions = {}): Promise<{ meshId: string; told: number }> {
    const { roster, others } = this.#membership
    if (roster.isSelfMember && others.length === 0) {
      throw new MeshError('NOT_IN_A_MESH', 'this node is alone in its mesh already')
    }
    return this.#switch(async () => {
      let told = 0
      if (roster.isSelfMember) {
        const farewell = roster.sign({ type: 'remove', member: roster.self })
        told = await this.#membership.tellRoster(this.#components.transport.connected(), [farewell])
      }
      const { clock, signer } = this.#components
      const { meshId, genesis } = newMesh(signer, { name: this.#components.nodeId, at: Math.floor(clock.now() / 1000) })
      await this.#adopt(meshId, [rosterWrite(genesis)], onProgress)
      return { meshId, told }
    })
  }

  async removePeer(text: string): Promise<{ nodeId: string; peerId: PeerId }> {
    this.#refuseWhileSwitching()
    this.refuseUnlessMember()
    const peerId = this.#find(text)
    const nodeId = this.#membership.nameOf(peerId)
    const { roster } = this.#membership
    const record = roster.sign({ type: 'remove', member: keyOf(peerId) })
    // It is told itself, where it can be: once it is no member any more, nothing reaches it.
    await this.#membership.tellRoster(
      this.#components.transport.connected().filter((peer) => peer === peerId),
      [record],
    )
    await roster.add([record])
    if (roster.member(keyOf(peerId)) !== undefined) {
      throw new MeshError('ROSTER_INVALID', `the roster has no room for the removal of ${nodeId}`)
    }
    return { nodeId, peerId }
  }

  #checkJoin(ticket: Ticket): void {
    this.#refuseWhileSwitching()
    if (ticket.peer === this.#components.transport.self) {
      throw new MeshError('TICKET_OWN', 'ticket: it is from this very node; use it on the other machine', {
        field: 'ticket',
      })
    }
    const isSelfMember = this.#membership.roster.isSelfMember
    if (ticket.meshId === this.#components.replica.meshId && isSelfMember) {
      throw new MeshError('ALREADY_MEMBER', 'this node is a member of that mesh already', { field: 'ticket' })
    }
    if (ticket.expiresAt * 1000 <= this.#components.clock.now()) {
      const at = new Date(ticket.expiresAt * 1000).toISOString()
      throw new MeshError('TICKET_EXPIRED', `ticket: expired at ${at} by this machine's clock`, {
        field: 'ticket',
        hint: 'ask for a new one: `mesh invite` on the other machine',
      })
    }
    if (ticket.meshId !== this.#components.replica.meshId && (!isSelfMember || this.#membership.others.length > 0)) {
      throw new MeshError('HAS_PEERS', 'this node is in another mesh; `mesh leave` that one first')
    }
  }

  #refuseWhileSwitching(): void {
    if (this.#switching)
      throw new MeshError('MESH_BUSY', 'this node is just joining or leaving a mesh; try again in a moment')
  }

  /** @throws {MeshError} `NOT_IN_A_MESH` when this node was removed from its mesh */
  refuseUnlessMember(): void {
    if (this.#membership.roster.isSelfMember) return
    throw new MeshError('NOT_IN_A_MESH', 'this node was removed from its mesh', {
      hint: '`mesh leave` makes it a mesh of its own; or join again with a new ticket',
    })
  }

  /** Runs what changes the mesh of this node, with nothing else going on meanwhile. */
  async #switch<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseWhileSwitching()
    this.#switching = true
    try {
      return await work()
    } finally {
      this.#switching = false
      this.#components.onSettled()
    }
  }

  async #adopt(
    meshId: string,
    records: Adoption['records'],
    onProgress: LongWorkOptions['onProgress'],
  ): Promise<number> {
    await this.#membership.close()
    try {
      const adoption = { meshId, forget: MESH_NAMESPACES, records }
      return await this.#components.replica.adopt(adoption, (done, total) =>
        onProgress?.({ phase: 'vouching', done, total }),
      )
    } finally {
      // Also when it failed: the replica says which mesh it is in now.
      await this.#components.reload()
      this.#components.transport.recheck()
    }
  }

  #find(text: string): PeerId {
    const found = this.#membership.others.filter((peer) => peer === text || this.#membership.nameOf(peer) === text)
    const [peer] = found
    if (text === this.#components.transport.self || (peer === undefined && text === this.#components.nodeId)) {
      throw new MeshError('PEER_IS_SELF', 'peer: that is this node itself; use `mesh leave`', { field: 'peer' })
    }
    if (peer === undefined) {
      throw new MeshError('PEER_UNKNOWN', `peer: no member is called ${JSON.stringify(text)}`, {
        field: 'peer',
        hint: '`mesh peers` lists the members',
      })
    }
    if (found.length > 1) {
      throw new MeshError('PEER_AMBIGUOUS', `peer: ${found.length} members are called "${text}"; give the peer id`, {
        field: 'peer',
      })
    }
    return peer
  }

  get #membership(): Membership {
    return this.#components.membership()
  }
}

const keyOf = (peer: PeerId) => Buffer.from(publicKeyOf(peer)).toString('hex')
