import { hash } from 'node:crypto'
import { MeshError } from '../../crdt/errors.ts'
import type { Commit, Replica } from '../../crdt/replica/index.ts'
import type { Signer } from '../../crdt/signing.ts'
import type { Clock } from '../clock.ts'
import { type Log, parsePeerId, peerIdFromPublicKey, publicKeyOf } from '../libp2p/index.ts'
import type { Finding, PeerStatus } from '../mesh.ts'
import { INVITATIONS_NAMESPACE, Invitations } from '../pairing/invitations.ts'
import { parseRecord, ROSTER_NAMESPACE, Roster, type RosterRecord } from '../roster/index.ts'
import type { PeerId, Transport } from '../transport.ts'
import { ADDRESSES_NAMESPACE, AddressBook } from './address-book.ts'
import { CloneWatch, type Introduction } from './hello.ts'
import { Link } from './link.ts'
import { Peer } from './peer.ts'
import { CHECKPOINTS_NAMESPACE, PeerMemory } from './peer-memory.ts'
import { MAX_ADDRESSES, MAX_BOOK, PEER_TAG_BYTES, PROTOCOLS } from './wire.ts'

/** Side records that hold for one mesh only. */
export const MESH_NAMESPACES = [ROSTER_NAMESPACE, INVITATIONS_NAMESPACE, CHECKPOINTS_NAMESPACE, ADDRESSES_NAMESPACE]

/** Connected peers that a commit of this node is pushed to; the rest get it from these, or when they reconcile. */
const MAX_PUSHED = 16
/** Connected peers that another's commit is passed on to, of those whom its sender did not reach. */
const MAX_PASSED_ON = 3

export interface MembershipComponents {
  readonly replica: Replica
  readonly transport: Transport
  readonly signer: Signer
  readonly clock: Clock
  readonly log: Log
  /** The redial loop, to be told of new addresses and members. */
  readonly kick: (peer?: PeerId) => void
  /** Where others can dial this node. */
  readonly addresses: () => readonly string[]
}

export interface MembershipInit {
  readonly nodeId: string
  readonly version: string
  readonly boot: string
}

/** This node in one mesh: its roster, who is connected, and what is known of each. Ends when the node changes its mesh. */
export class Membership {
  readonly roster: Roster
  readonly invitations: Invitations
  readonly book: AddressBook
  readonly #components: MembershipComponents
  readonly #init: MembershipInit
  readonly #memories = new Map<PeerId, PeerMemory>()
  readonly #peers = new Map<PeerId, Peer>()
  readonly #lastSync = new Map<PeerId, number>()
  readonly #clones = new CloneWatch()
  readonly #stopListening: () => void
  #clonedHere = false
  #closed = false

  private constructor(
    components: MembershipComponents,
    init: MembershipInit,
    parts: { roster: Roster; invitations: Invitations; book: AddressBook },
  ) {
    this.#components = components
    this.#init = init
    this.roster = parts.roster
    this.invitations = parts.invitations
    this.book = parts.book
    components.replica.setAuthors(this.roster.authors)
    this.#stopListening = this.roster.onChange(() => this.#onRoster())
  }

  /** Reads what the replica keeps of its mesh. */
  static async load(components: MembershipComponents, init: MembershipInit): Promise<Membership> {
    const { replica, signer, clock } = components
    const { side } = replica
    const roster = await Roster.load({ side, signer, now: clock.now }, replica.meshId)
    const invitations = await Invitations.load(side, () => Math.floor(clock.now() / 1000))
    const membership = new Membership(components, init, { roster, invitations, book: await AddressBook.load(side) })
    await membership.#renameSelf()
    return membership
  }

  /** Other members, by peer id. */
  get others(): PeerId[] {
    return this.roster.members.filter(({ key }) => key !== this.roster.self).map(({ key }) => peerOf(key))
  }

  nameOf(peer: PeerId): string {
    return this.roster.member(keyOf(peer))?.name ?? peer
  }

  isMember(peer: PeerId): boolean {
    return this.roster.isSelfMember && this.roster.member(keyOf(peer)) !== undefined
  }

  connectedPeers(): Peer[] {
    return [...this.#peers.values()]
  }

  /** The connected member. @throws {MeshError} `PEER_NOT_CONNECTED` */
  async peer(id: PeerId): Promise<Peer> {
    const known = this.#peers.get(id)
    if (known !== undefined) return known
    if (this.#closed) throw new MeshError('MESH_BUSY', 'this node is just changing its mesh')
    if (!this.#components.transport.connected().includes(id)) {
      throw new MeshError('PEER_NOT_CONNECTED', `${this.nameOf(id)} is not connected`)
    }
    const memory = await this.#memory(id)
    // Another call may have made it meanwhile.
    const made = this.#peers.get(id) ?? this.#makePeer(id, memory)
    this.#peers.set(id, made)
    return made
  }

  async onConnected(id: PeerId): Promise<void> {
    const peer = await this.peer(id)
    if (peer.begins) peer.reconcile()
  }

  async onDisconnected(id: PeerId): Promise<void> {
    const peer = this.#peers.get(id)
    this.#peers.delete(id)
    if (peer?.lastSync) this.#lastSync.set(id, peer.lastSync)
    await peer?.close()
  }

  onCommits(commits: readonly Commit[]): void {
    const told = new Set(this.#told())
    const next = new Map<PeerId | undefined, ReadonlySet<PeerId>>()
    for (const { via } of commits) if (via !== undefined) next.set(via as PeerId, this.#beyond(via as PeerId))
    for (const peer of this.#peers.values()) {
      peer.onCommits(commits, ({ via }) =>
        via === undefined ? told.has(tagOf(peer.id)) : next.get(via as PeerId)?.has(peer.id) === true,
      )
    }
  }

  /** Tags of the connected peers that this node pushes its own commits to. */
  #told(): readonly string[] {
    return [...this.#peers.keys()].slice(0, MAX_PUSHED).map(tagOf)
  }

  /** Some connected peers that the sender of a push did not send it to. */
  #beyond(sender: PeerId): ReadonlySet<PeerId> {
    const reached = new Set(this.#peers.get(sender)?.told)
    const others = [...this.#peers.keys()].filter((peer) => peer !== sender && !reached.has(tagOf(peer)))
    // From a place of this node's own: senders' peers are many, and each should be reached by somebody.
    const from = Number.parseInt(tagOf(this.#components.transport.self), 16) % Math.max(1, others.length)
    return new Set([...others.slice(from), ...others.slice(0, from)].slice(0, MAX_PASSED_ON))
  }

  status(): PeerStatus[] {
    const connected = new Set(this.#components.transport.connected())
    return this.others.map((peerId) => {
      const peer = this.#peers.get(peerId)
      return {
        nodeId: this.nameOf(peerId),
        peerId,
        connected: connected.has(peerId),
        equal: peer?.equal ?? false,
        lastSync: peer?.lastSync ?? this.#lastSync.get(peerId) ?? null,
        address: this.#components.transport.remoteAddress(peerId) ?? null,
        incomplete: this.#memories.get(peerId)?.incomplete ?? 0,
        refused: this.#memories.get(peerId)?.refused ?? 0,
        error: peer?.lastError ?? null,
      }
    })
  }

  findings(): Finding[] {
    return [...this.#nameFindings(), ...this.#cloneFindings(), ...this.#memberFindings()]
  }

  /** Sends the roster, with `more` records that are not in it yet, to connected members. Returns how many took it. */
  async tellRoster(peers: readonly PeerId[], more: readonly RosterRecord[] = []): Promise<number> {
    const records = [...this.roster.records, ...more].map(({ bytes }) => bytes)
    const told = peers.map(async (id) => {
      const link = new Link(await this.#components.transport.open(id, PROTOCOLS.roster))
      try {
        await link.send({ type: 'roster', records })
        await link.expect('roster')
      } finally {
        await link.close()
      }
    })
    return (await Promise.allSettled(told)).filter(({ status }) => status === 'fulfilled').length
  }

  async serveRoster(link: Link): Promise<void> {
    const { records } = await link.expect('roster')
    // The answer first: records that end the sender's or our own membership cut the connection.
    await link.send({ type: 'roster', records: [] })
    await this.#mergeRoster(records)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    const peers = this.connectedPeers()
    this.#peers.clear()
    await Promise.all(peers.map((peer) => peer.close()))
  }

  #makePeer(id: PeerId, memory: PeerMemory): Peer {
    const { replica, transport, clock, log } = this.#components
    const { roster } = this
    const merge = (records: readonly Uint8Array[]) => this.#mergeRoster(records)
    return new Peer(
      {
        replica,
        transport,
        clock,
        log,
        memory,
        roster: {
          get version() {
            return roster.version
          },
          get records() {
            return roster.records
          },
          merge,
        },
        presence: {
          mine: () => ({ boot: this.#init.boot, cloned: this.#clones.isCloned(id) }),
          heard: ({ boot, cloned }) => {
            this.#clones.note(id, boot)
            memory.heardFrom(boot)
            if (cloned) this.#clonedHere = true
          },
        },
        introduce: () => this.#introduce(id),
        onHello: (peer, hello) => this.#onHello(peer, hello),
        nameOf: (peer) => this.nameOf(peer),
        told: () => this.#told(),
      },
      id,
    )
  }

  async #memory(id: PeerId): Promise<PeerMemory> {
    const { replica, clock, log } = this.#components
    const memory =
      this.#memories.get(id) ?? (await PeerMemory.load({ replica, side: replica.side, log, now: clock.now }, id))
    // Another call may have loaded it meanwhile: there is one for each peer.
    const kept = this.#memories.get(id) ?? memory
    this.#memories.set(id, kept)
    return kept
  }

  #introduce(peer: PeerId): Introduction {
    const { addresses, replica } = this.#components
    return {
      name: this.#init.nodeId,
      version: this.#init.version,
      database: replica.databaseId,
      addresses: addresses().slice(0, MAX_ADDRESSES),
      book: this.book.about(this.others.filter((other) => other !== peer)).slice(0, MAX_BOOK),
    }
  }

  async #onHello(peer: PeerId, hello: Introduction): Promise<void> {
    const memory = await this.#memory(peer)
    memory.setDatabase(hello.database)
    await this.book.learn(peer, hello.addresses)
    const { transport, kick } = this.#components
    for (const [text, addresses] of hello.book) {
      const other = parsePeerId(text)
      if (other === transport.self || !this.isMember(other)) continue
      if (await this.book.hear(other, addresses)) kick(other)
    }
  }

  async #mergeRoster(bytes: readonly Uint8Array[]): Promise<void> {
    const known = new Set(this.roster.records.map(({ bytes }) => Buffer.from(bytes).toString('base64')))
    const news = bytes.filter((one) => !known.has(Buffer.from(one).toString('base64')))
    if (news.length > 0) await this.roster.add(news.map(parseRecord))
  }

  #onRoster(): void {
    const { replica, transport, kick } = this.#components
    replica.setAuthors(this.roster.authors)
    transport.recheck()
    kick()
    void this.tellRoster(transport.connected())
  }

  /** A node that was given another name since it joined says so. */
  async #renameSelf(): Promise<void> {
    const self = this.roster.member(this.roster.self)
    if (self === undefined || self.name === this.#init.nodeId) return
    await this.roster.add([this.roster.sign({ type: 'add', member: self.key, name: this.#init.nodeId })])
  }

  #nameFindings(): Finding[] {
    const byName = Map.groupBy(this.roster.members, ({ name }) => name)
    return [...byName].flatMap(([name, members]): Finding[] => {
      if (members.length < 2) return []
      const ids = members.map(({ key }) => peerOf(key)).join(', ')
      return [
        {
          checkId: 'roster.same-name',
          severity: 'warning',
          message: `${members.length} members go by the name "${name}": ${ids}`,
          fixHint: 'give one of them another nodeId in its config and restart its daemon',
        },
      ]
    })
  }

  #cloneFindings(): Finding[] {
    const fixHint = 'on one of the two, stop the daemon, move its meshd folder away, start it and join it anew'
    const cloned = this.others.filter((peer) => this.#clones.isCloned(peer)).map((peer) => this.nameOf(peer))
    const findings: Finding[] = cloned.map((name) => ({
      checkId: 'peer.cloned',
      severity: 'error',
      message: `two machines run with the key of "${name}": one is a copy of the other`,
      fixHint,
    }))
    if (!this.#clonedHere) return findings
    const message = 'another machine runs with the key of this one: one is a copy of the other'
    return [...findings, { checkId: 'node.cloned', severity: 'error', message, fixHint }]
  }

  #memberFindings(): Finding[] {
    const findings: Finding[] = []
    if (!this.roster.isSelfMember) {
      findings.push({
        checkId: 'node.removed',
        severity: 'error',
        message: 'this node was removed from its mesh: it no longer exchanges anything',
        fixHint: 'join again with a new ticket; or `mesh leave`, which makes it a mesh of its own with all its entries',
      })
    }
    for (const { nodeId, incomplete, refused } of this.status()) {
      if (incomplete > 0) {
        const message = `${incomplete} entries from "${nodeId}" could not be opened within limits; they are tried again`
        findings.push({ checkId: 'peer.incomplete', severity: 'warning', message })
      }
      if (refused > 0) {
        const message = `${refused} entries are refused between this node and "${nodeId}", and left out of their sync`
        const fixHint = 'the log says which and why; write them anew on a node that shows them'
        findings.push({ checkId: 'peer.refused', severity: 'warning', message, fixHint })
      }
    }
    return findings
  }
}

const peerOf = (key: string) => peerIdFromPublicKey(Buffer.from(key, 'hex'))
const tagOf = (peer: PeerId) => hash('sha256', peer).slice(0, 2 * PEER_TAG_BYTES)
const keyOf = (peer: PeerId) => Buffer.from(publicKeyOf(peer)).toString('hex')
