import { describe, expect, it } from 'vitest'
import { createDecoder } from './index.ts'
import { decoderOf, hashes, type Kind, oneByOne, prefixOf, run, sidesOf, sourceOf, twoSets } from './source-suite.ts'

/** What the first block of a talk has. */
const FIRST = 256

/** Estimated over true, where sides differ in `d` ids. */
function ratio(kind: Kind, d: number, seed: number): number {
  const { here, there } = sidesOf(kind, d, { label: String(seed), length: FIRST })
  const decoder = createDecoder(here, d)
  decoder.push(there.symbols(0, FIRST))
  return decoder.estimate / d
}

const KINDS: readonly Kind[] = ['only there', 'only here', 'balanced', 'nine to one', 'edited']

describe('estimate', () => {
  it.each(
    KINDS.flatMap((kind) => [
      { kind, d: 100, trials: 100 },
      { kind, d: 1_000, trials: 100 },
      { kind, d: 10_000, trials: 25 },
      { kind, d: 100_000, trials: 2 },
    ]),
  )('is within 30 % in nearly all talks: $d that are $kind', ({ kind, d, trials }) => {
    const ratios = Array.from({ length: trials }, (_, seed) => ratio(kind, d, seed))
    const astray = ratios.filter((one) => Math.abs(one - 1) > 0.3).length
    expect(astray).toBeLessThanOrEqual(Math.floor(trials / 25))
    const mean = ratios.reduce((a, b) => a + b) / trials
    expect(mean).toBeGreaterThan(d === 100_000 ? 0.8 : 0.95)
    expect(mean).toBeLessThan(d === 100_000 ? 1.2 : 1.07)
  })

  it.each(KINDS)('is within a half where peeling stopped midway: %s', (kind) => {
    for (const d of [150, 180, 200, 300]) {
      for (let seed = 0; seed < 50; seed++) {
        const one = ratio(kind, d, seed)
        expect(one).toBeGreaterThan(0.66)
        expect(one).toBeLessThan(1.5)
      }
    }
  })

  it('does not depend on what both sides have', () => {
    const apart = { here: 300, there: 200, edited: 400 }
    const [few, many] = [0, 5_000].map((shared) => {
      const { here, there } = twoSets('shared', { ...apart, shared })
      const decoder = createDecoder(prefixOf(here, 0, FIRST), here.length)
      expect(decoder.push(prefixOf(there, 0, FIRST).symbols(0, FIRST))).toBe(false)
      return decoder.estimate
    })
    expect(many).toBe(few)
    expect(few).toBeGreaterThan(0.7 * 1_300)
    expect(few).toBeLessThan(1.3 * 1_300)
  })

  it('is 0 for equal sets, and before any symbol came', () => {
    for (const items of [[], hashes('equal', 1), hashes('equal', 2_000)]) {
      const decoder = decoderOf(items, 0)
      expect(decoder.estimate).toBe(0)
      expect(decoder.push(prefixOf(items, 0, FIRST).symbols(0, FIRST))).toBe(true)
      expect(decoder.estimate).toBe(0)
    }
  })

  it('is how many more one side has, after the first symbol alone', () => {
    const items = hashes('first', 70)
    const decoder = decoderOf(items.slice(0, 20), 0)
    expect(decoder.push(sourceOf(items, 0).symbols(0, 1))).toBe(false)
    expect(decoder.estimate).toBe(50)
  })

  it('is never less than what one side has more, and exact in the end', () => {
    const { here, there } = twoSets('grows', { shared: 50, here: 10, there: 150, edited: 20 })
    const decoder = decoderOf(here, 0)
    const remote = sourceOf(there, 0)
    while (!decoder.push(remote.symbols(decoder.received, 1))) expect(decoder.estimate).toBeGreaterThanOrEqual(140)
    expect(decoder.estimate).toBe(200)
    const other = decoderOf(there, 0)
    run(other, sourceOf(here, 0), oneByOne)
    expect(other.estimate).toBe(200)
  })
})
