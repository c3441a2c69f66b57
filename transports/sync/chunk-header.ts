import { hash } from 'node:crypto'

// Automerge's chunks begin with 4 magic bytes and, as their checksum, the first 4 of the SHA-256 of all that follows.
const MAGIC = 0x856f4a83
const CHECKSUM_AT = 4
const HEADER_BYTES = 8
/** In a longer chunk 8 bytes are not worth hashing it. */
const MAX_HASHED_BYTES = 4_096

/**
 * An Automerge chunk without what its receiver can make again: magic bytes and checksum, of which the latter does not
 * compress. Undefined for anything from which {@link withHeader} would not make the same bytes: a long chunk, a run of
 * several, a deflated change (its checksum is that of the inflated one), no chunk at all.
 */
export function withoutHeader(chunk: Uint8Array): Uint8Array | undefined {
  if (chunk.length <= HEADER_BYTES || chunk.length > MAX_HASHED_BYTES) return undefined
  const rest = chunk.subarray(HEADER_BYTES)
  return wordAt(chunk, 0) === MAGIC && wordAt(chunk, CHECKSUM_AT) === checksumOf(rest) ? rest : undefined
}

/** The chunk of which these are the bytes behind its header, in memory of its own. */
export function withHeader(rest: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(HEADER_BYTES + rest.length)
  setWord(chunk, 0, MAGIC)
  setWord(chunk, CHECKSUM_AT, checksumOf(rest))
  chunk.set(rest, HEADER_BYTES)
  return chunk
}

// As hex: for few bytes half the time of a buffer.
const checksumOf = (bytes: Uint8Array) => Number.parseInt(hash('sha256', bytes).slice(0, 8), 16)

/** The 4 bytes there as a number, big-endian. */
export function wordAt(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number, number]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

function setWord(bytes: Uint8Array, at: number, word: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = word >>> (24 - 8 * i)
}
