import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BLOOM_SEED_BYTES,
  type Bloom,
  type BloomInit,
  createBloom,
  decodeBloom,
  falsePositives,
  MAX_BLOOM_BYTES,
} from './index.ts'
import { faultOf, hashes, versions } from './source-suite.ts'

const seeds = fc.uint8Array({ minLength: BLOOM_SEED_BYTES, maxLength: BLOOM_SEED_BYTES })
const itemLists = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 50 })
const SEED = new Uint8Array(BLOOM_SEED_BYTES).fill(9)

/** What is in no filter. */
const STRANGERS = hashes('out', 60_000)
/** Entries, and the same in other versions. */
const KNOWN = versions('entry', 10_000, 'one')
const EDITED = versions('entry', 10_000, 'two')

/** A filter of these items. */
function bloomOf(items: readonly Uint8Array[], { seed = SEED, ...init }: Partial<BloomInit> = {}): Bloom {
  const bloom = createBloom({ size: items.length, seed, ...init })
  for (const item of items) bloom.add(item)
  return bloom
}

describe('bloom', () => {
  it('finds every item that was put in, before and after encoding', () => {
    fc.assert(
      fc.property(itemLists, seeds, fc.integer({ min: 1, max: 32 }), (items, seed, bitsPerItem) => {
        const bloom = bloomOf(items, { bitsPerItem, seed })
        const received = decodeBloom(bloom.encode())
        expect(items.every((item) => bloom.has(item) && received.has(item))).toBe(true)
        expect(received.encode()).toEqual(bloom.encode())
      }),
    )
  })

  it.each([2, 3, 5, 10, 16])('is wrong about as often as theory says, at %d bits an item', (bitsPerItem) => {
    const items = hashes('in', 4_000)
    const bloom = bloomOf(items, { bitsPerItem })
    const probes = Math.round(bitsPerItem * Math.LN2)
    const theory = (1 - Math.exp(-probes / bitsPerItem)) ** probes
    const asked = STRANGERS.length
    const wrong = STRANGERS.filter((item) => bloom.has(item)).length
    const deviation = Math.sqrt(asked * theory * (1 - theory))
    expect(wrong).toBeLessThan(asked * theory * 1.1 + 4 * deviation)
    expect(wrong).toBeGreaterThan(asked * theory * 0.9 - 4 * deviation)
  })

  it.each([2, 5, 10])('is wrong as rarely about other versions of what is in it, at %d bits an item', (bitsPerItem) => {
    const bloom = bloomOf(KNOWN, { bitsPerItem })
    const probes = Math.round(bitsPerItem * Math.LN2)
    const theory = (1 - Math.exp(-probes / bitsPerItem)) ** probes
    const asked = EDITED.length
    const wrong = EDITED.filter((item) => bloom.has(item)).length
    const deviation = Math.sqrt(asked * theory * (1 - theory))
    expect(wrong).toBeLessThan(asked * theory * 1.1 + 4 * deviation)
    expect(wrong).toBeGreaterThan(asked * theory * 0.9 - 4 * deviation)
    expect(KNOWN.every((item) => bloom.has(item))).toBe(true)
  })

  it('is wrong about other items under another seed', () => {
    const items = hashes('in', 2_000)
    const asked = STRANGERS.slice(0, 20_000)
    const wrongUnder = (fill: number) => {
      const bloom = bloomOf(items, { bitsPerItem: 5, seed: new Uint8Array(BLOOM_SEED_BYTES).fill(fill) })
      return new Set(asked.filter((item) => bloom.has(item)))
    }
    const first = wrongUnder(1)
    const second = wrongUnder(2)
    const both = [...first].filter((item) => second.has(item)).length
    // Independent filters agree on the product of their rates: 1 % here, not 9 %.
    expect(both / asked.length).toBeLessThan(0.02)
    expect(first.size / asked.length).toBeGreaterThan(0.05)
  })

  it('takes strangers for its own as often as the formula says', () => {
    const items = hashes('in', 4_000)
    for (const bitsPerItem of [1, 2, 3, 4, 6, 8]) {
      const bloom = bloomOf(items, { bitsPerItem })
      const wrong = STRANGERS.filter((item) => bloom.has(item)).length / STRANGERS.length
      expect(Math.abs(wrong / falsePositives(bitsPerItem) - 1)).toBeLessThan(0.15)
    }
  })

  it('knows nothing when it is empty', () => {
    const bloom = decodeBloom(bloomOf([]).encode())
    expect(hashes('any', 1_000).some((item) => bloom.has(item))).toBe(false)
  })

  it('finds all of more items than were announced', () => {
    fc.assert(
      fc.property(itemLists, fc.nat({ max: 60 }), (items, size) => {
        const bloom = bloomOf(items, { size })
        expect(bloom.encode().length).toBe(bloomOf([], { size }).encode().length)
        expect(items.every((item) => bloom.has(item))).toBe(true)
      }),
    )
  })

  it('takes more items after it was encoded, which changes no earlier encoding', () => {
    const [first, second] = hashes('later', 2) as [Uint8Array, Uint8Array]
    const bloom = bloomOf([first], { size: 2 })
    const encoded = bloom.encode()
    const before = encoded.slice()
    bloom.add(second)
    expect(encoded).toEqual(before)
    expect(bloom.encode()).toEqual(bloomOf([second, first]).encode())
    const received = decodeBloom(encoded)
    received.add(second)
    expect(received.encode()).toEqual(bloom.encode())
    expect(encoded).toEqual(before)
  })

  it('keeps its format', () => {
    const encoded = bloomOf(hashes('golden', 5)).encode()
    expect(Buffer.from(encoded).toString('hex')).toBe('0709090909090909090909090909090909000000076a46a0d54c215a')
  })

  it('takes 10 bits an item and no more than the largest filter', () => {
    expect(bloomOf(hashes('in', 800)).encode().length).toBe(21 + 1_000)
    const [item] = hashes('one', 1) as [Uint8Array]
    const bloom = bloomOf([item], { size: 2_000_000, bitsPerItem: 32 })
    expect(bloom.encode().length).toBe(21 + MAX_BLOOM_BYTES)
    expect(decodeBloom(bloom.encode()).has(item)).toBe(true)
  })

  it('refuses malformed bytes with a typed error (S-16)', () => {
    const sound = bloomOf(hashes('in', 10)).encode()
    const with_ = (at: number, byte: number) => sound.map((old, i) => (i === at ? byte : old))
    for (const bad of [new Uint8Array(0), sound.subarray(0, 21), sound.subarray(0, -1), with_(0, 0), with_(0, 17)]) {
      expect(faultOf(() => decodeBloom(bad))).toBe('SUMMARY_MALFORMED')
    }
    expect(faultOf(() => decodeBloom(Buffer.concat([sound, Buffer.of(0)])))).toBe('SUMMARY_MALFORMED')
    expect(faultOf(() => decodeBloom(new Uint8Array(21 + MAX_BLOOM_BYTES + 1)))).toBe('SUMMARY_MALFORMED')
  })

  it('either refuses or keeps whatever bytes it is given (S-16)', () => {
    const [item] = hashes('any', 1) as [Uint8Array]
    const header = fc.tuple(fc.integer({ min: 0, max: 18 }), seeds, fc.nat({ max: 6 }))
    const nearlySound = fc.tuple(header, fc.uint8Array({ maxLength: 6 })).map(([[probes, seed, length], bits]) => {
      return Uint8Array.of(probes, ...seed, 0, 0, 0, length, ...bits)
    })
    let kept = 0
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), nearlySound), (bytes) => {
        const fault = faultOf(() => {
          const bloom = decodeBloom(bytes)
          bloom.has(item)
          expect(bloom.encode()).toEqual(bytes)
          kept++
        })
        expect([undefined, 'SUMMARY_MALFORMED']).toContain(fault)
      }),
      { numRuns: 2_000 },
    )
    expect(kept).toBeGreaterThan(20)
  })

  it('does not look at bytes that change afterwards', () => {
    const [item] = hashes('one', 1) as [Uint8Array]
    const encoded = bloomOf([item]).encode()
    const bloom = decodeBloom(encoded)
    encoded.fill(0)
    expect(bloom.has(item)).toBe(true)
  })

  it('refuses a caller that gives it no seed, item or sensible size', () => {
    for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => createBloom({ size, seed: SEED })).toThrow(RangeError)
    }
    for (const bitsPerItem of [0, 33, Number.NaN]) {
      expect(() => createBloom({ size: 1, bitsPerItem, seed: SEED })).toThrow(RangeError)
    }
    expect(() => createBloom({ size: 1, seed: new Uint8Array(15) })).toThrow(RangeError)
    const bloom = createBloom({ size: 1, seed: SEED })
    for (const item of [new Uint8Array(31), new Uint8Array(8)]) {
      expect(() => bloom.add(item)).toThrow(RangeError)
      expect(() => bloom.has(item)).toThrow(RangeError)
    }
  })
})
