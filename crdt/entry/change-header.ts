import { hash } from 'node:crypto'
import { MeshError } from '../errors.ts'

/** What an encoded change says of itself before its operations. */
export interface ChangeHeader {
  /** Hex. */
  readonly hash: string
  /** Hex hashes of the changes that it builds on. */
  readonly deps: readonly string[]
  /** As its author wrote it. */
  readonly time: number
  readonly message: string
}

// Automerge's binary format: 4 magic bytes, 4 of checksum, a type, the length of the contents, the contents.
const TYPE_AT = 8
const PLAIN_CHANGE = 1
const HASH_BYTES = 32

/**
 * Reads the header of a change as a document gives it. Decoding it whole instead would make an object of every
 * operation: half a gigabyte for a skill of the largest size.
 * @throws {MeshError} `CHANGE_MALFORMED`
 */
export function readChangeHeader(change: Uint8Array): ChangeHeader {
  try {
    const reader = new Reader(change.subarray(TYPE_AT))
    if (reader.unsigned() !== PLAIN_CHANGE) throw new RangeError('not a plain change')
    reader.unsigned() // length of the contents
    const deps: string[] = []
    for (let left = reader.unsigned(); left > 0; left--) deps.push(hex(reader.take(HASH_BYTES)))
    reader.take(reader.unsigned()) // the actor
    reader.unsigned() // its sequence number
    reader.unsigned() // number of the first operation
    const time = reader.signed()
    const text = reader.take(reader.unsigned())
    const message = Buffer.from(text.buffer, text.byteOffset, text.length).toString()
    return { hash: hashOf(change), deps, time, message }
  } catch (cause) {
    throw new MeshError('CHANGE_MALFORMED', 'not an Automerge change', { cause })
  }
}

/** Hex hash of an encoded change: that of all behind its magic bytes and its checksum. */
export function hashOf(change: Uint8Array): string {
  return hash('sha256', change.subarray(TYPE_AT))
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** Reads numbers in LEB128; the last digits of those beyond 2^53 are lost. */
class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new RangeError('ends too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  unsigned(): number {
    return this.#number().value
  }

  signed(): number {
    const { value, isNegative, range } = this.#number()
    return isNegative ? value - range : value
  }

  #number(): { value: number; isNegative: boolean; range: number } {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.take(1)[0] as number
      value += (byte & 0x7f) * scale
      if ((byte & 0x80) === 0) return { value, isNegative: (byte & 0x40) !== 0, range: scale * 128 }
    }
  }
}
