import { MeshError } from '../../crdt/errors.ts'

/**
 * What libp2p 3 lacks: its reader of multistream-select messages takes a length prefix of any size, and decodes it anew
 * from its first byte with each byte that comes. A stranger that writes 100 KB of 0xff so stops the process for
 * seconds, before anybody has asked who it is. No message of ours is longer than one byte can tell; so until a
 * protocol is chosen every length must be one, or the stream is dropped.
 */

/** The part of libp2p's message streams that all of them, raw, encrypted and multiplexed, take bytes in by. */
interface TakesData {
  /** What came before anybody listened. */
  readonly readBuffer: { readonly byteLength: number; subarray(): Uint8Array }
  onData(data: { subarray(): Uint8Array }): void
  abort(error: Error): void
}

/** Names that a peer may send before it has named a protocol that is taken. */
const MULTISTREAM = '/multistream/1.0.0'
/** Messages before one is taken; honest peers send two. */
const MAX_MESSAGES = 8
const LONGEST_PREFIX = 0x7f

const ascii = new TextDecoder('latin1')

/**
 * Looks at what comes in on a stream until a protocol that `isTaken` has been named; drops the stream when it is no
 * negotiation. To be called before anybody listens to it.
 */
export function guardNegotiation(stream: object, isTaken: (protocol: string) => boolean): void {
  const guarded = stream as TakesData
  const take = guarded.onData.bind(guarded)
  const reader = new NegotiationReader(isTaken)
  const drop = () => guarded.abort(new MeshError('CHANNEL_CLOSED', 'the peer did not negotiate a protocol'))
  guarded.onData = (data) => {
    if (reader.isDone || reader.read(data.subarray())) take(data)
    else drop()
  }
  if (guarded.readBuffer.byteLength > 0 && !reader.read(guarded.readBuffer.subarray())) drop()
}

/** Follows the messages of a negotiation: one byte of length, then a name that ends in a line feed. */
class NegotiationReader {
  isDone = false
  readonly #isTaken: (protocol: string) => boolean
  #message = ''
  #left = 0
  #messages = 0

  constructor(isTaken: (protocol: string) => boolean) {
    this.#isTaken = isTaken
  }

  /** False when this is no negotiation. */
  read(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length && !this.isDone; ) {
      if (this.#left === 0) {
        this.#left = bytes[at++] as number
        if (this.#left === 0 || this.#left > LONGEST_PREFIX || ++this.#messages > MAX_MESSAGES) return false
        continue
      }
      const part = bytes.subarray(at, at + this.#left)
      this.#message += ascii.decode(part)
      this.#left -= part.length
      at += part.length
      if (this.#left === 0) this.#end()
    }
    return true
  }

  #end(): void {
    const name = this.#message.trimEnd()
    this.#message = ''
    this.isDone = name !== MULTISTREAM && this.#isTaken(name)
  }
}
