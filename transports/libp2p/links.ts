import type { Connection } from '@libp2p/interface'
import type { Gate, PeerEvent, PeerId } from '../transport.ts'
import { GuestWatch } from './guest-watch.ts'
import type { Libp2pLimits } from './limits.ts'
import type { Log } from './log.ts'

export interface LinksComponents {
  readonly gate: Gate
  readonly log: Log
}

interface Link {
  readonly connection: Connection
  /** Set while the peer is a guest. */
  watch?: GuestWatch
}

/**
 * All live connections by peer, newest first, and who of the peers counts as connected. A peer may have several
 * connections (both sides dialled at once; an old one is dead and nobody has noticed); it is connected from the first
 * to the last of them.
 */
export class Links {
  readonly #gate: Gate
  readonly #log: Log
  readonly #limits: Libp2pLimits
  readonly #links = new Map<PeerId, Link[]>()
  /** Members that were announced as connected. */
  readonly #announced = new Set<PeerId>()
  readonly #listeners = new Set<(event: PeerEvent) => void>()

  constructor(components: LinksComponents, limits: Libp2pLimits) {
    this.#gate = components.gate
    this.#log = components.log
    this.#limits = limits
  }

  /**
   * Whether an inbound connection of this peer is let in. A guest that is in stays when the invitation ends: its ticket
   * may be the one that was used, and it is about to become a member. It has `guestLifetimeMs` at most.
   */
  admits(peer: PeerId): boolean {
    if (this.of(peer).length >= this.#limits.maxConnectionsPerPeer) return false
    return this.#gate.isMember(peer) || (this.#gate.admitsGuests() && this.#guests() < this.#limits.maxGuests)
  }

  add(connection: Connection): void {
    const peer = peerOf(connection)
    // It may have been closed again before anybody was told that it is open.
    if (connection.status !== 'open') return
    // Asked again: the roster may have changed, and others come in, since the gate was asked.
    if (connection.direction === 'inbound' && !this.admits(peer)) {
      connection.abort(new Error('not admitted any more'))
      return
    }
    const link: Link = { connection }
    this.#links.set(peer, [link, ...(this.#links.get(peer) ?? [])])
    if (this.#gate.isMember(peer)) this.#announce(peer)
    else link.watch = this.#watch(peer, connection)
  }

  remove(connection: Connection): void {
    const peer = peerOf(connection)
    const links = this.#links.get(peer) ?? []
    const kept = links.filter((link) => link.connection.id !== connection.id)
    for (const link of links) if (!kept.includes(link)) link.watch?.stop()
    if (kept.length > 0) {
      this.#links.set(peer, kept)
      return
    }
    this.#links.delete(peer)
    if (this.#announced.delete(peer)) this.#emit({ type: 'disconnected', peer })
  }

  /** Live connections to the peer, newest first: the one that is most likely not dead without being noticed. */
  of(peer: PeerId): Connection[] {
    const links = this.#links.get(peer) ?? []
    return links.map((link) => link.connection).filter((connection) => connection.status === 'open')
  }

  /** Live connections to all peers, members or not. */
  all(): Connection[] {
    return [...this.#links.keys()].flatMap((peer) => this.of(peer))
  }

  /** Members connected now. */
  members(): PeerId[] {
    return [...this.#announced]
  }

  /** The peer moved a frame or opened a channel on this connection. */
  touch(connection: Connection): void {
    const links = this.#links.get(peerOf(connection)) ?? []
    links.find((link) => link.connection.id === connection.id)?.watch?.touch()
  }

  /** Applies a changed roster: announces guests that became members, cuts members that are none any more. */
  recheck(): void {
    for (const [peer, links] of [...this.#links]) {
      const member = this.#gate.isMember(peer)
      if (member) {
        for (const link of links) {
          link.watch?.stop()
          delete link.watch
        }
        this.#announce(peer)
      } else if (this.#announced.has(peer)) {
        this.#log.info({ peerId: peer }, 'cut: no member any more')
        for (const { connection } of links) connection.abort(new Error('no member any more'))
      }
    }
  }

  onPeer(listener: (event: PeerEvent) => void): () => void {
    const own = (event: PeerEvent) => listener(event)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  #guests(): number {
    const inbound = [...this.#links.values()].flat().filter((link) => link.connection.direction === 'inbound')
    return inbound.filter((link) => link.watch !== undefined).length
  }

  #watch(peer: PeerId, connection: Connection): GuestWatch {
    return new GuestWatch(this.#limits, (reason) => {
      this.#log.debug({ peerId: peer, reason }, 'guest cut')
      connection.abort(new Error(reason))
    })
  }

  #announce(peer: PeerId): void {
    if (this.#announced.has(peer)) return
    this.#announced.add(peer)
    this.#emit({ type: 'connected', peer })
  }

  #emit(event: PeerEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (err) {
        this.#log.warn({ err, peerId: event.peer }, `a listener to "${event.type}" threw`)
      }
    }
  }
}

/** The peer that a connection was proven to lead to. */
export function peerOf(connection: Connection): PeerId {
  return connection.remotePeer.toString() as PeerId
}
