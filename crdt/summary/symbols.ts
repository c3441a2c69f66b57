import { MeshError } from '../errors.ts'

/**
 * A run of coded symbols. Symbol i sums up the ids that are mapped to index i: the xor of the ids (two lanes), the xor
 * of their checks, and how many they are. Symbols are linear: those of a difference of sets are the difference of
 * those of the sets.
 */
export interface CodedSymbols {
  readonly length: number
  readonly sumLow: Uint32Array
  readonly sumHigh: Uint32Array
  readonly check: Uint32Array
  readonly count: Int32Array
}

/** Most symbols of one set that are ever made or taken (64 MiB of them): enough for 3 million differences. */
export const MAX_SYMBOLS = 4 * 1024 * 1024
/** Most symbols in one encoded block: at most 2.1 MiB, which fits a frame. */
export const MAX_BLOCK_SYMBOLS = 128 * 1024
/** Sets are far smaller; the bound keeps differences of counts within 32 bits. */
const MAX_COUNT = 2 ** 29

const FIXED_BYTES = 12
const MAX_VARINT_BYTES = 5
const MAX_SYMBOL_BYTES = FIXED_BYTES + MAX_VARINT_BYTES

/** Symbols of the empty set. */
export function zeroSymbols(length: number): CodedSymbols {
  if (!(Number.isInteger(length) && length >= 0 && length <= MAX_SYMBOLS)) {
    throw new RangeError(`${length} symbols, not 0 to ${MAX_SYMBOLS}`)
  }
  return {
    length,
    sumLow: new Uint32Array(length),
    sumHigh: new Uint32Array(length),
    check: new Uint32Array(length),
    count: new Int32Array(length),
  }
}

/** A longer (or shorter) copy; what is new is zero. */
export function resized(symbols: CodedSymbols, length: number): CodedSymbols {
  const copy = zeroSymbols(length)
  copyInto(copy, 0, length < symbols.length ? slice(symbols, 0, length) : symbols)
  return copy
}

/** A copy of `count` symbols from index `from`. */
export function slice(symbols: CodedSymbols, from: number, count: number): CodedSymbols {
  const to = from + count
  if (!(from >= 0 && count >= 0 && to <= symbols.length)) {
    throw new RangeError(`symbols ${from} to ${to} of ${symbols.length}`)
  }
  return {
    length: count,
    sumLow: symbols.sumLow.slice(from, to),
    sumHigh: symbols.sumHigh.slice(from, to),
    check: symbols.check.slice(from, to),
    count: symbols.count.slice(from, to),
  }
}

/** Overwrites symbols from index `at` by those of `source`. */
export function copyInto(target: CodedSymbols, at: number, source: CodedSymbols): void {
  target.sumLow.set(source.sumLow, at)
  target.sumHigh.set(source.sumHigh, at)
  target.check.set(source.check, at)
  target.count.set(source.count, at)
}

/** Adds (`sign` 1) or subtracts (−1) symbols of equal length in place. */
export function accumulate(target: CodedSymbols, other: CodedSymbols, sign: 1 | -1): void {
  if (target.length !== other.length) throw new RangeError(`${other.length} symbols onto ${target.length}`)
  for (let i = 0; i < target.length; i++) {
    toggle(
      target,
      i,
      other.sumLow[i] as number,
      other.sumHigh[i] as number,
      other.check[i] as number,
      sign * (other.count[i] as number),
    )
  }
}

/** Adds one id's share (or another symbol) to symbol `i` in place. */
export function toggle(
  symbols: CodedSymbols,
  i: number,
  low: number,
  high: number,
  check: number,
  count: number,
): void {
  symbols.sumLow[i] = (symbols.sumLow[i] as number) ^ low
  symbols.sumHigh[i] = (symbols.sumHigh[i] as number) ^ high
  symbols.check[i] = (symbols.check[i] as number) ^ check
  symbols.count[i] = (symbols.count[i] as number) + count
}

/**
 * Symbols as bytes, one after the other: xor of ids (8), xor of checks (4, little-endian both), count (zigzag LEB128).
 */
export function encodeSymbols(symbols: CodedSymbols): Uint8Array {
  if (symbols.length > MAX_BLOCK_SYMBOLS) throw new RangeError(`a block of ${symbols.length} symbols`)
  const bytes = new Uint8Array(symbols.length * MAX_SYMBOL_BYTES)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let i = 0; i < symbols.length; i++) {
    view.setUint32(at, symbols.sumLow[i] as number, true)
    view.setUint32(at + 4, symbols.sumHigh[i] as number, true)
    view.setUint32(at + 8, symbols.check[i] as number, true)
    at += FIXED_BYTES
    const count = symbols.count[i] as number
    let rest = ((count << 1) ^ (count >> 31)) >>> 0
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
  }
  return bytes.slice(0, at)
}

/** @throws {MeshError} `SUMMARY_MALFORMED`, before anything larger than the bytes themselves is allocated */
export function decodeSymbols(bytes: Uint8Array): CodedSymbols {
  if (bytes.length > MAX_BLOCK_SYMBOLS * MAX_SYMBOL_BYTES) throw malformed(`${bytes.length} bytes are too many`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const symbols = zeroSymbols(Math.floor(bytes.length / (FIXED_BYTES + 1)))
  let length = 0
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at <= FIXED_BYTES) throw malformed('ends within a symbol')
    if (length === MAX_BLOCK_SYMBOLS) throw malformed(`more than ${MAX_BLOCK_SYMBOLS} symbols`)
    symbols.sumLow[length] = view.getUint32(at, true)
    symbols.sumHigh[length] = view.getUint32(at + 4, true)
    symbols.check[length] = view.getUint32(at + 8, true)
    at += FIXED_BYTES
    let zigzag = 0
    let size = 0
    let byte: number
    do {
      byte = bytes[at++] ?? 0x80
      if (size === MAX_VARINT_BYTES || at > bytes.length) throw malformed('a count does not end')
      zigzag += (byte & 0x7f) * 2 ** (7 * size++)
    } while (byte >= 0x80)
    if (byte === 0 && size > 1) throw malformed('a count is longer than it needs to be')
    if (zigzag > 2 * MAX_COUNT) throw malformed(`a count is beyond ±${MAX_COUNT}`)
    symbols.count[length++] = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }
  return slice(symbols, 0, length)
}

function malformed(what: string): MeshError {
  return new MeshError('SUMMARY_MALFORMED', `symbols: ${what}`, { field: 'symbols' })
}
