import { MeshError } from '../errors.ts'
import { checkItem, laneAt } from './item.ts'

/** Bytes of the random seed of a session. */
export const BLOOM_SEED_BYTES = 16
/**
 * Largest bit array that is made or taken: it must fit a frame of 4 MiB with room for what stands around it. Beyond 3.1
 * million items at 10 bits each the filter gets fewer bits an item; the exact finish finds what it then passes over.
 */
export const MAX_BLOOM_BYTES = 3.75 * 1024 * 1024

const HEADER_BYTES = 1 + BLOOM_SEED_BYTES + 4
/** 16 probes are the best for 23 bits an item; more are of no use to anyone. */
const MAX_PROBES = 16

export interface BloomInit {
  /** How many items will be put in. */
  readonly size: number
  /** More bits, fewer false positives: 10 give 0.8 %, 5 give 9 %, 2 give 39 %. */
  readonly bitsPerItem?: number
  /** {@link BLOOM_SEED_BYTES} random bytes, new for each session, so that no item is passed over in every one. */
  readonly seed: Uint8Array
}

/** A set of items, approximately: an item that was put in is always found, another one rarely. */
export interface Bloom {
  add(item: Uint8Array): void
  /** Whether the item may be in the set; false is certain. */
  has(item: Uint8Array): boolean
  encode(): Uint8Array
}

/** Makes an empty filter. @throws {RangeError} for a size, bits an item or seed that make no filter */
export function createBloom({ size, bitsPerItem = 10, seed }: BloomInit): Bloom {
  if (!(bitsPerItem >= 1 && bitsPerItem <= 32)) throw new RangeError(`${bitsPerItem} bits an item, not 1 to 32`)
  if (!(Number.isSafeInteger(size) && size >= 0)) throw new RangeError(`a filter for ${size} items`)
  if (seed.length !== BLOOM_SEED_BYTES) throw new RangeError(`a seed is of ${BLOOM_SEED_BYTES} bytes`)
  const bytes = Math.min(MAX_BLOOM_BYTES, Math.max(1, Math.ceil((size * bitsPerItem) / 8)))
  const probes = probesFor(size === 0 ? bitsPerItem : Math.min(bitsPerItem, (bytes * 8) / size))
  return new BitFilter(new Uint8Array(bytes), probes, seed)
}

/** @throws {MeshError} `SUMMARY_MALFORMED` */
export function decodeBloom(encoded: Uint8Array): Bloom {
  const length = encoded.length - HEADER_BYTES
  if (length < 1) throw malformed(`${encoded.length} bytes are too few`)
  if (length > MAX_BLOOM_BYTES) throw malformed(`${length} bytes of filter, at most ${MAX_BLOOM_BYTES}`)
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.length)
  const probes = view.getUint8(0)
  if (probes < 1 || probes > MAX_PROBES) throw malformed(`${probes} probes, not 1 to ${MAX_PROBES}`)
  const said = view.getUint32(1 + BLOOM_SEED_BYTES)
  if (said !== length) throw malformed(`${said} bytes announced, ${length} there`)
  return new BitFilter(encoded.slice(HEADER_BYTES), probes, encoded.slice(1, 1 + BLOOM_SEED_BYTES))
}

function malformed(what: string): MeshError {
  return new MeshError('SUMMARY_MALFORMED', `bloom: ${what}`, { field: 'bloom' })
}

/** The number that makes false positives fewest: bits an item × ln 2 (Mitzenmacher & Upfal, section 5.5.3). */
function probesFor(bitsPerItem: number): number {
  return Math.min(MAX_PROBES, Math.max(1, Math.round(bitsPerItem * Math.LN2)))
}

/** How often a filter of so many bits an item takes another item for one of its own: (1 − e^(−k/b))^k, as there. */
export function falsePositives(bitsPerItem: number): number {
  const probes = probesFor(bitsPerItem)
  return (1 - Math.exp(-probes / bitsPerItem)) ** probes
}

/**
 * Encoded: probes (1 byte), seed (16), length of the bit array in bytes (4, big-endian), the bits (bit i is bit i mod 8
 * of byte i div 8). Positions are part of the format: other implementations must compute the same ones.
 */
class BitFilter implements Bloom {
  readonly #bits: Uint8Array
  readonly #size: number
  readonly #probes: number
  readonly #seed: Uint8Array
  readonly #seedLanes: Uint32Array

  constructor(bits: Uint8Array, probes: number, seed: Uint8Array) {
    this.#bits = bits
    this.#size = bits.length * 8
    this.#probes = probes
    this.#seed = seed.slice()
    const view = new DataView(this.#seed.buffer)
    this.#seedLanes = Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true))
  }

  add(item: Uint8Array): void {
    this.#probe(item, true)
  }

  has(item: Uint8Array): boolean {
    return this.#probe(item, false)
  }

  encode(): Uint8Array {
    const encoded = new Uint8Array(HEADER_BYTES + this.#bits.length)
    encoded[0] = this.#probes
    encoded.set(this.#seed, 1)
    new DataView(encoded.buffer).setUint32(1 + BLOOM_SEED_BYTES, this.#bits.length)
    encoded.set(this.#bits, HEADER_BYTES)
    return encoded
  }

  // Double hashing with a growing step (Dillinger & Manolios, "Bloom Filters in Probabilistic Verification", 2004): two
  // hashes serve for all probes. One loop for adding and asking, so that the two can never differ.
  #probe(item: Uint8Array, add: boolean): boolean {
    checkItem(item)
    let position = seededHash(item, 0, this.#seedLanes[0] as number, this.#seedLanes[1] as number)
    let step = seededHash(item, 16, this.#seedLanes[2] as number, this.#seedLanes[3] as number)
    const bits = this.#bits
    for (let i = 1; i <= this.#probes; i++) {
      // The high bits of a 32-bit hash, scaled to the size: exact enough in a double, and no division.
      const bit = Math.floor((position / 0x1_0000_0000) * this.#size)
      const mask = 1 << (bit & 7)
      if (add) bits[bit >>> 3] = (bits[bit >>> 3] as number) | mask
      else if (((bits[bit >>> 3] as number) & mask) === 0) return false
      position = (position + step) >>> 0
      step = (step + i) >>> 0
    }
    return true
  }
}

/** 32 bits of hash over 16 bytes of an item, which is uniform already; the seed only has to shuffle it anew. */
function seededHash(item: Uint8Array, from: number, seedA: number, seedB: number): number {
  let h = seedA
  for (let at = from; at < from + 16; at += 4) {
    h = Math.imul(h ^ laneAt(item, at), 0x9e3779b1)
    h = (h ^ (h >>> 15)) + seedB
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
