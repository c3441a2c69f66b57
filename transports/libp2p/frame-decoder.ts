import { MeshError } from '../../crdt/errors.ts'
import { MAX_FRAME_BYTES } from '../transport.ts'

/** A frame travels as its length, 4 bytes big-endian, and then its bytes. */
export const FRAME_HEADER_BYTES = 4

/** The first size that the decoder allocates: many channels carry a few short frames, and every one has a decoder. */
const FIRST_BUFFER_BYTES = 1024
/** The most that it keeps while empty: one encrypted message of the wire. */
const SMALL_BUFFER_BYTES = 64 * 1024

const NOTHING = new Uint8Array(0)

/** The header of a frame of so many bytes. @throws {MeshError} `FRAME_TOO_LARGE` above {@link MAX_FRAME_BYTES} */
export function encodeFrameHeader(length: number): Uint8Array {
  checkFrameLength(length, 'is')
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  new DataView(header.buffer).setUint32(0, length)
  return header
}

function checkFrameLength(length: number, verb: string): void {
  if (length <= MAX_FRAME_BYTES) return
  const message = `frame ${verb} ${length} bytes long; at most ${MAX_FRAME_BYTES} bytes travel in one frame`
  throw new MeshError('FRAME_TOO_LARGE', message, { field: 'frame' })
}

/**
 * Turns bytes in pieces of any size into frames. Received bytes are packed into one buffer, which grows with what has
 * really arrived (at most twice that) and never by what a peer announces; a peer that sends single bytes cannot make
 * it keep an object for each. Frames are cut off only when asked for.
 */
export class FrameDecoder {
  #bytes: Uint8Array = NOTHING
  #start = 0
  #end = 0

  /** Bytes received and not yet handed out, headers included. */
  get buffered(): number {
    return this.#end - this.#start
  }

  /** Bytes allocated. */
  get allocated(): number {
    return this.#bytes.byteLength
  }

  push(piece: Uint8Array): void {
    this.#makeRoom(piece.byteLength)
    this.#bytes.set(piece, this.#end)
    this.#end += piece.byteLength
  }

  /** Whether {@link next} has a frame. @throws {MeshError} `FRAME_TOO_LARGE` when the next header announces too much */
  ready(): boolean {
    const length = this.#nextLength()
    return length !== undefined && this.buffered >= FRAME_HEADER_BYTES + length
  }

  /**
   * The next whole frame, in memory of its own, or undefined until more is pushed.
   * @throws {MeshError} `FRAME_TOO_LARGE` when its header announces too much
   */
  next(): Uint8Array | undefined {
    const length = this.#nextLength()
    if (length === undefined || this.buffered < FRAME_HEADER_BYTES + length) return undefined
    const from = this.#start + FRAME_HEADER_BYTES
    const to = from + length
    const frame = this.#bytes.slice(from, to)
    this.#start = to
    if (this.buffered === 0) this.#reset()
    return frame
  }

  /** Forgets what is buffered. */
  clear(): void {
    this.#bytes = NOTHING
    this.#start = 0
    this.#end = 0
  }

  #nextLength(): number | undefined {
    if (this.buffered < FRAME_HEADER_BYTES) return undefined
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, FRAME_HEADER_BYTES)
    const length = view.getUint32(0)
    checkFrameLength(length, 'is announced to be')
    return length
  }

  #makeRoom(extra: number): void {
    if (this.#end + extra <= this.#bytes.byteLength) return
    const needed = this.buffered + extra
    if (needed <= this.#bytes.byteLength / 2) {
      this.#bytes.copyWithin(0, this.#start, this.#end)
    } else {
      const grown = new Uint8Array(Math.max(FIRST_BUFFER_BYTES, 2 ** Math.ceil(Math.log2(needed))))
      grown.set(this.#bytes.subarray(this.#start, this.#end))
      this.#bytes = grown
    }
    this.#end = this.buffered
    this.#start = 0
  }

  #reset(): void {
    this.#start = 0
    this.#end = 0
    if (this.#bytes.byteLength > SMALL_BUFFER_BYTES) this.#bytes = NOTHING
  }
}
