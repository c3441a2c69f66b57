import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import {
  type CodedSymbols,
  createDecoder,
  createEncoder,
  type Decoder,
  decodeSymbols,
  encodeSymbols,
  ID_BYTES,
  idOf,
  itemsById,
  SymbolPrefix,
  type SymbolSource,
  WINDOWS,
  type Window,
} from './index.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const hashes = (label: string, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(createHash('sha256').update(`${label} ${i}`).digest()))

/** Two sets that share `shared` items and differ in `here` + `there`. */
function twoSets(label: string, shared: number, here: number, there: number) {
  const common = hashes(`${label} shared`, shared)
  const onlyHere = hashes(`${label} here`, here)
  const onlyThere = hashes(`${label} there`, there)
  return { here: [...onlyHere, ...common], there: [...common, ...onlyThere], onlyHere, onlyThere }
}

function run(decoder: Decoder, remote: SymbolSource, block: (received: number) => number): Decoder {
  while (!decoder.push(remote.symbols(decoder.received, block(decoder.received))));
  return decoder
}

const oneByOne = () => 1
const growing = (received: number) => 32 + (received >> 2)

const faultOf = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return error instanceof MeshError ? error.code : error
  }
  return undefined
}

/** What each side lacks, as a session finds it out: another window where one fails. */
function reconcile(here: readonly Uint8Array[], there: readonly Uint8Array[]) {
  for (const window of WINDOWS) {
    const decoder = createDecoder(here, window)
    if (faultOf(() => run(decoder, createEncoder(there, window), growing)) !== undefined) continue
    const { onlyHere, onlyThere } = decoder.difference as NonNullable<Decoder['difference']>
    return { window, onlyHere: onlyHere.map(hex), onlyThere: itemsById(there, window, onlyThere).map(hex) }
  }
  return undefined
}

/** The same by plain sets. */
function lacking(from: readonly Uint8Array[], within: readonly Uint8Array[]): string[] {
  const known = new Set(within.map(hex))
  return from.map(hex).filter((text) => !known.has(text))
}

describe('decoder', () => {
  it('finds the difference of any two sets, for every seed', () => {
    const sizes = fc.record({ shared: fc.nat({ max: 300 }), here: fc.nat({ max: 60 }), there: fc.nat({ max: 60 }) })
    fc.assert(
      fc.property(sizes, fc.nat(), fc.constantFrom(...WINDOWS), fc.boolean(), (size, seed, window, small) => {
        const { here, there } = twoSets(String(seed), size.shared, size.here, size.there)
        const decoder = run(createDecoder(here, window), createEncoder(there, window), small ? oneByOne : growing)
        const found = decoder.difference as NonNullable<Decoder['difference']>
        expect(found.onlyHere.map(hex).sort()).toEqual(lacking(here, there).sort())
        expect(found.onlyThere.map(hex).sort()).toEqual(
          lacking(there, here)
            .map((text) => text.slice(2 * window * ID_BYTES, 2 * (window + 1) * ID_BYTES))
            .sort(),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('needs one symbol where nothing differs, also between empty sets', () => {
    const { here } = twoSets('same', 1_000, 0, 0)
    for (const items of [here, []]) {
      const decoder = run(createDecoder(items, 0), createEncoder(items.toReversed(), 0), oneByOne)
      expect(decoder.received).toBe(1)
      expect(decoder.difference).toEqual({ onlyHere: [], onlyThere: [] })
    }
  })

  it('gives no difference before it is known, and passes over what comes after', () => {
    const { here, there } = twoSets('before', 50, 10, 10)
    const decoder = createDecoder(here, 0)
    expect(decoder.difference).toBeUndefined()
    expect(decoder.push(createEncoder(there, 0).symbols(0, 5))).toBe(false)
    expect(decoder.difference).toBeUndefined()
    run(decoder, createEncoder(there, 0), growing)
    const { received, difference } = decoder
    expect(decoder.push(createEncoder([], 0).symbols(0, 50))).toBe(true)
    expect(decoder.received).toBe(received)
    expect(decoder.difference).toBe(difference)
  })

  it('takes a kept prefix for its own side, and does not change what it is given', () => {
    const { here, there, onlyHere, onlyThere } = twoSets('prefix', 200, 20, 30)
    const local = new SymbolPrefix(2, 400)
    for (const item of here) local.add(item)
    const remote = createEncoder(there, 2).symbols(0, 400)
    const before = [encodeSymbols(remote), encodeSymbols(local.symbols(0, 400))]
    const decoder = createDecoder(here, 2, local)
    expect(decoder.push(remote)).toBe(true)
    expect(decoder.difference?.onlyHere).toEqual(onlyHere)
    expect(itemsById(there, 2, decoder.difference?.onlyThere ?? [])).toEqual(onlyThere)
    expect([encodeSymbols(remote), encodeSymbols(local.symbols(0, 400))]).toEqual(before)
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
      const { here, there } = twoSets(`${seed} of ${d}`, 500, Math.floor(d / 2), Math.ceil(d / 2))
      const block = d > 1_000 ? () => 100 : oneByOne
      const { received } = run(createDecoder(here, 0), createEncoder(there, 0), block)
      expect(received).toBeLessThanOrEqual(2.2 * d + 30)
    }
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

    const idsOf = (items: readonly Uint8Array[]) => items.map((item) => Buffer.from(idOf(item, 0)).readBigUInt64LE())

    function theirRun(here: readonly Uint8Array[], there: readonly Uint8Array[]) {
      const encoder = new riblt.EncoderWrapper()
      for (const id of idsOf(there)) encoder.add_symbol(id)
      const decoder = new riblt.DecoderWrapper()
      for (const id of idsOf(here)) decoder.add_symbol(id)
      let received = 0
      while (received === 0 || !decoder.decoded()) {
        decoder.add_coded_symbol(encoder.produce_next_coded_symbol())
        decoder.try_decode()
        received++
      }
      return { received, found: decoder.get_remote_symbols().length + decoder.get_local_symbols().length }
    }

    it('finds as much with about as many symbols', () => {
      let ours = 0
      let theirs = 0
      for (let seed = 0; seed < 60; seed++) {
        const { here, there } = twoSets(`beside ${seed}`, 100, 40, 60)
        const decoder = run(createDecoder(here, 0), createEncoder(there, 0), oneByOne)
        const other = theirRun(here, there)
        expect(other.found).toBe(100)
        expect((decoder.difference?.onlyHere.length ?? 0) + (decoder.difference?.onlyThere.length ?? 0)).toBe(100)
        ours += decoder.received
        theirs += other.received
      }
      expect(ours / theirs).toBeGreaterThan(0.9)
      expect(ours / theirs).toBeLessThan(1.1)
    })
  })
})

describe('items that share an id', () => {
  /** As `item`, but alike to `other` in a window: what a member could bring about with much computing. */
  function alike(item: Uint8Array, other: Uint8Array, windows: readonly Window[]): Uint8Array {
    const copy = item.slice()
    for (const window of windows) copy.set(idOf(other, window), window * ID_BYTES)
    return copy
  }
  const { here, there, onlyHere, onlyThere } = twoSets('alike', 100, 5, 5)
  const common = here[50] as Uint8Array
  const [extra, other] = hashes('extra', 2) as [Uint8Array, Uint8Array]
  const [mine] = onlyHere as [Uint8Array]
  const [theirs] = onlyThere as [Uint8Array]

  it.each([
    ['two of there', here, [...there, alike(extra, theirs, [0])]],
    ['two of here', [...here, alike(extra, mine, [0])], there],
    ['one of there and one that both have', here, [...there, alike(extra, common, [0])]],
    ['one of here and one that both have', [...here, alike(extra, common, [0])], there],
    ['two of there and one of here', here, [...there, alike(extra, mine, [0]), alike(other, mine, [0])]],
    ['all windows but the last', here, [...there, alike(extra, theirs, [0, 1, 2])]],
  ])('are told apart by another window: %s', (title, ours, others) => {
    const found = reconcile(ours, others)
    expect(found?.window).toBe(title.startsWith('all') ? 3 : 1)
    expect(found?.onlyHere.sort()).toEqual(lacking(ours, others).sort())
    expect(found?.onlyThere.sort()).toEqual(lacking(others, ours).sort())
  })

  it('are noticed long before the bound', () => {
    const remote = createEncoder([...there, alike(extra, theirs, [0])], 0)
    const decoder = createDecoder(here, 0)
    expect(faultOf(() => run(decoder, remote, oneByOne))).toBe('SYMBOLS_UNDECODABLE')
    expect(decoder.received).toBeLessThan(100)
  })

  it('one here and one there look equal in that window: only the digest tells, and the next window finds both', () => {
    const twin = alike(extra, mine, [0])
    const blind = run(createDecoder([mine], 0), createEncoder([twin], 0), oneByOne)
    expect(blind.difference).toEqual({ onlyHere: [], onlyThere: [] })
    const seeing = run(createDecoder([mine], 1), createEncoder([twin], 1), oneByOne)
    expect(seeing.difference).toEqual({ onlyHere: [mine], onlyThere: [idOf(twin, 1)] })
  })

  it('are all given by itemsById', () => {
    const twin = alike(extra, mine, [2])
    expect(itemsById([mine, common, twin], 2, [idOf(mine, 2)])).toEqual([mine, twin])
    expect(itemsById([mine, common, twin], 1, [idOf(mine, 1)])).toEqual([mine])
    expect(itemsById([mine], 0, [])).toEqual([])
  })
})

describe('symbols that no set has (S-16)', () => {
  const { here, there } = twoSets('nonsense', 60, 8, 8)

  /** Runs on until an end; every way to an end is fine but endless work or an untyped error. */
  function ends(sourceOf: (from: number) => CodedSymbols): string {
    const decoder = createDecoder(here, 0)
    for (let pushes = 0; pushes < 5_000; pushes++) {
      const fault = faultOf(() => decoder.push(sourceOf(decoder.received)))
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
    const remote = createEncoder(there, 0)
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
    const ghost = createEncoder([item], 0).symbols(0, 64)
    // Only symbol 0 holds it: taking it out there puts it, negative, into the others, and back.
    for (const lane of [ghost.sumLow, ghost.sumHigh, ghost.check, ghost.count]) lane.fill(0, 1)
    expect(faultOf(() => createDecoder([], 0).push(ghost))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when all is found and something is left', () => {
    const symbols = createEncoder([], 0).symbols(0, 64)
    symbols.sumLow[5] = 9
    symbols.count[5] = 7
    expect(faultOf(() => createDecoder([], 0).push(symbols))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when they claim items of this side that it does not have', () => {
    const [stranger] = hashes('stranger', 1) as [Uint8Array]
    const negative = new SymbolPrefix(0, 64)
    for (const item of here) negative.add(item)
    negative.remove(stranger)
    const decoder = createDecoder(here, 0)
    expect(faultOf(() => decoder.push(negative.symbols(0, 64)))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when there are none: a talk of empty blocks would never', () => {
    const decoder = createDecoder(here, 0)
    expect(faultOf(() => decoder.push(createEncoder(there, 0).symbols(0, 0)))).toBe('SYMBOLS_UNDECODABLE')
  })

  it('end when more came than any difference needs, or than there may ever be', () => {
    const rotten = (length: number): CodedSymbols => ({
      length,
      sumLow: new Uint32Array(length).fill(5),
      sumHigh: new Uint32Array(length),
      check: new Uint32Array(length),
      count: new Int32Array(length).fill(1_000_000),
    })
    const small = createDecoder([], 0)
    expect(
      faultOf(() =>
        run(small, { symbols: (_, count) => ({ ...rotten(count), count: new Int32Array(count).fill(2) }) }, () => 50),
      ),
    ).toBe('SYMBOLS_UNDECODABLE')
    expect(small.received).toBeLessThan(350)
    const large = createDecoder([], 0)
    expect(faultOf(() => run(large, { symbols: (_, count) => rotten(count) }, () => 1_000_000))).toBe(
      'SYMBOLS_UNDECODABLE',
    )
    expect(large.received).toBe(4_000_000)
  })
})
