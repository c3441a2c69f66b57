import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { MeshError } from '../errors.ts'

/**
 * The file: a line of text that says what it is, the version of its form (2 bytes, big-endian), then frames. A frame is
 * its type (1 byte), the length of its payload (4 bytes, big-endian), the CRC-32 of both and the payload (4 bytes,
 * big-endian), and the payload. docs/formats.md describes it for others.
 */
const MAGIC = Buffer.from('openclaw-mesh backup\n')
/** Form of the file that this code writes. A higher one is refused. */
const FORM = 1
const VERSION_BYTES = 2
const HEAD_BYTES = 9

/** Most bytes in the payload of a frame. What is longer goes on in the next. */
export const MAX_PAYLOAD_BYTES = 256 * 1024

/** Zstandard's window, as its logarithm: as much as a payload unpacks to, and so the most memory that one takes. */
export const WINDOW_LOG = 18

/**
 * What a frame holds: the header, the node's key, pairs as they are or compressed (Zstandard, RFC 8878), why no more can
 * follow, the end. In this order; the key may be missing.
 */
export type FrameType = 'h' | 'k' | 'p' | 'z' | 'x' | 'e'
const TYPES: ReadonlySet<string> = new Set<FrameType>(['h', 'k', 'p', 'z', 'x', 'e'])

export interface Frame {
  readonly type: FrameType
  readonly payload: Uint8Array
}

/** Makes the bytes of a file, front to back. */
export class FrameWriter {
  readonly #hash = createHash('sha256')

  /** What a file begins with. */
  begin(): Uint8Array {
    const start = Buffer.alloc(MAGIC.length + VERSION_BYTES)
    start.set(MAGIC)
    start.writeUInt16BE(FORM, MAGIC.length)
    this.#hash.update(start)
    return start
  }

  frame(type: FrameType, payload: Uint8Array): Uint8Array {
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length)
    bytes.write(type, 'latin1')
    bytes.writeUInt32BE(payload.length, 1)
    bytes.writeUInt32BE(crc32(payload, crc32(bytes.subarray(0, 5))), 5)
    bytes.set(payload, HEAD_BYTES)
    this.#hash.update(bytes)
    return bytes
  }

  /** Hex SHA-256 of all that was made so far; after it nothing but one more frame may follow. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}

/** A frame that was read, and the hex SHA-256 of all that stands before it, which only the last one is asked for. */
export interface FoundFrame extends Frame {
  readonly digestBefore: () => string
}

/**
 * Reads a file, frame by frame, each checked by itself. The source may come in pieces of any size. A length is looked at
 * before anything is gathered for it.
 * @throws {MeshError} `BACKUP_INVALID`, `BACKUP_TOO_NEW`, `BACKUP_DAMAGED`, and what the source throws
 */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<FoundFrame> {
  const bytes = new Pieces(source)
  try {
    const hash = createHash('sha256')
    const start = await bytes.take(MAGIC.length)
    if (Buffer.compare(start, MAGIC) !== 0) throw notABackup()
    const version = await bytes.take(VERSION_BYTES)
    if (version.length < VERSION_BYTES) throw cutOff(bytes.at)
    checkForm(version.readUInt16BE())
    hash.update(start).update(version)
    for (;;) {
      const { at } = bytes
      const head = await bytes.take(HEAD_BYTES)
      if (head.length === 0) return
      if (head.length < HEAD_BYTES) throw cutOff(bytes.at)
      const type = head.toString('latin1', 0, 1)
      const length = head.readUInt32BE(1)
      if (!isType(type) || length > MAX_PAYLOAD_BYTES) throw damaged(`what stands at byte ${at} is no part of one`)
      const payload = await bytes.take(length)
      if (payload.length < length) throw cutOff(bytes.at)
      if (crc32(payload, crc32(head.subarray(0, 5))) !== head.readUInt32BE(5)) {
        throw damaged(`the part at byte ${at} does not fit its checksum`)
      }
      yield { type, payload, digestBefore: () => hash.copy().digest('hex') }
      hash.update(head).update(payload)
    }
  } finally {
    await bytes.close()
  }
}

/** A part of a file that is not as it was written. Nothing that it says may be used. */
export function damaged(what: string, cause?: unknown): MeshError {
  return new MeshError('BACKUP_DAMAGED', `the backup is damaged: ${what}`, {
    hint: 'take another copy of it, or another backup',
    cause,
  })
}

const cutOff = (at: number) => damaged(`it ends at byte ${at}, in the middle`)

function notABackup(): MeshError {
  return new MeshError('BACKUP_INVALID', 'this is no backup of openclaw-mesh', {
    hint: '`mesh backup` makes one; what `mesh export` wrote is for `mesh import`',
  })
}

function checkForm(form: number): void {
  if (form === FORM) return
  if (form < FORM) throw damaged(`there is no form ${form} of it`)
  throw new MeshError('BACKUP_TOO_NEW', `the backup has form ${form}; this version knows up to ${FORM}`, {
    hint: 'use the version of openclaw-mesh that made it, or a later one',
  })
}

const isType = (type: string): type is FrameType => TYPES.has(type)

/** Takes runs of bytes from a source that comes in pieces of its own. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>
  #waiting: Uint8Array[] = []
  #length = 0
  /** How many bytes were taken. */
  at = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next so many bytes; fewer where the source ends before. */
  async take(length: number): Promise<Buffer> {
    while (this.#length < length) {
      const step = await this.#source.next()
      if (step.done) break
      this.#waiting.push(step.value)
      this.#length += step.value.length
    }
    const taken = this.#cut(Math.min(length, this.#length))
    this.at += taken.length
    return Buffer.from(taken.buffer, taken.byteOffset, taken.length)
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  #cut(length: number): Uint8Array {
    const [first] = this.#waiting
    const all = first !== undefined && first.length >= length ? first : Buffer.concat(this.#waiting)
    const rest = all === first ? this.#waiting.slice(1) : []
    this.#waiting = all.length > length ? [all.subarray(length), ...rest] : rest
    this.#length -= length
    return all.subarray(0, length)
  }
}
