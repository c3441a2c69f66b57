import { MeshError } from '../../crdt/errors.ts'
import type { Channel, PeerId } from '../../transports/transport.ts'
import type { Activity } from './activity.ts'

interface Frame {
  readonly to: SimEnd
  readonly bytes: Uint8Array
}

/** Both ends of a stream, and the frames under way on it. */
export class SimChannel {
  readonly #ends: SimEnd[] = []
  readonly #frames: Frame[] = []
  readonly #onEnded: () => void

  constructor(onEnded: () => void) {
    this.#onEnded = onEnded
  }

  attach(end: SimEnd): void {
    this.#ends.push(end)
  }

  get frames(): number {
    return this.#frames.length
  }

  /** Whether somebody waits for a frame, and none is under way. */
  get isStuck(): boolean {
    return this.#frames.length === 0 && this.#ends.some((end) => end.isWaiting)
  }

  joins(a: PeerId, b: PeerId): boolean {
    const peers = this.#ends.map(({ peer }) => peer)
    return peers.includes(a) && peers.includes(b)
  }

  put(to: SimEnd, bytes: Uint8Array): void {
    this.#frames.push({ to, bytes })
  }

  deliver(at: number, twice = false): void {
    const [frame] = this.#frames.splice(at, 1)
    frame?.to.take(frame.bytes)
    if (twice) frame?.to.take(frame.bytes)
    this.settle()
  }

  lose(at: number): void {
    this.#frames.splice(at, 1)
    this.settle()
  }

  abort(reason: Error): void {
    this.#frames.length = 0
    for (const end of this.#ends) end.fail(reason)
    this.#onEnded()
  }

  /** Tells each end that the other has closed, once what it had sent is delivered or lost. */
  settle(): void {
    if (this.#frames.length > 0) return
    for (const end of this.#ends) if (end.isClosed) for (const other of this.#ends) if (other !== end) other.finish()
    if (this.#ends.every((end) => end.isClosed)) this.#onEnded()
  }
}

/** One end of a {@link SimChannel}. While it waits for a frame its owner does nothing: that is counted. */
export class SimEnd implements Channel {
  readonly peer: PeerId
  readonly channel: SimChannel
  readonly frames: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) }
  readonly #activity: Activity
  readonly #inbox: Uint8Array[] = []
  #other!: SimEnd
  #waiter: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined
  #error: Error | undefined
  #finished = false
  #closed = false
  #busy = false

  private constructor(channel: SimChannel, peer: PeerId, activity: Activity) {
    this.channel = channel
    this.peer = peer
    this.#activity = activity
    channel.attach(this)
  }

  /** The end at `from` and the one at `to`. */
  static pair(from: PeerId, to: PeerId, activity: Activity, onEnded: () => void): [near: SimEnd, far: SimEnd] {
    const channel = new SimChannel(onEnded)
    const near = new SimEnd(channel, to, activity)
    const far = new SimEnd(channel, from, activity)
    near.#other = far
    far.#other = near
    return [near, far]
  }

  /** From now on its owner counts as doing something, save while it waits for a frame. */
  begin(): void {
    if (!this.#busy) this.#activity.begin()
    this.#busy = true
  }

  get isWaiting(): boolean {
    return this.#waiter !== undefined
  }

  get isClosed(): boolean {
    return this.#closed
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#closed) throw new MeshError('CHANNEL_CLOSED', 'closed')
    this.channel.put(this.#other, bytes)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rest()
    this.channel.settle()
  }

  abort(reason: Error): void {
    this.channel.abort(reason)
  }

  take(bytes: Uint8Array): void {
    if (this.#waiter === undefined) this.#inbox.push(bytes)
    else this.#wake()?.resolve({ value: bytes, done: false })
  }

  finish(): void {
    this.#finished = true
    this.#wake()?.resolve({ value: undefined, done: true })
  }

  fail(reason: Error): void {
    this.#error ??= reason
    this.#wake()?.reject(reason)
    this.#rest()
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#inbox.shift()
    if (value !== undefined) return { value, done: false }
    if (this.#error !== undefined) throw this.#error
    if (this.#finished) return { value: undefined, done: true }
    this.#waiter = Promise.withResolvers()
    this.#rest()
    return this.#waiter.promise
  }

  #wake() {
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter !== undefined) this.begin()
    return waiter
  }

  #rest(): void {
    if (this.#busy) this.#activity.end()
    this.#busy = false
  }
}
