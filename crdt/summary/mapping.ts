import { checkItem } from './item.ts'

/** Bytes of an id. */
export const ID_BYTES = 8

/**
 * Which 8 bytes of an item are its id: bytes 8k to 8k+8. The ids of two items may be equal in one window; both sides
 * then talk again over another one.
 */
export type Window = 0 | 1 | 2 | 3

/** Every window, in the order in which they are tried. */
export const WINDOWS: readonly Window[] = [0, 1, 2, 3]

/** The id of an item, as bytes within it. */
export function idOf(item: Uint8Array, window: Window): Uint8Array {
  checkItem(item)
  return item.subarray(window * ID_BYTES, (window + 1) * ID_BYTES)
}

/** An id's lanes as bytes again. */
export function idFromLanes(low: number, high: number): Uint8Array {
  const id = new Uint8Array(ID_BYTES)
  const view = new DataView(id.buffer)
  view.setUint32(0, low, true)
  view.setUint32(4, high, true)
  return id
}

/** 32 bits that tell a single id from the xor of several. Part of the format. */
export function checkOf(low: number, high: number): number {
  let h = Math.imul(low ^ 0x3c6ef372, 0xcc9e2d51)
  h = Math.imul((h ^ (h >>> 15)) + high, 0x1b873593)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Where an index is kept as 32 bits: this one, and all beyond, count as never. */
export const NEVER = 0xffff_ffff

/**
 * The indices of the coded symbols that an id is part of: 0, and every further index i with probability 1/(1+i/2), as
 * in Rateless IBLT (arXiv 2402.02668, section 4.2). They are found by jumps: with u uniform in (0,1) the next index
 * after i is `i + ceil((i + 1.5) × (1/sqrt(1-u) - 1))`. u comes from a generator seeded with the id (xoroshiro64**,
 * Blackman & Vigna). Part of the format; of floating point only what IEEE 754 rounds exactly is used.
 */
export class Walk {
  index = 0
  stateA = 0
  stateB = 0

  /** Begins at index 0. Both lanes go into both states: the ids of an entry's versions share their low lane. */
  start(low: number, high: number): void {
    this.resume(checkOf(low, high), high ^ Math.imul(low, 0x9e3779b1), 0)
  }

  /** Goes on where a walk of these states and index stopped. */
  resume(stateA: number, stateB: number, index: number): void {
    this.stateA = stateA
    this.stateB = stateB
    this.index = index
  }

  /** Jumps to the next index. */
  step(): void {
    const a = this.stateA
    const b = this.stateB ^ a
    const product = Math.imul(a, 0x9e3779bb)
    const random = Math.imul((product << 5) | (product >>> 27), 5) >>> 0
    this.stateA = ((a << 26) | (a >>> 6)) ^ b ^ (b << 9)
    this.stateB = (b << 13) | (b >>> 19)
    // Half a step off both ends of the interval: a jump is never 0 and never endless.
    const rest = (random + 0.5) / 0x1_0000_0000
    const next = this.index + Math.ceil((this.index + 1.5) * (1 / Math.sqrt(rest) - 1))
    this.index = Math.min(next, NEVER)
  }
}
