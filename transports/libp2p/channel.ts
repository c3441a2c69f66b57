import type { Stream } from '@libp2p/interface'
import { MeshError } from '../../crdt/errors.ts'
import type { Channel, PeerId } from '../transport.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'

export interface ChannelInit {
  readonly peer: PeerId
  /** How long closing may take until it becomes an abort, in ms. */
  readonly closeTimeoutMs: number
  /** Called for each frame sent or handed out. */
  readonly onActivity: () => void
  /** Called once, when the channel is over in both directions. */
  readonly onEnd: (channel: StreamChannel) => void
}

/** A libp2p stream as a {@link Channel}: see {@link FrameReader} and {@link FrameWriter} for its two halves. */
export class StreamChannel implements Channel {
  readonly peer: PeerId
  readonly frames: AsyncIterable<Uint8Array>
  readonly #stream: Stream
  readonly #reader: FrameReader
  readonly #writer: FrameWriter
  readonly #init: ChannelInit
  #closing: Promise<void> | undefined
  #flushed = false
  #ended = false

  /** Takes over a stream whose protocol is settled. Nothing may have been read from it, or be listening to it. */
  constructor(stream: Stream, init: ChannelInit) {
    this.peer = init.peer
    this.#stream = stream
    this.#init = init
    this.#writer = new FrameWriter(stream)
    this.#reader = new FrameReader(stream, init.onActivity, (error) => this.abort(error))
    this.frames = this.#reader.frames()
    stream.addEventListener('close', ({ error }) => this.#onStreamClose(error))
    if (stream.status !== 'open') this.#onStreamClose()
  }

  /** Whether the channel is over in both directions. */
  get ended(): boolean {
    return this.#ended
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#closing !== undefined) throw closedError('this side of the channel was closed')
    this.#init.onActivity()
    await this.#writer.send(frame)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /**
   * What the server of a channel does when its handler is through: closes, and does not wait for ever for the other
   * side to close too (a stream counts against the peer's limit until both have).
   */
  async finish(): Promise<void> {
    await this.close()
    if (this.#ended) return
    const late = closedError(`the peer did not close its side within ${this.#init.closeTimeoutMs} ms`)
    const timer = setTimeout(() => this.abort(late), this.#init.closeTimeoutMs)
    timer.unref()
    this.#stream.addEventListener('close', () => clearTimeout(timer))
  }

  abort(reason: Error): void {
    if (this.#ended) return
    this.#fail(closedError('the channel was aborted here', reason), true)
    this.#stream.abort(reason)
  }

  async #close(): Promise<void> {
    const signal = AbortSignal.timeout(this.#init.closeTimeoutMs)
    const late = () => this.abort(closedError(`closing took more than ${this.#init.closeTimeoutMs} ms`))
    signal.addEventListener('abort', late, { once: true })
    try {
      await this.#writer.flush()
      this.#flushed = true
      await this.#stream.close({ signal })
    } catch (error) {
      // Lost or aborted meanwhile: there is nothing left to close. What it was is told by send and frames.
      if (!this.#ended) this.abort(closedError('closing failed', error))
    } finally {
      signal.removeEventListener('abort', late)
    }
  }

  #onStreamClose(error?: Error): void {
    if (this.#ended) return
    // Both sides ended in good order, and what the peer sent before may still be read.
    if (error === undefined && this.#reader.peerFinished && this.#flushed) {
      this.#end()
      return
    }
    this.#fail(closedError('the channel was lost: the peer aborted it or the connection ended', error), false)
  }

  #fail(error: MeshError, drop: boolean): void {
    this.#end()
    this.#writer.fail(error)
    this.#reader.fail(error, drop)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#init.onEnd(this)
  }
}

function closedError(message: string, cause?: unknown): MeshError {
  return new MeshError('CHANNEL_CLOSED', message, { cause })
}
