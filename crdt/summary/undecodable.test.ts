import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CodedSymbols,
  createDecoder,
  type Difference,
  decodeSymbols,
  encodeSymbols,
  ID_BYTES,
  idOf,
  MAX_SYMBOLS,
  SymbolPrefix,
  WINDOWS,
  type Window,
} from './index.ts'
import {
  decoderOf,
  faultOf,
  growing,
  hashes,
  hex,
  idsOf,
  oneByOne,
  prefixOf,
  run,
  sourceOf,
  twoSets,
} from './source-suite.ts'

/** The difference by one window as texts in order, or the fault. */
function differ(here: readonly Uint8Array[], there: readonly Uint8Array[], window: Window) {
  let found: Difference | undefined
  const fault = faultOf(() => {
    found = run(decoderOf(here, window), sourceOf(there, window), growing)
  })
  if (found === undefined) return fault
  return { onlyHere: found.onlyHere.map(hex).sort(), onlyThere: found.onlyThere.map(hex).sort() }
}

/** What each side lacks as a session finds it out: by the first window that does not fail. */
function reconcile(here: readonly Uint8Array[], there: readonly Uint8Array[]) {
  const faults: unknown[] = []
  for (const window of WINDOWS) {
    const found = differ(here, there, window)
    if (typeof found === 'object') return { faults, window, found }
    faults.push(found)
  }
  return { faults }
}

/** The same by plain sets, as ids. */
function lacking(from: readonly Uint8Array[], within: readonly Uint8Array[], window: Window): string[] {
  const known = new Set(within.map(hex))
  return idsOf(
    from.filter((item) => !known.has(hex(item))),
    window,
  )
}

describe('items that share an id', () => {
  /** As `item`, but alike to `other` in a window: what a member could bring about with much computing. */
  function alike(item: Uint8Array, other: Uint8Array, windows: readonly Window[]): Uint8Array {
    const copy = item.slice()
    for (const window of windows) copy.set(idOf(other, window), window * ID_BYTES)
    return copy
  }
  const { here, there, onlyHere, onlyThere } = twoSets('alike', { shared: 100, here: 5, there: 5, edited: 3 })
  const common = here[50] as Uint8Array
  const [extra, other] = hashes('extra', 2) as [Uint8Array, Uint8Array]
  const [mine] = onlyHere as [Uint8Array]
  const [theirs] = onlyThere as [Uint8Array]

  it.each<[string, Window, Uint8Array[], Uint8Array[]]>([
    ['two of there', 1, here, [...there, alike(extra, theirs, [0])]],
    ['two of here', 1, [...here, alike(extra, mine, [0])], there],
    ['two of there and two of here', 1, [...here, alike(extra, mine, [0])], [...there, alike(other, theirs, [0])]],
    ['two of there in two windows', 2, here, [...there, alike(extra, theirs, [0, 1])]],
    ['two of there in all windows but the last', 3, here, [...there, alike(extra, theirs, [0, 1, 2])]],
  ])('are told apart by another window: %s', (_, window, ours, others) => {
    expect(reconcile(ours, others)).toEqual({
      faults: new Array(window).fill('SYMBOLS_UNDECODABLE'),
      window,
      found: { onlyHere: lacking(ours, others, window), onlyThere: lacking(others, ours, window) },
    })
  })

  // Ids that both sides have once are equal ids: what is left is what a caller finds by them on the side that has them.
  it.each<[string, Uint8Array[], Uint8Array[], { here: Uint8Array[]; there: Uint8Array[] }]>([
    [
      'one of there and one that both have',
      here,
      [...there, alike(extra, common, [0])],
      { here: onlyHere, there: [...onlyThere, common] },
    ],
    [
      'one of here and one that both have',
      [...here, alike(extra, common, [0])],
      there,
      { here: [...onlyHere, common], there: onlyThere },
    ],
    [
      'two of there and one of here',
      here,
      [...there, alike(extra, mine, [0]), alike(other, mine, [0])],
      { here: onlyHere.slice(1), there: [...onlyThere, mine] },
    ],
  ])('cancel out where each side has one, and the next window tells: %s', (_, ours, others, seen) => {
    expect(differ(ours, others, 0)).toEqual({ onlyHere: idsOf(seen.here, 0), onlyThere: idsOf(seen.there, 0) })
    expect(differ(ours, others, 1)).toEqual({
      onlyHere: lacking(ours, others, 1),
      onlyThere: lacking(others, ours, 1),
    })
  })

  it('are noticed long before the bound', () => {
    const remote = sourceOf([...there, alike(extra, theirs, [0])], 0)
    const decoder = decoderOf(here, 0)
    expect(faultOf(() => run(decoder, remote, oneByOne))).toBe('SYMBOLS_UNDECODABLE')
    expect(decoder.received).toBeLessThan(100)
  })

  it('one here and one there look equal in that window: only the digest tells, and the next window finds both', () => {
    const twin = alike(extra, mine, [0])
    const blind = run(decoderOf([mine], 0), sourceOf([twin], 0), oneByOne)
    expect(blind).toEqual({ onlyHere: [], onlyThere: [] })
    const seeing = run(decoderOf([mine], 1), sourceOf([twin], 1), oneByOne)
    expect(seeing).toEqual({ onlyHere: [idOf(mine, 1)], onlyThere: [idOf(twin, 1)] })
  })
})
describe('symbols that no set has (S-16)', () => {
  const { here, there } = twoSets('nonsense', { shared: 60, here: 8, there: 8, edited: 4 })
  const nothing = () => createDecoder(new SymbolPrefix(0, MAX_SYMBOLS), 0)

  /** Runs on until an end; every way to an end is fine but endless work or an untyped error. */
  function ends(sourceOf: (from: number) => CodedSymbols): string {
    const decoder = decoderOf(here, 0)
    for (let pushes = 0; pushes < 5_000; pushes++) {
      const fault = faultOf(() => decoder.push(sourceOf(decoder.received)))
      expect(Number.isFinite(decoder.estimate) && decoder.estimate >= 0).toBe(true)
      if (fault !== undefined) return String(fault)
      if (decoder.difference !== undefined) return 'decoded'
    }
    return 'endless'
  }

  it('end in a typed error when they are random', () => {
    const block = fc.uint8Array({ minLength: 64 * 12, maxLength: 64 * 12 })
    const counts = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 64, maxLength: 64 })
    fc.assert(
      fc.property(block, counts, (bytes, count) => {
        const words = new Uint32Array(bytes.buffer.slice(0, 64 * 12))
        const symbols = (from: number) => ({
          length: 64,
          sumLow: words.slice(0, 64).map((word) => word ^ from),
          sumHigh: words.slice(64, 128),
          check: words.slice(128, 192),
          count: Int32Array.from(count),
        })
        expect(ends(symbols)).toBe('SYMBOLS_UNDECODABLE')
      }),
      { numRuns: 100 },
    )
  })

  it('end when a few bits of sound ones are flipped', () => {
    const remote = sourceOf(there, 0)
    const flips = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 7 })), { minLength: 1, maxLength: 5 })
    const outcomes = new Set<string>()
    fc.assert(
      fc.property(flips, (list) => {
        const outcome = ends((from) => {
          const bytes = encodeSymbols(remote.symbols(from, 40))
          if (from === 0) for (const [at, bit] of list) bytes[at] = (bytes[at] as number) ^ (1 << bit)
          try {
            return decodeSymbols(bytes)
          } catch {
            return remote.symbols(from, 40)
          }
        })
        outcomes.add(outcome)
        expect(['decoded', 'SYMBOLS_UNDECODABLE']).toContain(outcome)
      }),
      { numRuns: 200 },
    )
    expect(outcomes).toContain('SYMBOLS_UNDECODABLE')
  })

  it('end when an id comes back each time it is taken out', () => {
    const [item] = hashes('ghost', 1) as [Uint8Array]
    const ghost = prefixOf([item], 0, 64).symbols(0, 64)
    // Only symbol 0 holds it: taking it out there puts it, negative, into the others, and back.
    for (const lane of [ghost.sumLow, ghost.sumHigh, ghost.check, ghost.count]) lane.fill(0, 1)
    expect(faultOf(() => nothing().push(ghost))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when an id stands at an index that it is not mapped to', () => {
    const [item] = hashes('astray', 1) as [Uint8Array]
    const symbols = prefixOf([item], 0, 64).symbols(0, 64)
    const astray = symbols.count.indexOf(0)
    for (const lane of [symbols.sumLow, symbols.sumHigh, symbols.check, symbols.count]) lane[astray] = lane[0] as number
    expect(faultOf(() => nothing().push(symbols))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when all is found and something is left', () => {
    const symbols = new SymbolPrefix(0, 64).symbols(0, 64)
    symbols.sumLow[5] = 9
    symbols.count[5] = 7
    expect(faultOf(() => nothing().push(symbols))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('come out as ids that this side has not, where they claim such: the caller looks ids up', () => {
    const [stranger] = hashes('stranger', 1) as [Uint8Array]
    const negative = prefixOf(here, 0, 64)
    negative.remove(stranger)
    const decoder = decoderOf(here, 0)
    expect(decoder.push(negative.symbols(0, 64))).toBe(true)
    expect(decoder.difference).toEqual({ onlyHere: [idOf(stranger, 0)], onlyThere: [] })
    expect(here.some((item) => hex(idOf(item, 0)) === hex(idOf(stranger, 0)))).toBe(false)
  })

  it('end when there are none: a talk of empty blocks would never', () => {
    const decoder = decoderOf(here, 0)
    expect(faultOf(() => decoder.push(sourceOf(there, 0).symbols(0, 0)))).toBe('SYMBOLS_UNDECODABLE')
    const begun = decoderOf(here, 0)
    expect(begun.push(sourceOf(there, 0).symbols(0, 3))).toBe(false)
    expect(faultOf(() => begun.push(sourceOf(there, 0).symbols(3, 0)))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when more came than any difference needs, or than there may ever be', () => {
    const rotten = (length: number): CodedSymbols => ({
      length,
      sumLow: new Uint32Array(length).fill(5),
      sumHigh: new Uint32Array(length),
      check: new Uint32Array(length),
      count: new Int32Array(length).fill(1_000_000),
    })
    const few = { symbols: (_: number, count: number) => ({ ...rotten(count), count: new Int32Array(count).fill(2) }) }
    const small = nothing()
    expect(faultOf(() => run(small, few, () => 50))).toBe('SYMBOLS_UNDECODABLE')
    expect(small.received).toBeLessThan(350)
    // Items of either side count: with 100 here, 400 more are waited for.
    const larger = createDecoder(new SymbolPrefix(0, MAX_SYMBOLS), 100)
    expect(faultOf(() => run(larger, few, () => 50))).toBe('SYMBOLS_UNDECODABLE')
    expect(larger.received).toBeGreaterThan(small.received + 300)
    expect(larger.received).toBeLessThan(750)
    const large = nothing()
    const many = { symbols: (_: number, count: number) => rotten(count) }
    expect(faultOf(() => run(large, many, () => 1_000_000))).toBe('SYMBOLS_UNDECODABLE')
    expect(large.received).toBe(4_000_000)
  })
})
