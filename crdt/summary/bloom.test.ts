import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import { BLOOM_SEED_BYTES, createBloom, decodeBloom, MAX_BLOOM_BYTES } from './index.ts'

const seeds = fc.uint8Array({ minLength: BLOOM_SEED_BYTES, maxLength: BLOOM_SEED_BYTES })
const itemLists = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 50 })
const SEED = new Uint8Array(BLOOM_SEED_BYTES).fill(9)

/** Items as they really are: uniform. */
const hashes = (label: string, count: number) =>
  Array.from({ length: count }, (_, i) => createHash('sha256').update(`${label} ${i}`).digest())

/** What is in no filter. */
const STRANGERS = hashes('out', 60_000)

const code = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return error instanceof MeshError ? error.code : error
  }
  return undefined
}

describe('bloom', () => {
  it('finds every item that was put in, before and after encoding', () => {
    fc.assert(
      fc.property(itemLists, seeds, fc.integer({ min: 1, max: 32 }), (items, seed, bitsPerItem) => {
        const bloom = createBloom({ items, bitsPerItem, seed })
        const received = decodeBloom(bloom.encode())
        expect(items.every((item) => bloom.has(item) && received.has(item))).toBe(true)
        expect(received.encode()).toEqual(bloom.encode())
      }),
    )
  })

  it.each([2, 3, 5, 10, 16])('is wrong about as often as theory says, at %d bits an item', (bitsPerItem) => {
    const items = hashes('in', 4_000)
    const bloom = createBloom({ items, bitsPerItem, seed: SEED })
    const probes = Math.round(bitsPerItem * Math.LN2)
    const theory = (1 - Math.exp(-probes / bitsPerItem)) ** probes
    const asked = STRANGERS.length
    const wrong = STRANGERS.filter((item) => bloom.has(item)).length
    const deviation = Math.sqrt(asked * theory * (1 - theory))
    expect(wrong).toBeLessThan(asked * theory * 1.1 + 4 * deviation)
    expect(wrong).toBeGreaterThan(asked * theory * 0.9 - 4 * deviation)
  })

  it('is wrong about other items under another seed', () => {
    const items = hashes('in', 2_000)
    const asked = STRANGERS.slice(0, 20_000)
    const wrongUnder = (fill: number) => {
      const bloom = createBloom({ items, bitsPerItem: 5, seed: new Uint8Array(BLOOM_SEED_BYTES).fill(fill) })
      return new Set(asked.filter((item) => bloom.has(item)))
    }
    const first = wrongUnder(1)
    const second = wrongUnder(2)
    const both = [...first].filter((item) => second.has(item)).length
    // Independent filters agree on the product of their rates: 1 % here, not 9 %.
    expect(both / asked.length).toBeLessThan(0.02)
    expect(first.size / asked.length).toBeGreaterThan(0.05)
  })

  it('knows nothing when it is empty', () => {
    const bloom = decodeBloom(createBloom({ items: [], seed: SEED }).encode())
    expect(hashes('any', 1_000).some((item) => bloom.has(item))).toBe(false)
  })

  it('keeps its format', () => {
    const encoded = createBloom({ items: hashes('golden', 5), seed: SEED }).encode()
    expect(Buffer.from(encoded).toString('hex')).toBe('0709090909090909090909090909090909000000076a46a0d54c215a')
  })

  it('takes 10 bits an item and no more than the largest filter', () => {
    expect(createBloom({ items: hashes('in', 800), seed: SEED }).encode().length).toBe(21 + 1_000)
    const [item] = hashes('one', 1) as [Buffer]
    const many = new Array<Uint8Array>(2_000_000).fill(item)
    const bloom = createBloom({ items: many, bitsPerItem: 32, seed: SEED })
    expect(bloom.encode().length).toBe(21 + MAX_BLOOM_BYTES)
    expect(decodeBloom(bloom.encode()).has(item)).toBe(true)
  })

  it('refuses malformed bytes with a typed error (S-16)', () => {
    const sound = createBloom({ items: hashes('in', 10), seed: SEED }).encode()
    const with_ = (at: number, byte: number) => sound.map((old, i) => (i === at ? byte : old))
    for (const bad of [new Uint8Array(0), sound.subarray(0, 21), sound.subarray(0, -1), with_(0, 0), with_(0, 17)]) {
      expect(code(() => decodeBloom(bad))).toBe('SUMMARY_MALFORMED')
    }
    expect(code(() => decodeBloom(Buffer.concat([sound, Buffer.of(0)])))).toBe('SUMMARY_MALFORMED')
    expect(code(() => decodeBloom(new Uint8Array(21 + MAX_BLOOM_BYTES + 1)))).toBe('SUMMARY_MALFORMED')
  })

  it('either refuses or keeps whatever bytes it is given (S-16)', () => {
    const [item] = hashes('any', 1) as [Buffer]
    const header = fc.tuple(fc.integer({ min: 0, max: 18 }), seeds, fc.nat({ max: 6 }))
    const nearlySound = fc.tuple(header, fc.uint8Array({ maxLength: 6 })).map(([[probes, seed, length], bits]) => {
      return Uint8Array.of(probes, ...seed, 0, 0, 0, length, ...bits)
    })
    let kept = 0
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), nearlySound), (bytes) => {
        const fault = code(() => {
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
    const [item] = hashes('one', 1) as [Buffer]
    const encoded = createBloom({ items: [item], seed: SEED }).encode()
    const bloom = decodeBloom(encoded)
    encoded.fill(0)
    expect(bloom.has(item)).toBe(true)
  })

  it('refuses a caller that gives it no seed, item or sensible size', () => {
    expect(() => createBloom({ items: [], seed: new Uint8Array(15) })).toThrow(RangeError)
    expect(() => createBloom({ items: [new Uint8Array(31)], seed: SEED })).toThrow(RangeError)
    expect(() => createBloom({ items: [], bitsPerItem: Number.NaN, seed: SEED })).toThrow(RangeError)
  })
})
