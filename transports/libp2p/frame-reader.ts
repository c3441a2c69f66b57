import type { Stream } from '@libp2p/interface'
import { MeshError } from '../../crdt/errors.ts'
import { FrameDecoder } from './frame-decoder.ts'

/**
 * The receiving half of a channel. The stream is paused whenever a whole frame waits to be taken, or nobody has asked
 * for one; then yamux grants the sender no more window, so that at most one window (`maxStreamWindowBytes`) beyond the
 * frame in hand is ever held for a reader that is slow.
 */
export class FrameReader {
  readonly #stream: Stream
  readonly #decoder = new FrameDecoder()
  readonly #onFrame: () => void
  readonly #onOversize: (error: MeshError) => void
  /** Why no more frames come, once the channel is lost or aborted. */
  #failure: Error | undefined
  #peerFinished = false
  #resuming = false
  #wake: (() => void) | undefined

  /**
   * @param onFrame called for each frame that is handed out
   * @param onOversize called when the peer announces too large a frame; the reader then throws that error
   */
  constructor(stream: Stream, onFrame: () => void, onOversize: (error: MeshError) => void) {
    this.#stream = stream
    this.#onFrame = onFrame
    this.#onOversize = onOversize
    this.#peerFinished = stream.remoteWriteStatus === 'closed'
    stream.addEventListener('remoteCloseWrite', () => {
      this.#peerFinished = true
      this.#wake?.()
    })
    // Paused before there is a listener: a stream without one goes on granting window and is reset when that is full.
    this.#pause()
    stream.addEventListener('message', ({ data }) => this.#receive(data instanceof Uint8Array ? [data] : data))
  }

  /** Whether the peer has ended its side in good order. */
  get peerFinished(): boolean {
    return this.#peerFinished
  }

  /** Ends reading with an error: after the frames that came whole, or at once when told to drop them. */
  fail(error: Error, drop: boolean): void {
    this.#failure ??= error
    if (drop) this.#decoder.clear()
    this.#wake?.()
  }

  async *frames(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (!this.#ready()) this.#resume()
      const frame = this.#ready() ? this.#decoder.next() : undefined
      if (frame !== undefined) {
        this.#onFrame()
        yield frame
        continue
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#peerFinished && this.#stream.readBufferLength === 0) return this.#checkWhole()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
      this.#wake = undefined
    }
  }

  #receive(pieces: Iterable<Uint8Array>): void {
    for (const piece of pieces) this.#decoder.push(piece)
    if (!this.#ready()) return
    this.#pause()
    this.#wake?.()
  }

  /** Whether a whole frame waits. Ends the channel when a header announces too much. */
  #ready(): boolean {
    try {
      return this.#decoder.ready()
    } catch (error) {
      this.fail(error as MeshError, true)
      this.#onOversize(error as MeshError)
      return false
    }
  }

  #pause(): void {
    // The stream hands out what it holds in the middle of resume() and then grants window again: pausing there would
    // leave it granting window while paused. So resume() pauses by itself afterwards.
    if (!this.#resuming && this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch {
      // The stream was closed underneath while it still held something to read; granting window fails then.
    } finally {
      this.#resuming = false
    }
    if (this.#ready()) this.#pause()
  }

  #checkWhole(): void {
    if (this.#decoder.buffered === 0) return
    const message = `the peer ended the channel in the middle of a frame (${this.#decoder.buffered} bytes of it came)`
    throw new MeshError('CHANNEL_CLOSED', message)
  }
}
