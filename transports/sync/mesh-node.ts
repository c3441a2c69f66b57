import { MeshError } from '../../crdt/errors.ts'
import type { Commit } from '../../crdt/replica/index.ts'
import type {
  Finding,
  Invitation,
  JoinReport,
  LongWorkOptions,
  PeerStatus,
  PeerSyncReport,
  SyncReport,
} from '../mesh.ts'
import { turnAway, welcome } from '../pairing/join.ts'
import type { Channel, PeerEvent, PeerId, Transport } from '../transport.ts'
import { newBoot } from './hello.ts'
import type { MeshComponents, MeshInit, MeshService, Redialling } from './index.ts'
import { Link } from './link.ts'
import { Membership, type MembershipInit } from './membership.ts'
import { Pairing } from './pairing.ts'
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
  readonly #pairing: Pairing
  #membership!: Membership
  #cancelQuiet: (() => void) | undefined
  #cancelRepair: (() => void) | undefined
  #stopListening: (() => void)[] = []

  private constructor(components: MeshComponents, init: MeshInit) {
    this.#components = components
    this.#init = init
    this.#transport = components.transport({
      isMember: (peer) => this.#membership.isMember(peer),
      admitsGuests: () => this.#membership.invitations.isOpen,
    })
    this.#dialler = components.dialler(this.#transport, () => this.#targets())
    this.#pairing = new Pairing({
      replica: components.replica,
      transport: this.#transport,
      signer: components.signer,
      clock: components.clock,
      nodeId: init.nodeId,
      membership: () => this.#membership,
      reload: () => this.#loadMembership(),
      addresses: () => this.addresses(),
      onSettled: () => {
        this.#dialler.kick()
        for (const peer of this.#transport.connected()) this.#begin(peer)
      },
    })
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

  invite(init: { ttlSeconds: number }): Promise<Invitation> {
    return this.#pairing.invite(init)
  }

  join(ticket: string, options?: LongWorkOptions): Promise<JoinReport> {
    return this.#pairing.join(ticket, options)
  }

  leave(options?: LongWorkOptions): Promise<{ meshId: string; told: number }> {
    return this.#pairing.leave(options)
  }

  removePeer(peer: string): Promise<{ nodeId: string; peerId: PeerId }> {
    return this.#pairing.removePeer(peer)
  }

  async sync(options: LongWorkOptions = {}): Promise<SyncReport> {
    this.#pairing.refuseUnlessMember()
    const first = await Promise.all(this.#membership.others.map((peer) => this.#syncWith(peer, options)))
    // Those that were reached may have told where the others are.
    const peers = await Promise.all(
      first.map(async (report) =>
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
    // While the node changes its mesh, whoever comes would be served by one that is about to be left.
    const unlessSwitching = () => {
      if (this.#pairing.isSwitching) throw new MeshError('MESH_BUSY', 'this node is just changing its mesh')
      return this.#membership
    }
    const withPeer = (serve: (peer: Peer, channel: Channel) => Promise<void>) => async (channel: Channel) =>
      serve(await unlessSwitching().peer(channel.peer), channel)
    this.#transport.handle(PROTOCOLS.join, 'guest', (channel) => this.#serveJoin(channel))
    this.#transport.handle(PROTOCOLS.roster, 'member', async (channel) =>
      unlessSwitching().serveRoster(new Link(channel)),
    )
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

  async #serveJoin(channel: Channel): Promise<void> {
    if (this.#pairing.isSwitching) {
      const hint = 'try again in a moment'
      return turnAway(channel, new MeshError('MESH_BUSY', 'the inviting node is just changing its mesh', { hint }))
    }
    const { roster, invitations, book } = this.#membership
    return welcome({ roster, invitations, learn: (peer, addresses) => book.learn(peer, addresses) }, channel)
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
    if (this.#pairing.isSwitching || !this.#membership.roster.isSelfMember) return
    for (const peer of this.#membership.others) yield { peer, addresses: this.#membership.book.of(peer) }
  }

  async #onPeer({ type, peer }: PeerEvent): Promise<void> {
    if (type === 'disconnected') return this.#membership.onDisconnected(peer)
    if (!this.#pairing.isSwitching) await this.#membership.onConnected(peer)
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

  async #loadMembership(): Promise<void> {
    const { replica, signer, clock, log } = this.#components
    const kick = (peer?: PeerId) => this.#dialler.kick(peer)
    const init: MembershipInit = { nodeId: this.nodeId, version: this.#init.version, boot: this.#boot }
    const transport = this.#transport
    const addresses = () => this.addresses()
    this.#membership = await Membership.load({ replica, transport, signer, clock, log, kick, addresses }, init)
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
