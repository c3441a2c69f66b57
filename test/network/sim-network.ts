import { MeshError } from '../../crdt/errors.ts'
import type { Clock } from '../../transports/clock.ts'
import { PROTOCOLS } from '../../transports/sync/wire.ts'
import type { ChannelHandler, Gate, PeerEvent, PeerId, Transport } from '../../transports/transport.ts'
import type { Activity } from './activity.ts'
import type { SeededRandom } from './random.ts'
import { type SimChannel, SimEnd } from './sim-channel.ts'

/** What may happen to a frame. A frame of a session that is lost, doubled or overtaken ends the session. */
export interface Faults {
  readonly lose: number
  readonly double: number
  /** How likely a frame is delivered before an earlier one. */
  readonly overtake: number
}

export const NO_FAULTS: Faults = { lose: 0, double: 0, overtake: 0 }

interface Timer {
  readonly run: () => void
}

/** Frames under way, links that come and go, and timers that fire in an order which the seed chooses. */
export class SimNetwork {
  readonly random: SeededRandom
  readonly activity: Activity
  faults: Faults = NO_FAULTS
  readonly #nodes = new Map<PeerId, SimTransport>()
  readonly #cut = new Set<string>()
  readonly #channels = new Set<SimChannel>()
  readonly #timers = new Set<Timer>()

  constructor(random: SeededRandom, activity: Activity) {
    this.random = random
    this.activity = activity
  }

  transport(self: PeerId, gate: Gate): SimTransport {
    const transport = new SimTransport(this, self, gate)
    this.#nodes.set(self, transport)
    return transport
  }

  /** A node's clock, off by some milliseconds. Timers fire when the network lets them. */
  clock(skewMs: number): Clock {
    return {
      now: () => Date.now() + skewMs,
      after: (_ms, run) => {
        const timer = { run }
        this.#timers.add(timer)
        return () => this.#timers.delete(timer)
      },
    }
  }

  node(peer: PeerId): SimTransport | undefined {
    return this.#nodes.get(peer)
  }

  /** Cuts or mends the link between two nodes. */
  async link(a: PeerId, b: PeerId, up: boolean): Promise<void> {
    if (up) this.#cut.delete(pair(a, b))
    else this.#cut.add(pair(a, b))
    if (!up) {
      for (const channel of this.#channels) if (channel.joins(a, b)) this.#end(channel, 'the link was cut')
    }
    this.#nodes.get(a)?.linkChanged(b, up)
    this.#nodes.get(b)?.linkChanged(a, up)
    await this.activity.settled()
  }

  peersOf(self: PeerId): PeerId[] {
    return [...this.#nodes.keys()].filter((peer) => peer !== self && this.isLinked(self, peer))
  }

  isLinked(a: PeerId, b: PeerId): boolean {
    const ends = [this.#nodes.get(a), this.#nodes.get(b)]
    return !this.#cut.has(pair(a, b)) && ends.every((end) => end?.running === true)
  }

  /** Lets one thing happen: a frame arrives or is lost, or a timer fires. False when there is nothing to happen. */
  async step(): Promise<boolean> {
    const ready = [...this.#channels].filter((channel) => channel.frames > 0)
    const timers = [...this.#timers]
    if (ready.length + timers.length === 0) return false
    const choice = this.random.below(ready.length + timers.length)
    const channel = ready[choice]
    if (channel === undefined) this.#fire(timers[choice - ready.length] as Timer)
    else this.#deliver(channel)
    await this.activity.settled()
    return true
  }

  /** Delivers every frame, in order and without faults, until none is left. */
  async drain(): Promise<void> {
    for (;;) {
      const channel = [...this.#channels].find((one) => one.frames > 0)
      if (channel === undefined) return
      channel.deliver(0)
      await this.activity.settled()
    }
  }

  /** Fires every timer that is set now. */
  async fireTimers(): Promise<void> {
    for (const timer of [...this.#timers]) this.#fire(timer)
    await this.activity.settled()
  }

  /** Ends channels that wait for a frame which never comes, as silence does in the end. */
  async timeOut(): Promise<void> {
    for (const channel of [...this.#channels]) if (channel.isStuck) this.#end(channel, 'silence')
    await this.activity.settled()
  }

  open(from: SimTransport, to: PeerId, protocol: string): SimEnd {
    const target = this.#nodes.get(to)
    const handler = target?.handler(protocol)
    if (target === undefined || handler === undefined || !this.isLinked(from.self, to)) {
      throw new MeshError('PEER_NOT_CONNECTED', `no link to ${to}`)
    }
    const [near, far] = SimEnd.pair(from.self, to, this.activity, () => this.#channels.delete(near.channel))
    this.#channels.add(near.channel)
    // Whoever pushes never waits for an answer.
    if (protocol !== PROTOCOLS.push) near.begin()
    void this.#serve(handler, far)
    return near
  }

  async #serve(handler: ChannelHandler, end: SimEnd): Promise<void> {
    end.begin()
    try {
      await handler(end)
      await end.close()
    } catch (error) {
      end.abort(error as Error)
    }
  }

  #deliver(channel: SimChannel): void {
    const { lose, double, overtake } = this.faults
    const at = this.random.chance(overtake) ? this.random.below(channel.frames) : 0
    if (this.random.chance(lose)) channel.lose(at)
    else channel.deliver(at, this.random.chance(double))
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    timer.run()
  }

  #end(channel: SimChannel, why: string): void {
    this.#channels.delete(channel)
    channel.abort(new MeshError('CHANNEL_CLOSED', why))
  }
}

/** {@link Transport} over a {@link SimNetwork}. Who is linked is connected. */
export class SimTransport implements Transport {
  readonly self: PeerId
  running = false
  readonly #network: SimNetwork
  readonly #gate: Gate
  readonly #handlers = new Map<string, ChannelHandler>()
  readonly #listeners = new Set<(event: PeerEvent) => void>()

  constructor(network: SimNetwork, self: PeerId, gate: Gate) {
    this.#network = network
    this.self = self
    this.#gate = gate
  }

  async start(): Promise<void> {
    this.running = true
  }

  async stop(): Promise<void> {
    this.running = false
  }

  addresses(): string[] {
    return [`/sim/${this.self}`]
  }

  connected(): PeerId[] {
    return this.#network.peersOf(this.self)
  }

  remoteAddress(): undefined {}

  handle(protocol: string, _access: 'member' | 'guest', handler: ChannelHandler): void {
    this.#handlers.set(protocol, handler)
  }

  handler(protocol: string): ChannelHandler | undefined {
    return this.#handlers.get(protocol)
  }

  async dial(peer: PeerId): Promise<void> {
    if (!this.#network.isLinked(this.self, peer)) throw new MeshError('PEER_UNREACHABLE', `no link to ${peer}`)
  }

  async open(peer: PeerId, protocol: string): Promise<SimEnd> {
    return this.#network.open(this, peer, protocol)
  }

  async hangUp(): Promise<void> {}

  recheck(): void {}

  onPeer(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  linkChanged(peer: PeerId, up: boolean): void {
    if (!this.#gate.isMember(peer)) return
    for (const listener of this.#listeners) listener({ type: up ? 'connected' : 'disconnected', peer })
  }
}

const pair = (a: PeerId, b: PeerId) => (a < b ? `${a} ${b}` : `${b} ${a}`)
