import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addTo, combine, equalDigests, subtractFrom, zeroDigest } from './index.ts'
import { versions } from './source-suite.ts'

const MODULUS = 1n << 256n
const toNumber = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
const item = fc.uint8Array({ minLength: 32, maxLength: 32 })
const items = fc.array(item, { maxLength: 20 })

function sumOf(list: readonly Uint8Array[]): Uint8Array {
  const sum = zeroDigest()
  for (const one of list) addTo(sum, one)
  return sum
}

describe('digest', () => {
  it('is the sum modulo 2^256 of the items as little-endian numbers', () => {
    fc.assert(
      fc.property(items, (list) => {
        const expected = list.reduce((sum, one) => (sum + toNumber(one)) % MODULUS, 0n)
        expect(toNumber(sumOf(list))).toBe(expected)
      }),
    )
  })

  it('carries through every byte and wraps around', () => {
    const sum = new Uint8Array(32).fill(0xff)
    const one = zeroDigest()
    one[0] = 1
    addTo(sum, one)
    expect(sum).toEqual(zeroDigest())
    subtractFrom(sum, one)
    expect(sum).toEqual(new Uint8Array(32).fill(0xff))
  })

  it('does not depend on order or grouping', () => {
    const grouped = items.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }), fc.nat({ max: list.length })),
    )
    fc.assert(
      fc.property(grouped, ([list, shuffled, cut]) => {
        const whole = sumOf(list)
        expect(sumOf(shuffled)).toEqual(whole)
        expect(combine([sumOf(list.slice(0, cut)), sumOf(list.slice(cut))])).toEqual(whole)
      }),
    )
  })

  it('takes out what was added, in any order', () => {
    fc.assert(
      fc.property(items, items, (kept, gone) => {
        const sum = sumOf([...gone, ...kept])
        for (const one of gone.toReversed()) subtractFrom(sum, one)
        expect(equalDigests(sum, sumOf(kept))).toBe(true)
      }),
    )
  })

  it('follows a new version of an entry, without looking at any other', () => {
    const old = versions('entry', 50, 'one')
    const [changed] = versions('entry', 1, 'two') as [Uint8Array]
    const sum = sumOf(old)
    subtractFrom(sum, old[0] as Uint8Array)
    addTo(sum, changed)
    expect(equalDigests(sum, sumOf([...old.slice(1), changed]))).toBe(true)
    expect(equalDigests(sum, sumOf(old))).toBe(false)
  })

  it('tells every byte of difference', () => {
    fc.assert(
      fc.property(item, fc.nat({ max: 31 }), fc.integer({ min: 1, max: 255 }), (bytes, at, flip) => {
        const other = bytes.slice()
        other[at] = (other[at] as number) ^ flip
        expect(equalDigests(bytes, other)).toBe(false)
        expect(equalDigests(bytes, bytes.slice())).toBe(true)
      }),
    )
  })

  it('combines nothing to zero, and does not change what it combines', () => {
    expect(combine([])).toEqual(zeroDigest())
    const one = new Uint8Array(32).fill(7)
    combine([one, one])
    expect(one).toEqual(new Uint8Array(32).fill(7))
  })

  it('refuses what is no item', () => {
    expect(() => addTo(zeroDigest(), new Uint8Array(31))).toThrow(RangeError)
    expect(() => subtractFrom(new Uint8Array(33), zeroDigest())).toThrow(RangeError)
    expect(() => equalDigests(zeroDigest(), new Uint8Array(0))).toThrow(RangeError)
  })
})
