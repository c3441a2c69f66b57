import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import {
  type CodedSymbols,
  createEncoder,
  decodeSymbols,
  encodeSymbols,
  idOf,
  MAX_BLOCK_SYMBOLS,
  MAX_SYMBOLS,
  SymbolPrefix,
  WINDOWS,
  type Window,
} from './index.ts'

const hashes = (label: string, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(createHash('sha256').update(`${label} ${i}`).digest()))

const itemLists = fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 30, selector: String })
const windows = fc.constantFrom(...WINDOWS)
const symbolsOf = (items: readonly Uint8Array[], window: Window, length: number) =>
  createEncoder(items, window).symbols(0, length)

function prefixOf(items: readonly Uint8Array[], window: Window, length: number): SymbolPrefix {
  const prefix = new SymbolPrefix(window, length)
  for (const item of items) prefix.add(item)
  return prefix
}

/** The indices that one item is part of, below a length. */
const indicesOf = (item: Uint8Array, length: number) =>
  [...symbolsOf([item], 0, length).count].flatMap((count, i) => (count === 0 ? [] : [i]))

const faultOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return error instanceof MeshError ? error.code : error
  }
  return undefined
}

describe('coded symbols of a set', () => {
  it('keep their format', () => {
    const encoded = encodeSymbols(symbolsOf(hashes('golden', 300), 1, 1_000))
    expect(Buffer.from(encoded.subarray(0, 43)).toString('hex')).toBe(
      '4274e871e8ad59c34e1773f2d80467d5b5eb059819fa4632c5639c03f8eb6f4ae3e443680a544398ba02ab',
    )
    expect(createHash('sha256').update(encoded).digest('hex')).toBe(
      '935b00318bee0bc2065ad3c6d86627ddb2d156d5a74248b12bd616d11a5b38a4',
    )
  })

  it('hold each item at index 0 and at index i with probability 1 / (1 + i/2)', () => {
    const items = hashes('mapping', 20_000)
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
    const paths = hashes('walk', 200).map((item) => symbolsOf([item], 0, 2_000))
    for (const { count } of paths) expect(Math.max(...count)).toBe(1)
    expect(new Set(paths.map(({ count }) => count.join(''))).size).toBe(paths.length)
  })

  it('are the xor of ids, of checks and the number of the items at each index', () => {
    fc.assert(
      fc.property(itemLists, windows, (items, window) => {
        const whole = symbolsOf(items, window, 50)
        for (const i of [0, 1, 7, 49]) {
          const members = items.filter((item) => symbolsOf([item], window, 50).count[i] === 1)
          const ids = members.map((item) => Buffer.from(idOf(item, window)).readBigUInt64LE())
          const sum = (BigInt(whole.sumHigh[i] as number) << 32n) | BigInt(whole.sumLow[i] as number)
          expect(sum).toBe(ids.reduce((a, b) => a ^ b, 0n))
          expect(whole.count[i]).toBe(members.length)
          const checks = members.map((item) => symbolsOf([item], window, 1).check[0] as number)
          expect(whole.check[i]).toBe(checks.reduce((a, b) => (a ^ b) >>> 0, 0))
        }
      }),
      { numRuns: 40 },
    )
  })

  it('are the same however they are asked for', () => {
    const asks = fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 200 })), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(itemLists, windows, asks, (items, window, ranges) => {
        const whole = symbolsOf(items, window, 500)
        const encoder = createEncoder(items, window)
        for (const [from, count] of ranges) {
          const { count: counts, sumLow, length } = encoder.symbols(from, count)
          expect(length).toBe(count)
          expect(counts).toEqual(whole.count.slice(from, from + count))
          expect(sumLow).toEqual(whole.sumLow.slice(from, from + count))
        }
      }),
    )
  })

  it('differ from window to window', () => {
    const [item] = hashes('window', 1) as [Uint8Array]
    const sums = WINDOWS.map((window) => symbolsOf([item], window, 1).sumLow[0])
    expect(new Set(sums).size).toBe(4)
    expect(WINDOWS.map((window) => Buffer.from(idOf(item, window)).toString('hex')).join('')).toBe(
      Buffer.from(item).toString('hex'),
    )
  })

  it('are never more than the bound', () => {
    const encoder = createEncoder([], 0)
    expect(() => encoder.symbols(MAX_SYMBOLS, 1)).toThrow(RangeError)
    expect(() => encoder.symbols(-1, 1)).toThrow(RangeError)
    expect(() => encoder.symbols(Number.NaN, 1)).toThrow(RangeError)
    expect(() => createEncoder([new Uint8Array(31)], 0)).toThrow(RangeError)
  })

  it('of 100,000 items are made in well under a second', () => {
    const items = hashes('many', 100_000)
    const began = performance.now()
    symbolsOf(items, 0, 10_000)
    expect(performance.now() - began).toBeLessThan(1_000)
  })
})

describe('SymbolPrefix', () => {
  it('kept up to date is the one made from scratch', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, fc.nat({ max: 100 }), (kept, gone, window, length) => {
        const prefix = prefixOf([...kept, ...gone], window, length)
        for (const item of gone) prefix.remove(item)
        expect(prefix.symbols(0, length)).toEqual(symbolsOf(kept, window, length))
      }),
    )
  })

  it('extended is the longer one', () => {
    fc.assert(
      fc.property(itemLists, windows, fc.nat({ max: 100 }), fc.nat({ max: 100 }), (items, window, length, more) => {
        const prefix = prefixOf(items, window, length)
        prefix.extend(length + more, items)
        expect(prefix.length).toBe(length + more)
        expect(prefix.symbols(0, length + more)).toEqual(symbolsOf(items, window, length + more))
      }),
    )
  })

  it('adds up over scopes and subtracts to the difference', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, (a, b, window) => {
        const sum = prefixOf(a, window, 80)
        sum.addPrefix(prefixOf(b, window, 80))
        expect(sum.symbols(0, 80)).toEqual(symbolsOf([...a, ...b], window, 80))
        sum.subtract(prefixOf(a, window, 80))
        expect(sum.symbols(0, 80)).toEqual(symbolsOf(b, window, 80))
      }),
    )
  })

  it('changes at about 2 ln(length) symbols for a commit', () => {
    const touched = hashes('touch', 300).map((item) => indicesOf(item, 10_000).length)
    const mean = touched.reduce((a, b) => a + b) / touched.length
    expect(mean).toBeGreaterThan(14)
    expect(mean).toBeLessThan(20)
  })

  it('refuses what does not fit', () => {
    const prefix = new SymbolPrefix(0, 10)
    expect(() => prefix.addPrefix(new SymbolPrefix(1, 10))).toThrow(RangeError)
    expect(() => prefix.subtract(new SymbolPrefix(0, 11))).toThrow(RangeError)
    expect(() => prefix.extend(9, [])).toThrow(RangeError)
    expect(() => prefix.symbols(5, 6)).toThrow(RangeError)
    expect(() => prefix.add(new Uint8Array(8))).toThrow(RangeError)
    expect(() => new SymbolPrefix(0, MAX_SYMBOLS + 1)).toThrow(RangeError)
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
    expect(encodeSymbols(symbolsOf(hashes('few', 60), 0, 100)).length).toBe(1_300)
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
    expect(() => encodeSymbols(createEncoder([], 0).symbols(0, MAX_BLOCK_SYMBOLS + 1))).toThrow(RangeError)
  })
})
