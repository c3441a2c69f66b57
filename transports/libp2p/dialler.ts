import { type Clock, systemClock } from '../clock.ts'
import type { PeerEvent, PeerId, Transport } from '../transport.ts'
import { Backoff } from './backoff.ts'
import type { Log } from './log.ts'

/** The least and the most that is waited between two tries to reach a peer, in ms. */
const MIN_REDIAL_MS = 1_000
const MAX_REDIAL_MS = 60_000

/**
 * A connection must have lasted so long to count as a success. A peer that admits this node and drops it at once would
 * otherwise be dialled once a second for ever.
 */
const STABLE_CONNECTION_MS = 10_000

/** Dials under way at once: enough for a mesh of 50 to come up in seconds, few enough for a small router's table. */
const MAX_DIALS = 8

export interface DialTarget {
  readonly peer: PeerId
  /** Multiaddrs in the order in which they are tried. */
  readonly addresses: readonly string[]
}

export interface DiallerComponents {
  readonly transport: Pick<Transport, 'self' | 'connected' | 'dial' | 'onPeer'>
  readonly log: Log
  /** Whom to be connected to: all other members, read anew before each try. */
  readonly targets: () => Iterable<DialTarget>
  readonly clock?: Clock
  /** From 0 (included) to 1 (excluded). */
  readonly random?: () => number
}

export interface DiallerInit {
  /** The least that is waited between two tries, in ms: 1,000. */
  readonly minRedialMs?: number
  /** The most, in ms, give or take a quarter: 60,000. */
  readonly maxRedialMs?: number
  /** How long a connection must last for the waiting times to begin anew after it, in ms: 10,000. */
  readonly stableConnectionMs?: number
  /** Dials under way at once: 8. */
  readonly maxDials?: number
}

/** Keeps this node connected to all its targets, for ever. */
export interface Dialler {
  /** Dials all targets and goes on until {@link stop}. Idempotent. */
  start(): void
  /** Ends all dials. Connections stay. Idempotent. */
  stop(): Promise<void>
  /**
   * Something changed (the roster, an address, the network woke): looks for targets added and removed, and tries this
   * peer, or all that are not connected, at once and with the waiting times begun anew.
   */
  kick(peer?: PeerId): void
  /** Why the last try to reach the peer failed, or undefined after a success and before the first try. */
  lastError(peer: PeerId): Error | undefined
}

/** Makes a redial loop, not started. libp2p's own gives a peer up after five tries. */
export function createDialler(components: DiallerComponents, init: DiallerInit = {}): Dialler {
  return new RedialLoop(components, init)
}

interface Redial {
  readonly backoff: Backoff
  cancelWait: (() => void) | undefined
  /** Set while a dial is under way. */
  abort: AbortController | undefined
  /** Kicked while a dial was under way: what it tries may be out of date. */
  again: boolean
  connectedAt: number | undefined
  lastError: Error | undefined
}

class RedialLoop implements Dialler {
  readonly #transport: DiallerComponents['transport']
  readonly #log: Log
  readonly #targets: () => Iterable<DialTarget>
  readonly #clock: Clock
  readonly #random: () => number
  readonly #init: Required<DiallerInit>
  readonly #redials = new Map<PeerId, Redial>()
  /** Peers that are due, in order, while all dials are taken. */
  readonly #due = new Set<PeerId>()
  readonly #running = new Set<Promise<void>>()
  #unsubscribe: (() => void) | undefined

  constructor(components: DiallerComponents, init: DiallerInit) {
    this.#transport = components.transport
    this.#log = components.log
    this.#targets = components.targets
    this.#clock = components.clock ?? systemClock
    this.#random = components.random ?? Math.random
    this.#init = {
      minRedialMs: init.minRedialMs ?? MIN_REDIAL_MS,
      maxRedialMs: init.maxRedialMs ?? MAX_REDIAL_MS,
      stableConnectionMs: init.stableConnectionMs ?? STABLE_CONNECTION_MS,
      maxDials: init.maxDials ?? MAX_DIALS,
    }
  }

  start(): void {
    if (this.#unsubscribe !== undefined) return
    this.#unsubscribe = this.#transport.onPeer((event) => this.#onPeer(event))
    this.kick()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    for (const peer of [...this.#redials.keys()]) this.#forget(peer)
    await Promise.all(this.#running)
  }

  kick(peer?: PeerId): void {
    if (this.#unsubscribe === undefined) return
    const targets = this.#currentTargets()
    for (const known of [...this.#redials.keys()]) if (!targets.has(known)) this.#forget(known)
    for (const target of targets.keys()) {
      const known = this.#redials.get(target)
      if (known !== undefined && peer !== undefined && target !== peer) continue
      const redial = known ?? this.#remember(target)
      redial.backoff.reset()
      redial.again = redial.abort !== undefined
      this.#makeDue(target, redial)
    }
    this.#dialDue()
  }

  lastError(peer: PeerId): Error | undefined {
    return this.#redials.get(peer)?.lastError
  }

  #currentTargets(): Map<PeerId, readonly string[]> {
    const targets = new Map([...this.#targets()].map(({ peer, addresses }) => [peer, addresses]))
    targets.delete(this.#transport.self)
    return targets
  }

  #remember(peer: PeerId): Redial {
    const connected = this.#transport.connected().includes(peer)
    const redial: Redial = {
      backoff: new Backoff(this.#init.minRedialMs, this.#init.maxRedialMs, this.#random),
      cancelWait: undefined,
      abort: undefined,
      again: false,
      connectedAt: connected ? this.#clock.now() : undefined,
      lastError: undefined,
    }
    this.#redials.set(peer, redial)
    return redial
  }

  #forget(peer: PeerId): void {
    const redial = this.#redials.get(peer)
    this.#redials.delete(peer)
    this.#due.delete(peer)
    redial?.cancelWait?.()
    redial?.abort?.abort(new Error('no longer a peer to dial'))
  }

  #onPeer({ type, peer }: PeerEvent): void {
    const redial = this.#redials.get(peer)
    if (redial === undefined) return
    if (type === 'connected') {
      redial.connectedAt = this.#clock.now()
      redial.lastError = undefined
      this.#cancelWait(redial)
      this.#due.delete(peer)
      return
    }
    const lasted = this.#clock.now() - (redial.connectedAt ?? this.#clock.now())
    redial.connectedAt = undefined
    if (lasted >= this.#init.stableConnectionMs) redial.backoff.reset()
    this.#wait(peer, redial)
  }

  #wait(peer: PeerId, redial: Redial): void {
    this.#cancelWait(redial)
    redial.cancelWait = this.#clock.after(redial.backoff.next(), () => {
      this.#makeDue(peer, redial)
      this.#dialDue()
    })
  }

  #cancelWait(redial: Redial): void {
    redial.cancelWait?.()
    redial.cancelWait = undefined
  }

  #makeDue(peer: PeerId, redial: Redial): void {
    this.#cancelWait(redial)
    if (redial.connectedAt === undefined && redial.abort === undefined) this.#due.add(peer)
  }

  #dialDue(): void {
    const targets = this.#due.size > 0 ? this.#currentTargets() : new Map<PeerId, readonly string[]>()
    for (const peer of this.#due) {
      if (this.#running.size >= this.#init.maxDials) return
      this.#due.delete(peer)
      const redial = this.#redials.get(peer)
      const addresses = targets.get(peer)
      if (redial === undefined || addresses === undefined) {
        this.#forget(peer)
        continue
      }
      const running = this.#dial(peer, addresses, redial).finally(() => {
        this.#running.delete(running)
        this.#dialDue()
      })
      this.#running.add(running)
    }
  }

  async #dial(peer: PeerId, addresses: readonly string[], redial: Redial): Promise<void> {
    redial.abort = new AbortController()
    redial.again = false
    try {
      await this.#transport.dial(peer, addresses, { signal: redial.abort.signal })
      redial.lastError = undefined
    } catch (error) {
      redial.lastError = error instanceof Error ? error : new Error(String(error))
    }
    redial.abort = undefined
    // Forgotten meanwhile; or connected, by this dial or the peer's own; or that and lost again. A dial that ends well
    // without any of these leads to one that is no member (yet): it is tried again like one that failed.
    const settled = redial.connectedAt !== undefined || redial.cancelWait !== undefined
    if (settled || this.#redials.get(peer) !== redial) return
    this.#log.debug({ peerId: peer, err: redial.lastError, tries: redial.backoff.tries }, 'not connected')
    if (redial.again) this.#makeDue(peer, redial)
    else this.#wait(peer, redial)
  }
}
