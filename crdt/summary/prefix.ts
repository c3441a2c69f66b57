import { laneAt } from './item.ts'
import { checkOf, idOf, Walk, type Window } from './mapping.ts'
import { type CodedSymbols, slice, toggle, zeroSymbols } from './symbols.ts'

/** Something that can give the coded symbols of a set. */
export interface SymbolSource {
  /**
   * A copy of `count` symbols from index `from`.
   * @throws {RangeError} past what the source can give
   */
  symbols(from: number, count: number): CodedSymbols
}

/** Bytes of one symbol of a kept prefix. */
const SYMBOL_BYTES = 16

/**
 * The first symbols of a set that changes: kept up to date by a commit (which touches about 2 ln(length) of them)
 * instead of made from the whole set for each talk. Symbols are linear:
 * those of two disjoint sets add up.
 */
export class SymbolPrefix implements SymbolSource {
  readonly window: Window
  #symbols: CodedSymbols
  readonly #walk = new Walk()

  /** The prefix of the empty set. */
  constructor(window: Window, length: number) {
    this.window = window
    this.#symbols = zeroSymbols(length)
  }

  get length(): number {
    return this.#symbols.length
  }

  /** How many items it stands for. */
  get size(): number {
    return this.#symbols.count[0] ?? 0
  }

  add(item: Uint8Array): void {
    this.addId(idOf(item, this.window))
  }

  /** Takes out an item that was added. (Nothing here can tell whether it was.) */
  remove(item: Uint8Array): void {
    this.removeId(idOf(item, this.window))
  }

  /** As {@link add}, by an item's id in this prefix's window. */
  addId(id: Uint8Array): void {
    this.#apply(id, 1)
  }

  /** As {@link remove}, by an item's id in this prefix's window. */
  removeId(id: Uint8Array): void {
    this.#apply(id, -1)
  }

  /** A prefix of the same set that changes on its own. */
  copy(): SymbolPrefix {
    const copy = new SymbolPrefix(this.window, 0)
    copy.#symbols = slice(this.#symbols, 0, this.length)
    return copy
  }

  /** To be kept; {@link SymbolPrefix.decode} reads it. 16 bytes a symbol, in four runs of 32-bit little-endian lanes. */
  encode(): Uint8Array {
    const { sumLow, sumHigh, check, count } = this.#symbols
    const lanes = [sumLow, sumHigh, check, count]
    return Buffer.concat(
      lanes.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
    )
  }

  /** Undoes {@link encode}. @throws {RangeError} for bytes that it did not write */
  static decode(window: Window, bytes: Uint8Array): SymbolPrefix {
    const prefix = new SymbolPrefix(window, bytes.length / SYMBOL_BYTES)
    const { sumLow, sumHigh, check, count } = prefix.#symbols
    for (const [i, lane] of [sumLow, sumHigh, check, count].entries()) {
      const run = bytes.subarray(i * lane.byteLength, (i + 1) * lane.byteLength)
      new Uint8Array(lane.buffer).set(run)
    }
    return prefix
  }

  symbols(from: number, count: number): CodedSymbols {
    return slice(this.#symbols, from, count)
  }

  #apply(id: Uint8Array, count: 1 | -1): void {
    const low = laneAt(id, 0)
    const high = laneAt(id, 4)
    const check = checkOf(low, high)
    for (this.#walk.start(low, high); this.#walk.index < this.length; this.#walk.step()) {
      toggle(this.#symbols, this.#walk.index, low, high, check, count)
    }
  }
}
