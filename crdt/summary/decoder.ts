import { MeshError } from '../errors.ts'
import { createEncoder, type SymbolSource } from './encoder.ts'
import { laneAt } from './item.ts'
import { checkOf, ID_BYTES, idFromLanes, Walk, type Window } from './mapping.ts'
import { accumulate, type CodedSymbols, copyInto, MAX_SYMBOLS, resized, slice, toggle, zeroSymbols } from './symbols.ts'

/** In what two sets differ. */
export interface Difference {
  /** Items of this side that the other side lacks. */
  readonly onlyHere: readonly Uint8Array[]
  /** Ids (8 bytes, of the decoder's window) of what only the other side has; there {@link itemsById} finds the items. */
  readonly onlyThere: readonly Uint8Array[]
}

/** Finds the difference to another set from that set's coded symbols. */
export interface Decoder {
  /** How many symbols were taken in: where the next block must begin. */
  readonly received: number
  /** The difference, or undefined while it is not known. */
  readonly difference: Difference | undefined
  /**
   * Takes in the next block. Returns true when the difference is known; further blocks are then passed over. Costs a
   * step for every id found so far: let blocks grow with `received`, and let this side say how long they are.
   * @throws {MeshError} `SYMBOLS_UNDECODABLE` when no two sets without a shared id give these symbols, when there are
   * none, or when far more came than any difference needs. Another window, with a new decoder, may help; this one must
   * not be used any more.
   */
  push(remote: CodedSymbols): boolean
}

/**
 * @param items the whole set of this side
 * @param local its symbols in `window`, where they are at hand; it must be able to give as many as the other side does
 */
export function createDecoder(
  items: readonly Uint8Array[],
  window: Window,
  local: SymbolSource = createEncoder(items, window),
): Decoder {
  return new PeelingDecoder(items, window, local)
}

/** The items whose id in `window` is among `ids`: all of them where several share one. In the order of `items`. */
export function itemsById(items: readonly Uint8Array[], window: Window, ids: readonly Uint8Array[]): Uint8Array[] {
  const highsByLow = new Map<number, number[]>()
  for (const id of ids) {
    const low = laneAt(id, 0)
    const highs = highsByLow.get(low)
    if (highs === undefined) highsByLow.set(low, [laneAt(id, 4)])
    else highs.push(laneAt(id, 4))
  }
  const at = window * ID_BYTES
  return items.filter((item) => highsByLow.get(laneAt(item, at))?.includes(laneAt(item, at + 4)))
}

// Needed are 1.35 to 1.72 symbols a difference where there are many, and some tens more where there are few: nobody
// honest comes near this bound.
const SYMBOLS_PER_ITEM = 4
const SPARE_SYMBOLS = 256

/**
 * Peeling (arXiv 2402.02668, section 3): a symbol of the difference that holds one id only gives it away, and taking
 * the id out of its other symbols leaves more of that kind. Whatever is pushed, at most as many ids are taken out as
 * symbols came, and each costs about 2 ln(symbols) steps: nonsense makes no work without end.
 */
class PeelingDecoder implements Decoder {
  readonly #items: readonly Uint8Array[]
  readonly #window: Window
  readonly #local: SymbolSource
  /** Their symbols less ours less the ids found; with room to grow beyond what was received. */
  #rest = zeroSymbols(0)
  #received = 0
  #most = 0
  #difference: Difference | undefined
  readonly #found = { low: [0], high: [0], sign: [0], stateA: [0], stateB: [0], index: [0] }
  /** Indices of symbols that may hold one id only. */
  readonly #candidates: number[] = []
  readonly #walk = new Walk()

  constructor(items: readonly Uint8Array[], window: Window, local: SymbolSource) {
    this.#items = items
    this.#window = window
    this.#local = local
    for (const lane of Object.values(this.#found)) lane.pop()
  }

  get received(): number {
    return this.#received
  }

  get difference(): Difference | undefined {
    return this.#difference
  }

  push(remote: CodedSymbols): boolean {
    if (this.#difference === undefined) {
      if (remote.length === 0) throw undecodable('an empty block, with which a talk would never end')
      this.#take(remote)
      for (let i = this.#candidates.pop(); i !== undefined; i = this.#candidates.pop()) this.#peel(i)
      // Every id is part of symbol 0: once that is empty, all are found.
      if (this.#rest.count[0] === 0 && this.#isBlank(0)) this.#difference = this.#conclude()
    }
    return this.#difference !== undefined
  }

  #take(remote: CodedSymbols): void {
    const from = this.#received
    if (from === 0) {
      const theirs = Math.max(0, remote.count[0] as number)
      this.#most = Math.min(MAX_SYMBOLS, SYMBOLS_PER_ITEM * (this.#items.length + theirs) + SPARE_SYMBOLS)
    }
    const received = from + remote.length
    if (from >= this.#most || received > MAX_SYMBOLS) throw undecodable(`${from} symbols did not suffice`)
    const block = slice(remote, 0, remote.length)
    accumulate(block, this.#local.symbols(from, block.length), -1)
    if (received > this.#rest.length) {
      this.#rest = resized(this.#rest, Math.min(MAX_SYMBOLS, Math.max(received, 2 * this.#rest.length)))
    }
    copyInto(this.#rest, from, block)
    this.#received = received
    this.#takeOutFound()
    for (let i = from; i < received; i++) this.#consider(i)
  }

  /** Takes the ids found so far out of the symbols that have come since. */
  #takeOutFound(): void {
    const { low, high, sign, stateA, stateB, index } = this.#found
    for (let i = 0; i < low.length; i++) {
      this.#walk.resume(stateA[i] as number, stateB[i] as number, index[i] as number)
      const check = checkOf(low[i] as number, high[i] as number)
      for (; this.#walk.index < this.#received; this.#walk.step()) {
        toggle(this.#rest, this.#walk.index, low[i] as number, high[i] as number, check, -(sign[i] as number))
      }
      this.#keepWalk(i)
    }
  }

  #keepWalk(i: number): void {
    this.#found.stateA[i] = this.#walk.stateA
    this.#found.stateB[i] = this.#walk.stateB
    this.#found.index[i] = this.#walk.index
  }

  #consider(i: number): void {
    const count = this.#rest.count[i]
    if (count === 1 || count === -1) this.#candidates.push(i)
    // The xor of different ids and of their checks vanishes by chance once in 2^96 times.
    else if (count !== 0 && this.#isBlank(i)) throw undecodable('two items of one side share an id')
  }

  #isBlank(i: number): boolean {
    return this.#rest.sumLow[i] === 0 && this.#rest.sumHigh[i] === 0 && this.#rest.check[i] === 0
  }

  #peel(i: number): void {
    const sign = this.#rest.count[i] as number
    const low = this.#rest.sumLow[i] as number
    const high = this.#rest.sumHigh[i] as number
    const check = checkOf(low, high)
    // Several ids can leave ±1, and the check of several can look like that of one.
    if ((sign !== 1 && sign !== -1) || check !== this.#rest.check[i]) return
    const path: number[] = []
    for (this.#walk.start(low, high); this.#walk.index < this.#received; this.#walk.step()) path.push(this.#walk.index)
    if (!path.includes(i)) return
    const { length } = this.#found.low
    if (length === this.#received) throw undecodable('they give away more ids than there can be')
    this.#found.low.push(low)
    this.#found.high.push(high)
    this.#found.sign.push(sign)
    this.#keepWalk(length)
    for (const at of path) {
      toggle(this.#rest, at, low, high, check, -sign)
      this.#consider(at)
    }
  }

  #conclude(): Difference {
    for (let i = 0; i < this.#received; i++) {
      if (this.#rest.count[i] !== 0 || !this.#isBlank(i)) throw undecodable('something is left when all is found')
    }
    const here = this.#ids(-1)
    const onlyThere = this.#ids(1)
    const onlyHere = itemsById(this.#items, this.#window, here)
    if (onlyHere.length !== here.length || itemsById(this.#items, this.#window, onlyThere).length > 0) {
      throw undecodable('they do not agree with the items of this side')
    }
    return { onlyHere, onlyThere }
  }

  #ids(sign: 1 | -1): Uint8Array[] {
    const { low, high } = this.#found
    return this.#found.sign.flatMap((s, i) => (s === sign ? [idFromLanes(low[i] as number, high[i] as number)] : []))
  }
}

function undecodable(what: string): MeshError {
  const hint = 'another window may help; if none does, the other side is at fault'
  return new MeshError('SYMBOLS_UNDECODABLE', `symbols: ${what}`, { field: 'symbols', hint })
}
