import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDecoder, type Difference, decodeSymbols, encodeSymbols, idOf, SymbolPrefix, WINDOWS } from './index.ts'
import {
  type Apart,
  decoderOf,
  growing,
  hashes,
  hex,
  idsOf,
  itemsById,
  type Kind,
  oneByOne,
  prefixOf,
  run,
  sidesOf,
  sourceOf,
  twoSets,
} from './source-suite.ts'

/** What only one of two sets has, by plain sets. */
function lacking(from: readonly Uint8Array[], within: readonly Uint8Array[]): Uint8Array[] {
  const known = new Set(within.map(hex))
  return from.filter((item) => !known.has(hex(item)))
}

const sorted = ({ onlyHere, onlyThere }: Difference) => ({
  onlyHere: onlyHere.map(hex).sort(),
  onlyThere: onlyThere.map(hex).sort(),
})

/** How many symbols are needed, taken one by one. */
function needed(kind: Kind, d: number, seed: number): number {
  const { here, there } = sidesOf(kind, d, { label: String(seed), length: 5 * d + 400 })
  const decoder = createDecoder(here, d)
  run(decoder, there, oneByOne)
  return decoder.received
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

describe('decoder', () => {
  it('finds the difference of any two sets, for every seed', () => {
    const sizes = fc.record({
      shared: fc.nat({ max: 100 }),
      here: fc.nat({ max: 60 }),
      there: fc.nat({ max: 60 }),
      edited: fc.nat({ max: 40 }),
    })
    fc.assert(
      fc.property(sizes, fc.nat(), fc.constantFrom(...WINDOWS), fc.boolean(), (apart, seed, window, small) => {
        const { here, there } = twoSets(String(seed), apart)
        const decoder = decoderOf(here, window)
        const found = run(decoder, sourceOf(there, window), small ? oneByOne : growing)
        expect(sorted(found)).toEqual({
          onlyHere: idsOf(lacking(here, there), window),
          onlyThere: idsOf(lacking(there, here), window),
        })
        expect(decoder.estimate).toBe(found.onlyHere.length + found.onlyThere.length)
      }),
      { numRuns: 200 },
    )
  })

  it('finds the difference of sets of items of whatever kind', () => {
    const items = fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32, min: 1 }), {
      maxLength: 60,
      // Ids are to be unique in window 3.
      selector: (item) => hex(item.subarray(24)),
    })
    fc.assert(
      fc.property(items, fc.nat({ max: 60 }), fc.nat({ max: 60 }), (all, from, to) => {
        const here = all.slice(0, to)
        const there = all.slice(from)
        const found = run(decoderOf(here, 3), sourceOf(there, 3), oneByOne)
        expect(sorted(found)).toEqual({
          onlyHere: idsOf(lacking(here, there), 3),
          onlyThere: idsOf(lacking(there, here), 3),
        })
      }),
    )
  })

  it('needs one symbol where nothing differs, also between empty sets', () => {
    const { here } = twoSets('same', { shared: 1_000 })
    for (const items of [here, []]) {
      const decoder = decoderOf(items, 0)
      expect(run(decoder, sourceOf(items.toReversed(), 0), oneByOne)).toEqual({ onlyHere: [], onlyThere: [] })
      expect(decoder.received).toBe(1)
    }
  })

  it('gives no difference before it is known, and passes over what comes after', () => {
    const { here, there } = twoSets('before', { shared: 50, here: 10, there: 10 })
    const decoder = decoderOf(here, 0)
    expect(decoder.difference).toBeUndefined()
    expect(decoder.push(sourceOf(there, 0).symbols(0, 5))).toBe(false)
    expect(decoder.difference).toBeUndefined()
    run(decoder, sourceOf(there, 0), growing)
    const { received, difference, estimate } = decoder
    expect(decoder.push(new SymbolPrefix(0, 50).symbols(0, 50))).toBe(true)
    expect(decoder.received).toBe(received)
    expect(decoder.difference).toBe(difference)
    expect(decoder.estimate).toBe(estimate)
  })

  it('takes a kept prefix for its own side, and does not change what it is given', () => {
    const { here, there, onlyHere, onlyThere } = twoSets('prefix', { shared: 200, here: 20, there: 30, edited: 10 })
    const local = prefixOf(here, 2, 400)
    const remote = prefixOf(there, 2, 400).symbols(0, 400)
    const before = [encodeSymbols(remote), encodeSymbols(local.symbols(0, 400))]
    const decoder = createDecoder(local, here.length)
    expect(decoder.push(remote)).toBe(true)
    expect(itemsById(here, 2, decoder.difference?.onlyHere ?? [])).toEqual(onlyHere)
    expect(itemsById(there, 2, decoder.difference?.onlyThere ?? [])).toEqual(onlyThere)
    expect([encodeSymbols(remote), encodeSymbols(local.symbols(0, 400))]).toEqual(before)
  })

  it('finds the same over encoded symbols and from an encoded prefix', () => {
    const { here, there, onlyHere, onlyThere } = twoSets('encoded', { shared: 100, here: 15, there: 5, edited: 20 })
    for (const window of WINDOWS) {
      const local = SymbolPrefix.decode(window, prefixOf(here, window, 200).encode())
      const decoder = createDecoder(local, here.length)
      expect(decoder.push(decodeSymbols(encodeSymbols(prefixOf(there, window, 200).symbols(0, 200))))).toBe(true)
      expect(sorted(decoder.difference as Difference)).toEqual({
        onlyHere: idsOf(onlyHere, window),
        onlyThere: idsOf(onlyThere, window),
      })
    }
  })

  it('finds what changed while ids were taken out on either side', () => {
    const { here, there, onlyHere, onlyThere } = twoSets('left out', { shared: 60, here: 6, there: 7, edited: 4 })
    const [mine, ...ours] = onlyHere as [Uint8Array]
    const [theirs, ...others] = onlyThere as [Uint8Array]
    const local = prefixOf(here, 1, 128)
    local.removeId(idOf(mine, 1))
    const remote = prefixOf(there, 1, 128)
    remote.removeId(idOf(theirs, 1))
    const decoder = createDecoder(local, here.length)
    expect(decoder.push(remote.symbols(0, 128))).toBe(true)
    expect(sorted(decoder.difference as Difference)).toEqual({ onlyHere: idsOf(ours, 1), onlyThere: idsOf(others, 1) })
  })

  it('fails as a caller fails when its side cannot give as many symbols', () => {
    const { here, there } = twoSets('short', { shared: 10, here: 20, there: 20 })
    const decoder = createDecoder(prefixOf(here, 0, 32), here.length)
    expect(() => run(decoder, sourceOf(there, 0), () => 20)).toThrow(RangeError)
  })

  it.each([
    [1, 20],
    [2, 40],
    [10, 40],
    [100, 10],
    [1_000, 4],
    [10_000, 1],
  ])('needs at most 2.2 symbols a difference and 30 for %d differences', (d, seeds) => {
    for (let seed = 0; seed < seeds; seed++) {
      const label = `${seed} of ${d}`
      const kinds: Apart[] = [
        { here: Math.floor(d / 2), there: Math.ceil(d / 2) },
        { edited: Math.floor(d / 2), there: d % 2 },
      ]
      for (const apart of kinds) {
        const { here, there } = twoSets(label, { shared: 50, ...apart })
        const decoder = decoderOf(here, 0)
        run(decoder, sourceOf(there, 0), d > 1_000 ? () => 100 : oneByOne)
        expect(decoder.received).toBeLessThanOrEqual(2.2 * d + 30)
      }
    }
  })

  it.each([
    [2, 1_000],
    [20, 1_000],
    [100, 400],
    [1_000, 20],
  ])('needs no more symbols for %d ids of edited entries than for others', (d, trials) => {
    const seeds = Array.from({ length: trials }, (_, seed) => seed)
    const edited = mean(seeds.map((seed) => needed('edited', d, seed)))
    const others = mean(seeds.map((seed) => needed('balanced', d, seed)))
    expect(edited / others).toBeLessThan(1.05)
  })

  describe('beside another implementation', () => {
    const fetchBefore = globalThis.fetch
    let riblt: typeof import('@peerbit/riblt')
    beforeAll(async () => {
      riblt = await import('@peerbit/riblt')
      await riblt.ready
    })
    // It replaces the global fetch in order to load its WASM.
    afterAll(() => {
      globalThis.fetch = fetchBefore
    })

    const numbersOf = (items: readonly Uint8Array[]) =>
      items.map((item) => Buffer.from(idOf(item, 0)).readBigUInt64LE())
    /** What it gives are numbers in some order, ours are bytes. */
    const inOrder = (numbers: Iterable<bigint>) => [...numbers].map((number) => BigInt.asUintN(64, number)).sort()
    const ours = (ids: readonly Uint8Array[]) => inOrder(ids.map((id) => Buffer.from(id).readBigUInt64LE()))

    function theirRun(here: readonly Uint8Array[], there: readonly Uint8Array[]) {
      const encoder = new riblt.EncoderWrapper()
      for (const id of numbersOf(there)) encoder.add_symbol(id)
      const decoder = new riblt.DecoderWrapper()
      for (const id of numbersOf(here)) decoder.add_symbol(id)
      let received = 0
      while (received === 0 || !decoder.decoded()) {
        decoder.add_coded_symbol(encoder.produce_next_coded_symbol())
        decoder.try_decode()
        received++
      }
      return {
        received,
        onlyThere: inOrder(decoder.get_remote_symbols()),
        onlyHere: inOrder(decoder.get_local_symbols()),
      }
    }

    it.each<[string, Apart]>([
      ['of entries of one side', { here: 40, there: 60 }],
      ['of edited entries', { edited: 50 }],
    ])('finds the same with about as many symbols: %s', (_, apart) => {
      let received = 0
      let theirs = 0
      for (let seed = 0; seed < 60; seed++) {
        const { here, there } = twoSets(`beside ${seed}`, { shared: 100, ...apart })
        const decoder = decoderOf(here, 0)
        const found = run(decoder, sourceOf(there, 0), oneByOne)
        const other = theirRun(here, there)
        expect(other.onlyHere.length + other.onlyThere.length).toBe(100)
        expect(ours(found.onlyHere)).toEqual(other.onlyHere)
        expect(ours(found.onlyThere)).toEqual(other.onlyThere)
        received += decoder.received
        theirs += other.received
      }
      expect(received / theirs).toBeGreaterThan(0.9)
      expect(received / theirs).toBeLessThan(1.1)
    })

    it('finds nothing where it finds nothing', () => {
      const items = hashes('beside none', 100)
      expect(theirRun(items, items.toReversed()).received).toBe(1)
      expect(run(decoderOf(items, 0), sourceOf(items.toReversed(), 0), oneByOne).onlyHere).toEqual([])
    })
  })
})
