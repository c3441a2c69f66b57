import { laneAt } from './item.ts'
import { checkOf, type IdLanes, idOf, lanesOf, Walk, type Window } from './mapping.ts'
import { accumulate, type CodedSymbols, MAX_SYMBOLS, resized, slice, toggle, zeroSymbols } from './symbols.ts'

/** Something that can give the coded symbols of a set. */
export interface SymbolSource {
  /**
   * A copy of `count` symbols from index `from`.
   * @throws {RangeError} past what the source can give: the length of a prefix, `MAX_SYMBOLS` of an encoder
   */
  symbols(from: number, count: number): CodedSymbols
}

/** Fewest symbols made at a time. */
const FIRST_SYMBOLS = 64

/** Symbols of a set that does not change, made as they are asked for. Keeps 20 bytes an item, 16 a symbol. */
export function createEncoder(items: readonly Uint8Array[], window: Window): SymbolSource {
  return new Encoder(lanesOf(items, window))
}

class Encoder implements SymbolSource {
  readonly #ids: IdLanes
  readonly #walks: { readonly stateA: Uint32Array; readonly stateB: Uint32Array; readonly index: Uint32Array }
  #made = zeroSymbols(0)

  constructor(ids: IdLanes) {
    this.#ids = ids
    this.#walks = { stateA: ids.low.slice(), stateB: ids.high.slice(), index: new Uint32Array(ids.low.length) }
  }

  symbols(from: number, count: number): CodedSymbols {
    if (from + count > this.#made.length) this.#extend(from + count)
    return slice(this.#made, from, count)
  }

  // Doubled, so that looking at every item is paid for by as many symbols again, however few are asked for at a time.
  #extend(wanted: number): void {
    if (!(wanted <= MAX_SYMBOLS)) throw new RangeError(`${wanted} symbols, at most ${MAX_SYMBOLS}`)
    const length = Math.min(MAX_SYMBOLS, Math.max(FIRST_SYMBOLS, wanted, 2 * this.#made.length))
    const made = resized(this.#made, length)
    const { low, high } = this.#ids
    const { stateA, stateB, index } = this.#walks
    const walk = new Walk()
    for (let i = 0; i < low.length; i++) {
      walk.resume(stateA[i] as number, stateB[i] as number, index[i] as number)
      addWalk(made, walk, low[i] as number, high[i] as number, 1)
      stateA[i] = walk.stateA
      stateB[i] = walk.stateB
      index[i] = walk.index
    }
    this.#made = made
  }
}

/**
 * The first symbols of a set that changes: kept up to date by a commit (which touches about 2 ln(length) of them)
 * instead of made from the whole set for each talk. Prefixes of disjoint sets add up: one a scope, summed for a peer.
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

  add(item: Uint8Array): void {
    this.#apply(item, 0, 1)
  }

  /** Takes out an item that was added. (Nothing here can tell whether it was.) */
  remove(item: Uint8Array): void {
    this.#apply(item, 0, -1)
  }

  /** Lengthens the prefix. @param items the whole set that it stands for at this moment */
  extend(length: number, items: Iterable<Uint8Array>): void {
    const from = this.length
    if (!(length >= from)) throw new RangeError(`a prefix of ${from} cannot be extended to ${length}`)
    this.#symbols = resized(this.#symbols, length)
    for (const item of items) this.#apply(item, from, 1)
  }

  /** Adds the prefix of a set that is disjoint from this one. Both must be of one window and length. */
  addPrefix(other: SymbolPrefix): void {
    this.#accumulate(other, 1)
  }

  /** Subtracts the prefix of another set: what remains is the difference of both. */
  subtract(other: SymbolPrefix): void {
    this.#accumulate(other, -1)
  }

  symbols(from: number, count: number): CodedSymbols {
    return slice(this.#symbols, from, count)
  }

  #accumulate(other: SymbolPrefix, sign: 1 | -1): void {
    if (other.window !== this.window) throw new RangeError(`window ${other.window} onto window ${this.window}`)
    accumulate(this.#symbols, other.#symbols, sign)
  }

  #apply(item: Uint8Array, from: number, count: 1 | -1): void {
    const id = idOf(item, this.window)
    const low = laneAt(id, 0)
    const high = laneAt(id, 4)
    this.#walk.start(low, high)
    while (this.#walk.index < from) this.#walk.step()
    addWalk(this.#symbols, this.#walk, low, high, count)
  }
}

/** Adds an id to every symbol from where the walk stands; the walk ends at the first index beyond. */
function addWalk(symbols: CodedSymbols, walk: Walk, low: number, high: number, count: number): void {
  const check = checkOf(low, high)
  while (walk.index < symbols.length) {
    toggle(symbols, walk.index, low, high, check, count)
    walk.step()
  }
}
