import { MeshError } from '../../crdt/errors.ts'
import type { Commit } from '../../crdt/replica/index.ts'
import { publicKeyOf } from '../libp2p/index.ts'
import type {
  Finding,
  Invitation,
  JoinReport,
  LongWorkOptions,
  PeerStatus,
  PeerSyncReport,
  SyncReport,
} from '../mesh.ts'
import { knock, welcome } from '../pairing/join.ts'
import { encodeTicket, parseTicket, type Ticket } from '../pairing/ticket.ts'
import { newMesh, type RosterRecord, rosterWrite } from '../roster/index.ts'
import type { Channel, PeerEvent, PeerId, Transport } from '../transport.ts'
import { newBoot } from './hello.ts'
import type { MeshComponents, MeshInit, MeshService, Redialling } from './index.ts'
import { Link } from './link.ts'
import { MESH_NAMESPACES, Membership, type MembershipInit } from './membership.ts'
import { describe, type Peer } from './peer.ts'
import { PROTOCOLS } from './wire.ts'

/** Quiet time after the last commit before connected peers are asked whether they are equal now. Milliseconds. */
const QUIET_MS = 1_000

/** {@link MeshService}: see `index.ts`. */
export class MeshNode implements MeshService {
  readonly #components: MeshComponents
  readonly #init: MeshInit
  readonly #boot = newBoot()
  readonly #transport: Transport
  readonly #dialler: Redialling
  #membership!: Membership
  #cancelQuiet: (() => void) | undefined
  #cancelRepair: (() => void) | undefined
  #stopListening: (() => void)[] = []
  #switching = false

  private constructor(components: MeshComponents, init: MeshInit) {
    this.#components = components
    this.#init = init
    this.#transport = components.transport({
      isMember: (peer) => this.#membership.isMember(peer),
      admitsGuests: () => this.#membership.invitations.isOpen,
    })
    this.#dialler = components.dialler(this.#transport, () => this.#targets())
    this.#serve()
  }

  static async load(components: MeshComponents, init: MeshInit): Promise<MeshNode> {
    const node = new MeshNode(components, init)
    await node.#loadMembership()
    return node
  }

  get meshId(): string {
    return this.#components.replica.meshId
  }

  get nodeId(): string {
    return this.#init.nodeId
  }

  get peerId(): PeerId {
    return this.#transport.self
  }

  peers(): PeerStatus[] {
    return this.#membership.status().map((status) => {
      const unreachable = status.connected ? undefined : this.#dialler.lastError(status.peerId)
      return { ...status, error: status.error ?? unreachable?.message ?? null }
    })
  }

  findings(): Finding[] {
    return this.#membership.findings()
  }

  addresses(): string[] {
    return dialable(this.#transport.addresses())
  }

  async start(): Promise<void> {
    const { replica, log } = this.#components
    this.#stopListening.push(
      replica.onCommit((commits) => this.#onCommits(commits)),
      this.#transport.onPeer((event) => {
        this.#onPeer(event).catch((err: unknown) => log.debug({ peerId: event.peer, err }, 'a connection ended early'))
      }),
    )
    await this.#transport.start()
    this.#dialler.start()
    this.#repairLater()
  }

  async stop(): Promise<void> {
    this.#cancelRepair?.()
    this.#cancelQuiet?.()
    await this.#dialler.stop()
    for (const stop of this.#stopListening.splice(0)) stop()
    await this.#membership.close()
    await this.#transport.stop()
  }

  async invite({ ttlSeconds }: { ttlSeconds: number }): Promise<Invitation> {
    this.#refuseWhileSwitching()
    const addresses = this.addresses()
    if (addresses.length === 0) {
      const hint = 'set p2p.host to an address of this machine, or p2p.announce to one that leads to it'
      throw new MeshError('INVITE_NO_ADDRESS', 'this node listens at no address that another machine could dial', {
        hint,
      })
    }
    this.#refuseUnlessMember()
    const expiresAt = Math.floor(this.#components.clock.now() / 1000) + ttlSeconds
    const secret = await this.#membership.invitations.open(expiresAt)
    const ticket = encodeTicket({ meshId: this.meshId, peer: this.peerId, addresses, secret, expiresAt })
    return { ticket, expiresAt, addresses }
  }

  async join(text: string, { signal, onProgress }: LongWorkOptions = {}): Promise<JoinReport> {
    const ticket = parseTicket(text)
    this.#checkJoin(ticket)
    return this.#switch(async () => {
      onProgress?.({ phase: 'asking', peer: ticket.peer, done: 0, total: 1 })
      const records = await knock({ transport: this.#transport }, ticket, this.nodeId, signal)
      // Back in the mesh that removed it: what its entries are signed for is the same.
      const isReturn = ticket.meshId === this.meshId
      const vouched = isReturn ? 0 : await this.#adopt(ticket.meshId, records, onProgress)
      if (isReturn) await this.#membership.roster.add(records)
      await this.#membership.book.learn(ticket.peer, ticket.addresses)
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
        told = await this.#membership.tellRoster(this.#transport.connected(), [farewell])
      }
      const { clock, signer } = this.#components
      const { meshId, genesis } = newMesh(signer, { name: this.nodeId, at: Math.floor(clock.now() / 1000) })
      await this.#adopt(meshId, [genesis], onProgress)
      return { meshId, told }
    })
  }

  async removePeer(text: string): Promise<{ nodeId: string; peerId: PeerId }> {
    this.#refuseWhileSwitching()
    this.#refuseUnlessMember()
    const peerId = this.#find(text)
    const nodeId = this.#membership.nameOf(peerId)
    const { roster } = this.#membership
    const record = roster.sign({ type: 'remove', member: Buffer.from(publicKeyOf(peerId)).toString('hex') })
    // It is told itself, where it can be: once it is no member any more, nothing reaches it.
    await this.#membership.tellRoster(
      this.#transport.connected().filter((peer) => peer === peerId),
      [record],
    )
    await roster.add([record])
    return { nodeId, peerId }
  }

  async sync(options: LongWorkOptions = {}): Promise<SyncReport> {
    this.#refuseUnlessMember()
    const first = await Promise.all(this.#membership.others.map((peer) => this.#syncWith(peer, options)))
    // Those that were reached may have told where the others are.
    const peers = await Promise.all(
      first.map((report) =>
        report.error?.code === 'PEER_UNREACHABLE' ? this.#syncWith(report.peerId, options) : report,
      ),
    )
    return { equal: peers.every(({ equal }) => equal), peers }
  }

  async #syncWith(peer: PeerId, options: LongWorkOptions): Promise<PeerSyncReport> {
    try {
      await this.#transport.dial(peer, this.#membership.book.of(peer), options)
      return await (await this.#membership.peer(peer)).sync(options)
    } catch (error) {
      options.signal?.throwIfAborted()
      return { ...NOTHING_EXCHANGED, nodeId: this.#membership.nameOf(peer), peerId: peer, error: describe(error) }
    }
  }

  #serve(): void {
    const withPeer = (serve: (peer: Peer, channel: Channel) => Promise<void>) => async (channel: Channel) =>
      serve(await this.#membership.peer(channel.peer), channel)
    this.#transport.handle(PROTOCOLS.join, 'guest', (channel) => welcome(this.#membership, channel))
    this.#transport.handle(PROTOCOLS.roster, 'member', (channel) => this.#membership.serveRoster(new Link(channel)))
    this.#transport.handle(
      PROTOCOLS.hello,
      'member',
      withPeer((peer, channel) => peer.serveHello(channel)),
    )
    this.#transport.handle(
      PROTOCOLS.session,
      'member',
      withPeer((peer, channel) => peer.serveSession(channel)),
    )
    this.#transport.handle(
      PROTOCOLS.push,
      'member',
      withPeer((peer, channel) => peer.servePushes(channel)),
    )
  }

  /** Reconciles with a peer that may have been waiting for this node to become a member. */
  #begin(id: PeerId): void {
    const { log } = this.#components
    this.#membership.peer(id).then(
      (peer) => peer.reconcile(),
      (err: unknown) => log.debug({ peerId: id, err }, 'the connection ended before it was used'),
    )
  }

  *#targets() {
    if (this.#switching || !this.#membership.roster.isSelfMember) return
    for (const peer of this.#membership.others) yield { peer, addresses: this.#membership.book.of(peer) }
  }

  async #onPeer({ type, peer }: PeerEvent): Promise<void> {
    if (type === 'disconnected') return this.#membership.onDisconnected(peer)
    if (!this.#switching) await this.#membership.onConnected(peer)
  }

  #onCommits(commits: readonly Commit[]): void {
    this.#membership.onCommits(commits)
    this.#cancelQuiet?.()
    this.#askWhenQuiet(true)
  }

  #repairLater(): void {
    const { clock, random } = this.#components
    this.#cancelRepair = clock.after(this.#init.repairIntervalMs * (0.5 + random()), () => {
      // From both sides: what one side misses, also of a peer's clone, the other may see.
      for (const peer of this.#membership.connectedPeers()) peer.reconcile()
      this.#repairLater()
    })
  }

  /**
   * Asks connected peers that may not be equal. Of each pair one side begins; the other asks only when that has not
   * helped a moment later: a push of its own was lost, of which the first knows nothing.
   */
  #askWhenQuiet(begins: boolean): void {
    this.#cancelQuiet = this.#components.clock.after(QUIET_MS, () => {
      for (const peer of this.#membership.connectedPeers()) {
        if (peer.begins === begins && !peer.equal) peer.reconcile()
      }
      if (begins) this.#askWhenQuiet(false)
    })
  }

  #checkJoin(ticket: Ticket): void {
    this.#refuseWhileSwitching()
    if (ticket.peer === this.peerId) {
      throw new MeshError('TICKET_OWN', 'ticket: it is from this very node; use it on the other machine', {
        field: 'ticket',
      })
    }
    const isSelfMember = this.#membership.roster.isSelfMember
    if (ticket.meshId === this.meshId && isSelfMember) {
      throw new MeshError('ALREADY_MEMBER', 'this node is a member of that mesh already', { field: 'ticket' })
    }
    if (ticket.expiresAt * 1000 <= this.#components.clock.now()) {
      const at = new Date(ticket.expiresAt * 1000).toISOString()
      throw new MeshError('TICKET_EXPIRED', `ticket: expired at ${at} by this machine's clock`, {
        field: 'ticket',
        hint: 'ask for a new one: `mesh invite` on the other machine',
      })
    }
    if (ticket.meshId !== this.meshId && (!isSelfMember || this.#membership.others.length > 0)) {
      throw new MeshError('HAS_PEERS', 'this node is in another mesh; `mesh leave` that one first')
    }
  }

  #refuseWhileSwitching(): void {
    if (this.#switching)
      throw new MeshError('MESH_BUSY', 'this node is just joining or leaving a mesh; try again in a moment')
  }

  #refuseUnlessMember(): void {
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
      this.#dialler.kick()
      for (const peer of this.#transport.connected()) this.#begin(peer)
    }
  }

  async #adopt(
    meshId: string,
    records: readonly RosterRecord[],
    onProgress: LongWorkOptions['onProgress'],
  ): Promise<number> {
    await this.#membership.close()
    const adoption = { meshId, forget: MESH_NAMESPACES, records: records.map(rosterWrite) }
    const vouched = await this.#components.replica.adopt(adoption, (done, total) =>
      onProgress?.({ phase: 'vouching', done, total }),
    )
    await this.#loadMembership()
    this.#transport.recheck()
    return vouched
  }

  async #loadMembership(): Promise<void> {
    const { replica, signer, clock, log } = this.#components
    const kick = (peer?: PeerId) => this.#dialler.kick(peer)
    const init: MembershipInit = { nodeId: this.nodeId, version: this.#init.version, boot: this.#boot }
    const transport = this.#transport
    const addresses = () => this.addresses()
    this.#membership = await Membership.load({ replica, transport, signer, clock, log, kick, addresses }, init)
  }

  #find(text: string): PeerId {
    const found = this.#membership.others.filter((peer) => peer === text || this.#membership.nameOf(peer) === text)
    const [peer] = found
    if (text === this.peerId || (peer === undefined && text === this.nodeId)) {
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
}

/** Without those that lead another machine to itself, unless there are no others: then both are on this machine. */
function dialable(addresses: readonly string[]): string[] {
  const elsewhere = addresses.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  return elsewhere.length > 0 ? elsewhere : [...addresses]
}

const NOTHING_EXCHANGED = {
  equal: false,
  entriesSent: 0,
  entriesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  roundTrips: 0,
  milliseconds: 0,
} as const
