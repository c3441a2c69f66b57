import { MeshError } from '../../crdt/errors.ts'
import type { Channel, PeerId } from '../transport.ts'
import { decodeMessage, encodeMessage, type Message, type MessageType } from './wire.ts'

/** How long a peer may be silent while an answer is due, in milliseconds: as long as it may take to vet a large entry. */
const SILENCE_MS = 60_000
/** Length prefix of a frame, counted as traffic. */
const FRAME_HEADER_BYTES = 4

type Of<T extends MessageType> = Extract<Message, { type: T }>

/** Traffic of a link, framing included. */
export interface Traffic {
  bytesSent: number
  bytesReceived: number
  /** How often this side had to wait for an answer to what it had said before it could go on. */
  roundTrips: number
}

/** Messages over a channel, with a time limit on silence and a count of what went over it. */
export class Link {
  readonly peer: PeerId
  readonly traffic: Traffic = { bytesSent: 0, bytesReceived: 0, roundTrips: 0 }
  readonly #channel: Channel
  readonly #frames: AsyncIterator<Uint8Array>
  readonly #silenceMs: number
  #sent = 0
  #taken = 0
  /** The next frame, where it was asked for before it was due. */
  #early: Promise<IteratorResult<Uint8Array>> | undefined
  #isResting = false
  #isEnded = false

  constructor(channel: Channel, silenceMs: number = SILENCE_MS) {
    this.#channel = channel
    this.peer = channel.peer
    this.#frames = channel.frames[Symbol.asyncIterator]()
    this.#silenceMs = silenceMs
  }

  /** Resolves when the transport wants more. */
  async send(message: Message): Promise<void> {
    this.#isResting = false
    const frame = encodeMessage(this.#sent++, message)
    this.traffic.bytesSent += frame.length + FRAME_HEADER_BYTES
    await this.#inTime(this.#channel.send(frame))
  }

  /**
   * The next message, which must be of one of `types`; undefined when the peer has closed its side.
   * @throws {MeshError} `PEER_SILENT`, `MESSAGE_INVALID`, `MESSAGE_UNEXPECTED`, what the peer refused, or the channel's
   */
  async receive<T extends MessageType>(...types: readonly T[]): Promise<Of<T> | undefined> {
    for (;;) {
      const message = this.#read(await this.#nextFrame(), [...types, 'busy'], true)
      // A sign of life: the wait for what is due begins anew.
      if (message?.type !== 'busy') return message as Of<T> | undefined
    }
  }

  /** As {@link receive}, where the peer may be silent for as long as it likes. */
  async receiveNext<T extends MessageType>(...types: readonly T[]): Promise<Of<T> | undefined> {
    const { value, done } = await this.#next()
    return this.#read(done ? undefined : value, types, true)
  }

  /** As {@link receiveNext}, where messages may be lost or doubled. */
  async receiveIdle<T extends MessageType>(...types: readonly T[]): Promise<Of<T> | undefined> {
    const { value, done } = await this.#next()
    return this.#read(done ? undefined : value, types, false)
  }

  #read<T extends MessageType>(frame: Uint8Array | undefined, types: readonly T[], strict: boolean): Of<T> | undefined {
    if (frame === undefined) return undefined
    this.traffic.bytesReceived += frame.length + FRAME_HEADER_BYTES
    const { number, message } = decodeMessage(frame)
    // What was lost, doubled or swapped on the way ends a talk; the next one repairs it. Pushes stand for themselves.
    if (strict && number !== this.#taken++) {
      throw new MeshError('MESSAGE_UNEXPECTED', `message ${number} where ${this.#taken - 1} was due`)
    }
    if (isOf(message, types)) return message
    if (message.type === 'refused') throw refusal(message)
    throw new MeshError('MESSAGE_UNEXPECTED', `"${message.type}" where ${types.join(' or ')} was due`)
  }

  /** As {@link receive}, where the peer has no reason to close yet. @throws {MeshError} also `CHANNEL_CLOSED` */
  async expect<T extends MessageType>(...types: readonly T[]): Promise<Of<T>> {
    const message = await this.receive(...types)
    if (message === undefined) throw new MeshError('CHANNEL_CLOSED', 'the peer closed before it had answered')
    return message
  }

  /** As {@link expect}, for an answer to what was just sent: counts as a round trip. */
  answer<T extends MessageType>(...types: readonly T[]): Promise<Of<T>> {
    this.traffic.roundTrips++
    return this.expect(...types)
  }

  /** Keeps the channel for a later talk, which this side begins by sending. */
  rest(): void {
    const end = () => {
      this.#isEnded = true
      return this.#channel.close()
    }
    this.#isResting = true
    this.#early ??= this.#frames.next()
    this.#early.then(({ done }) => (done || this.#isResting ? end() : undefined), end)
  }

  /** Whether while it {@link rest}ed the peer has ended the channel or sent what nobody asked for, or it was lost. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  close(): Promise<void> {
    return this.#channel.close()
  }

  abort(reason: Error): void {
    this.#channel.abort(reason)
  }

  async #nextFrame(): Promise<Uint8Array | undefined> {
    const { value, done } = await this.#inTime(this.#next())
    return done ? undefined : value
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    const next = this.#early ?? this.#frames.next()
    this.#early = undefined
    return next
  }

  /** Drops the channel when a peer neither sends what is due nor takes what it is sent. */
  async #inTime<T>(step: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#channel.abort(new MeshError('PEER_SILENT', `nothing came or went for ${this.#silenceMs / 1000} s`))
    }, this.#silenceMs)
    try {
      return await step
    } finally {
      clearTimeout(timer)
    }
  }
}

function refusal({ code, message, field, hint }: Of<'refused'>): MeshError {
  return new MeshError(code, message, { ...(field === '' ? {} : { field }), ...(hint === '' ? {} : { hint }) })
}

function isOf<T extends MessageType>(message: Message, types: readonly T[]): message is Of<T> {
  return (types as readonly string[]).includes(message.type)
}
