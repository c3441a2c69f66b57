import type { Stream } from '@libp2p/interface'
import { MeshError } from '../../crdt/errors.ts'
import { encodeFrameHeader } from './frame-decoder.ts'

/**
 * The most that is written to the stream at once. With yamux's header of 12 bytes it fills one noise message (65,535
 * bytes with their tag of 16) exactly; writes of this size reach ten times the throughput of writes of 1 KiB.
 */
const WRITE_BATCH_BYTES = 65_535 - 16 - 12

/**
 * How much may wait in a channel before `send` holds its caller back: enough that the next write is always ready,
 * little enough that hundreds of channels to slow peers cost a few megabytes.
 */
const WRITE_AHEAD_BYTES = 2 * WRITE_BATCH_BYTES

interface Waiter {
  /** The count of taken bytes at which it may go on. */
  readonly at: number
  resolve(): void
  reject(error: MeshError): void
}

/**
 * The sending half of a channel. Frames sent within one turn of the event loop leave in as few writes as possible, and
 * nothing is handed to the stream while it is full, so that a peer that does not read costs {@link WRITE_AHEAD_BYTES}
 * and the frames of those callers that do not wait.
 */
export class FrameWriter {
  readonly #stream: Stream
  #queue: Uint8Array[] = []
  /** Bytes ever queued and ever given to the stream. */
  #queued = 0
  #taken = 0
  #waiters: Waiter[] = []
  #scheduled = false
  #failure: MeshError | undefined

  constructor(stream: Stream) {
    this.#stream = stream
    // The stream first sends what it holds itself, in a microtask; only then can it be seen whether it wants more. Its
    // own onDrain() cannot be used: it waits for the first drain only and resolves at once ever after.
    stream.addEventListener('drain', () => queueMicrotask(() => this.#pump(WRITE_BATCH_BYTES)))
  }

  /** Bytes that wait here. */
  get #waiting(): number {
    return this.#queued - this.#taken
  }

  /**
   * Queues one frame; resolves once no more than {@link WRITE_AHEAD_BYTES} of what was queued up to it are waiting.
   * @throws {MeshError} `FRAME_TOO_LARGE`, or what {@link fail} was called with
   */
  async send(frame: Uint8Array): Promise<void> {
    const header = encodeFrameHeader(frame.byteLength)
    if (this.#failure !== undefined) throw this.#failure
    this.#queue.push(header, frame)
    this.#queued += header.byteLength + frame.byteLength
    this.#pump(WRITE_BATCH_BYTES)
    await this.#takenUpTo(this.#queued - WRITE_AHEAD_BYTES)
  }

  /** Resolves when all that was queued is with the stream. */
  async flush(): Promise<void> {
    this.#pump(1)
    await this.#takenUpTo(this.#queued)
  }

  /** Drops what is queued; those who wait, and all later sends, get the error. */
  fail(error: MeshError): void {
    this.#failure ??= error
    this.#queue = []
    this.#taken = this.#queued
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(this.#failure)
  }

  #takenUpTo(at: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#taken >= at) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.push({ at, resolve, reject })
    return promise
  }

  /** Writes while there are so many bytes for a write. What is less waits for more to come in this turn. */
  #pump(least: number): void {
    while (this.#waiting >= least && !this.#stream.writableNeedsDrain && this.#stream.writeBufferLength === 0) {
      const batch = this.#takeBatch()
      try {
        this.#stream.send(batch)
      } catch (cause) {
        this.fail(new MeshError('CHANNEL_CLOSED', 'the channel is closing', { cause }))
        return
      }
      this.#taken += batch.byteLength
    }
    while (this.#waiters[0] !== undefined && this.#waiters[0].at <= this.#taken) this.#waiters.shift()?.resolve()
    if (this.#waiting > 0 && !this.#stream.writableNeedsDrain) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump(1)
    })
  }

  /** Cuts the next batch off the queue, as one piece: what is encrypted must lie together anyway. */
  #takeBatch(): Uint8Array {
    const batch = new Uint8Array(Math.min(WRITE_BATCH_BYTES, this.#waiting))
    let filled = 0
    let whole = 0
    for (const part of this.#queue) {
      const room = batch.byteLength - filled
      if (part.byteLength > room) {
        batch.set(part.subarray(0, room), filled)
        this.#queue[whole] = part.subarray(room)
        break
      }
      batch.set(part, filled)
      filled += part.byteLength
      whole += 1
    }
    this.#queue.splice(0, whole)
    return batch
  }
}
