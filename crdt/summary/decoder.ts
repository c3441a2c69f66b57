import { MeshError } from '../errors.ts'
import { checkOf, idFromLanes, Walk } from './mapping.ts'
import type { SymbolSource } from './prefix.ts'
import { accumulate, type CodedSymbols, copyInto, MAX_SYMBOLS, resized, slice, toggle, zeroSymbols } from './symbols.ts'

/** In what two sets differ. */
export interface Difference {
  /** Ids (8 bytes, of the symbols' window) of items of this side that the other side lacks. */
  readonly onlyHere: readonly Uint8Array[]
  /** Ids of what only the other side has. */
  readonly onlyThere: readonly Uint8Array[]
}

/** Finds the difference to another set from that set's coded symbols. */
export interface Decoder {
  /** How many symbols were taken in: where the next block must begin. */
  readonly received: number
  /** The difference, or undefined while it is not known. */
  readonly difference: Difference | undefined
  /**
   * About how many items the sets differ in, from the symbols received; within some ten percent where those are 256 and
   * differ in most. 0 before any came.
   */
  readonly estimate: number
  /**
   * Takes in the next block. Returns true when the difference is known; further blocks are then passed over. Costs a
   * step for every id found so far: let blocks grow with `received`, and let this side say how long they are.
   * @throws {MeshError} `SYMBOLS_UNDECODABLE` when no two sets without a shared id give these symbols, when there are
   * none, or when far more came than any difference needs. Another window, with a new decoder, may help; this one must
   * not be used any more.
   */
  push(remote: CodedSymbols): boolean
  /** As {@link push}, in steps of some milliseconds, between which others may have a turn. */
  pushInSteps(remote: CodedSymbols): Generator<undefined, void>
}

/**
 * The difference that it finds is that of two sets of ids: whether this side really has what `onlyHere` says is for the
 * caller to see, who can look ids up.
 *
 * @param local symbols of this side's set; it must be able to give as many as the other side does
 * @param size how many items this side has
 */
export function createDecoder(local: SymbolSource, size: number): Decoder {
  return new PeelingDecoder(local, size)
}

// Needed are 1.35 to 1.72 symbols a difference where there are many, and some tens more where there are few: nobody
// honest comes near this bound.
const SYMBOLS_PER_ITEM = 4
const SPARE_SYMBOLS = 256
/** Symbols looked at in one step. */
const SYMBOLS_PER_STEP = 2_048

/**
 * Peeling (arXiv 2402.02668, section 3): a symbol of the difference that holds one id only gives it away, and taking
 * the id out of its other symbols leaves more of that kind. Whatever is pushed, at most as many ids are taken out as
 * symbols came, and each costs about 2 ln(symbols) steps: nonsense makes no work without end.
 */
class PeelingDecoder implements Decoder {
  readonly #local: SymbolSource
  readonly #size: number
  /** Their symbols less ours less the ids found; with room to grow beyond what was received. */
  #rest = zeroSymbols(0)
  #received = 0
  #most = 0
  #difference: Difference | undefined
  readonly #found = { low: [0], high: [0], sign: [0], stateA: [0], stateB: [0], index: [0] }
  /** Indices of symbols that may hold one id only. */
  readonly #candidates: number[] = []
  readonly #walk = new Walk()

  constructor(local: SymbolSource, size: number) {
    this.#local = local
    this.#size = size
    for (const lane of Object.values(this.#found)) lane.pop()
  }

  get received(): number {
    return this.#received
  }

  get difference(): Difference | undefined {
    return this.#difference
  }

  get estimate(): number {
    return Math.round(this.#found.low.length + spread(this.#rest.count.subarray(0, this.#received)))
  }

  push(remote: CodedSymbols): boolean {
    for (const _ of this.pushInSteps(remote));
    return this.#difference !== undefined
  }

  *pushInSteps(remote: CodedSymbols): Generator<undefined, void> {
    if (this.#difference !== undefined) return
    if (remote.length === 0) throw undecodable('an empty block, with which a talk would never end')
    this.#take(remote)
    let peeled = 0
    for (let i = this.#candidates.pop(); i !== undefined; i = this.#candidates.pop()) {
      this.#peel(i)
      if (++peeled % SYMBOLS_PER_STEP === 0) yield
    }
    // Every id is part of symbol 0: once that is empty, all are found.
    if (this.#rest.count[0] === 0 && this.#isBlank(0)) this.#difference = this.#conclude()
  }

  #take(remote: CodedSymbols): void {
    const from = this.#received
    if (from === 0) {
      const theirs = Math.max(0, remote.count[0] as number)
      this.#most = Math.min(MAX_SYMBOLS, SYMBOLS_PER_ITEM * (this.#size + theirs) + SPARE_SYMBOLS)
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
    return { onlyHere: this.#ids(-1), onlyThere: this.#ids(1) }
  }

  #ids(sign: 1 | -1): Uint8Array[] {
    const { low, high } = this.#found
    return this.#found.sign.flatMap((s, i) => (s === sign ? [idFromLanes(low[i] as number, high[i] as number)] : []))
  }
}

/**
 * How many ids make the counts of a difference vary as they do. An id is part of symbol i with probability p and counts
 * there as 1 or −1; so the square of a count's distance from its mean, over p(1−p), is that many in expectation. p is
 * that of the walk's rounded jumps, not 1/(1+i/2): the few percent between them, times a large net, would be squared.
 * A jump from j goes beyond i with probability ((j+1.5)/(i+1.5))²; so p is what all j < i give i.
 */
function spread(counts: Int32Array): number {
  const net = counts[0] ?? 0
  let sum = 0
  let reach = 1.5 ** 2
  for (let i = 1; i < counts.length; i++) {
    const p = reach * ((i + 0.5) ** -2 - (i + 1.5) ** -2)
    reach += p * (i + 1.5) ** 2
    sum += ((counts[i] as number) - net * p) ** 2 / (p * (1 - p))
  }
  return counts.length < 2 ? Math.abs(net) : Math.max(Math.abs(net), sum / (counts.length - 1))
}

function undecodable(what: string): MeshError {
  const hint = 'another window may help; if none does, the other side is at fault'
  return new MeshError('SYMBOLS_UNDECODABLE', `symbols: ${what}`, { field: 'symbols', hint })
}
