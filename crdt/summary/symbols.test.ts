import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CodedSymbols,
  decodeSymbols,
  encodeSymbols,
  ID_BYTES,
  idOf,
  MAX_BLOCK_SYMBOLS,
  SymbolPrefix,
  WINDOWS,
  type Window,
} from './index.ts'
import { faultOf, hashes, prefixOf, versions } from './source-suite.ts'

const itemLists = fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 30, selector: String })
const windows = fc.constantFrom(...WINDOWS)
const symbolsOf = (items: readonly Uint8Array[], window: Window, length: number) =>
  prefixOf(items, window, length).symbols(0, length)

/** The indices that one item is part of, below a length. */
const indicesOf = (item: Uint8Array, length: number) =>
  [...symbolsOf([item], 0, length).count].flatMap((count, i) => (count === 0 ? [] : [i]))

/** `count` versions of one entry. */
const versionsOfOne = (label: string, count: number) =>
  hashes(label, count).flatMap((_, i) => versions(label, 1, String(i)))

const WORD = 0xffff_ffffn
const rotated = (word: bigint, by: bigint) => ((word << by) | (word >> (32n - by))) & WORD

/** The check of an id, and the indices it is part of below a length: by the description alone, in whole numbers. */
function described(item: Uint8Array, window: Window, length: number) {
  const view = new DataView(item.buffer, item.byteOffset + window * ID_BYTES, ID_BYTES)
  const low = BigInt(view.getUint32(0, true))
  const high = BigInt(view.getUint32(4, true))
  let h = ((low ^ 0x3c6ef372n) * 0xcc9e2d51n) & WORD
  h = (((h ^ (h >> 15n)) + high) * 0x1b873593n) & WORD
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & WORD
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & WORD
  const check = h ^ (h >> 16n)
  // xoroshiro64**, seeded with the check and with both lanes.
  let a = check
  let b = high ^ ((low * 0x9e3779b1n) & WORD)
  const indices: number[] = []
  for (let i = 0; i < length; ) {
    indices.push(i)
    const random = (rotated((a * 0x9e3779bbn) & WORD, 5n) * 5n) & WORD
    b ^= a
    a = rotated(a, 26n) ^ b ^ ((b << 9n) & WORD)
    b = rotated(b, 13n)
    const rest = (Number(random) + 0.5) / 2 ** 32
    i += Math.ceil((i + 1.5) * (1 / Math.sqrt(rest) - 1))
  }
  return { id: (high << 32n) | low, check, indices }
}

/** Which items a symbol sums up, and to what, by the description alone. */
function describedSymbols(items: readonly Uint8Array[], window: Window, length: number) {
  const symbols = Array.from({ length }, () => ({ id: 0n, check: 0n, count: 0 }))
  for (const item of items) {
    const { id, check, indices } = described(item, window, length)
    for (const i of indices) {
      const symbol = symbols[i] as (typeof symbols)[number]
      symbol.id ^= id
      symbol.check ^= check
      symbol.count++
    }
  }
  return symbols
}

const plain = ({ length, sumLow, sumHigh, check, count }: CodedSymbols) =>
  Array.from({ length }, (_, i) => ({
    id: (BigInt(sumHigh[i] as number) << 32n) | BigInt(sumLow[i] as number),
    check: BigInt(check[i] as number),
    count: count[i],
  }))

describe('coded symbols of a set', () => {
  it('keep their format', () => {
    const encoded = encodeSymbols(symbolsOf(hashes('golden', 300), 1, 1_000))
    expect(Buffer.from(encoded.subarray(0, 43)).toString('hex')).toBe(
      '4274e871e8ad59c34e1773f2d804057b70a899371150661c2466f002bcf7b6dc50d9c2e2e5014d67cc0278',
    )
    expect(createHash('sha256').update(encoded).digest('hex')).toBe(
      '8d448f0da0e46b72b995a1d81650541f6a5b57f6b6836684b709fecf547b216c',
    )
  })

  it('are the xor of ids, of checks and the number of the items at each index', () => {
    fc.assert(
      fc.property(itemLists, windows, fc.nat({ max: 400 }), (items, window, length) => {
        expect(plain(symbolsOf(items, window, length))).toEqual(describedSymbols(items, window, length))
      }),
    )
    const edited = [...versionsOfOne('described', 40), ...versions('described', 40, 'one')]
    for (const window of WINDOWS) {
      expect(plain(symbolsOf(edited, window, 3_000))).toEqual(describedSymbols(edited, window, 3_000))
    }
  })

  it.each([
    ['of many entries', hashes('mapping', 20_000)],
    ['that are versions of one entry', versionsOfOne('mapping', 20_000)],
  ])('hold each item at index 0 and at index i with probability 1 / (1 + i/2), %s', (_, items) => {
    const { count } = symbolsOf(items, 0, 5_000)
    expect(count[0]).toBe(items.length)
    const within = (from: number, to: number) => {
      let seen = 0
      let expected = 0
      for (let i = from; i < to; i++) {
        seen += count[i] as number
        expected += items.length / (1 + i / 2)
      }
      return Math.abs(seen - expected) / Math.sqrt(expected)
    }
    // Single indices, then bands: none may stray by more than 5 standard deviations. The formula of the jumps is itself
    // an approximation, worst at the first few indices (by some 5 % there).
    for (const i of [1, 2, 3, 4]) {
      expect(Math.abs((count[i] as number) / (items.length / (1 + i / 2)) - 1)).toBeLessThan(0.08)
    }
    for (const [from, to] of [
      [5, 6],
      [10, 11],
      [20, 30],
      [100, 200],
      [1_000, 2_000],
      [2_000, 5_000],
    ] as const) {
      expect(within(from, to)).toBeLessThan(5)
    }
  })

  it('hold an item at most once each, at indices of its own', () => {
    for (const items of [hashes('walk', 200), versionsOfOne('walk', 200)]) {
      const paths = items.map((item) => symbolsOf([item], 0, 2_000))
      for (const { count } of paths) expect(Math.max(...count)).toBe(1)
      expect(new Set(paths.map(({ count }) => count.join(''))).size).toBe(paths.length)
    }
  })

  it('differ from window to window', () => {
    const [item] = hashes('window', 1) as [Uint8Array]
    const sums = WINDOWS.map((window) => symbolsOf([item], window, 1).sumLow[0])
    expect(new Set(sums).size).toBe(4)
    expect(WINDOWS.map((window) => Buffer.from(idOf(item, window)).toString('hex')).join('')).toBe(
      Buffer.from(item).toString('hex'),
    )
  })

  it('differ from window to window for items of entries', () => {
    const items = versions('window', 20, 'one')
    const encoded = WINDOWS.map((window) => Buffer.from(encodeSymbols(symbolsOf(items, window, 100))).toString('hex'))
    expect(new Set(encoded).size).toBe(4)
  })

  it('change at about 2 ln(length) indices for a commit', () => {
    for (const items of [hashes('touch', 300), versionsOfOne('touch', 300)]) {
      const touched = items.map((item) => indicesOf(item, 10_000).length)
      const mean = touched.reduce((a, b) => a + b) / touched.length
      expect(mean).toBeGreaterThan(14)
      expect(mean).toBeLessThan(20)
    }
  })

  it('of 100,000 items are made in well under a second', () => {
    const items = hashes('many', 100_000)
    const began = performance.now()
    symbolsOf(items, 0, 10_000)
    expect(performance.now() - began).toBeLessThan(1_000)
  })
})

describe('encoded symbols', () => {
  const u32 = fc.nat({ max: 0xffff_ffff })
  const counts = fc.integer({ min: -(2 ** 29), max: 2 ** 29 })
  const blocks = fc.array(fc.tuple(u32, u32, u32, counts), { maxLength: 20 }).map(
    (rows): CodedSymbols => ({
      length: rows.length,
      sumLow: Uint32Array.from(rows, ([low]) => low),
      sumHigh: Uint32Array.from(rows, ([, high]) => high),
      check: Uint32Array.from(rows, ([, , check]) => check),
      count: Int32Array.from(rows, ([, , , count]) => count),
    }),
  )

  it('come back as they went in', () => {
    fc.assert(
      fc.property(blocks, (block) => {
        expect(decodeSymbols(encodeSymbols(block))).toEqual(block)
      }),
    )
  })

  it('take 13 bytes where counts are small', () => {
    expect(encodeSymbols(prefixOf(hashes('few', 60), 0, 100).symbols(0, 100)).length).toBe(1_300)
  })

  it('are refused when cut off or otherwise malformed (S-16)', () => {
    const twelve = new Array<number>(12).fill(0)
    const bad = [
      [0],
      twelve,
      [...twelve, 0x80],
      [...twelve, 0x80, 0x00],
      [...twelve, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      [...twelve, 0x81, 0x80, 0x80, 0x80, 0x04],
      [...twelve, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [...twelve, 1, ...twelve],
    ]
    for (const bytes of bad) expect(faultOf(() => decodeSymbols(Uint8Array.from(bytes)))).toBe('SUMMARY_MALFORMED')
    expect(decodeSymbols(Uint8Array.from([...twelve, 0x80, 0x80, 0x80, 0x80, 0x04])).count[0]).toBe(2 ** 29)
  })

  it('either are refused or come out as the very bytes again (S-16)', () => {
    const mutated = fc.tuple(blocks, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([block, at, byte, cut]) => {
      const bytes = encodeSymbols(block)
      bytes[at % Math.max(1, bytes.length)] = byte
      return cut % 4 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes
    })
    let kept = 0
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 80 })), (bytes) => {
        const fault = faultOf(() => {
          expect(encodeSymbols(decodeSymbols(bytes))).toEqual(Uint8Array.from(bytes))
          kept++
        })
        expect([undefined, 'SUMMARY_MALFORMED']).toContain(fault)
      }),
      { numRuns: 3_000 },
    )
    expect(kept).toBeGreaterThan(100)
  })

  it('are bounded in number, both ways (S-15)', () => {
    expect(faultOf(() => decodeSymbols(new Uint8Array((MAX_BLOCK_SYMBOLS + 1) * 13)))).toBe('SUMMARY_MALFORMED')
    expect(faultOf(() => decodeSymbols(new Uint8Array(MAX_BLOCK_SYMBOLS * 17 + 1)))).toBe('SUMMARY_MALFORMED')
    expect(decodeSymbols(new Uint8Array(MAX_BLOCK_SYMBOLS * 13)).length).toBe(MAX_BLOCK_SYMBOLS)
    expect(() => encodeSymbols(new SymbolPrefix(0, MAX_BLOCK_SYMBOLS + 1).symbols(0, MAX_BLOCK_SYMBOLS + 1))).toThrow(
      RangeError,
    )
  })
})
