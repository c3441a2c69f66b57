import type { JsonValue } from '../../crdt/entry/index.ts'

/** Texts whose words are as unevenly common as those of a language, the same for the same seed. */
export interface Texts {
  /** The words, the most common first. */
  readonly vocabulary: readonly string[]
  /** Entry number `n`: a key of two words, and a value of some 300 characters with texts at two depths. */
  entry(n: number): { readonly key: string; readonly value: JsonValue }
  /** A whole number below `limit`. */
  below(limit: number): number
}

const SYLLABLES = 'ka to mi ren sol da vi pla net or el shi ba cu fo gra hu ne qui ze'.split(' ')
const WORDS = 20_000
const TITLE_WORDS = 4
const NOTE_WORDS = 35

export function createTexts(seed: number): Texts {
  const random = randomFrom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const some = (syllables: number) =>
    Array.from({ length: syllables }, () => SYLLABLES[below(SYLLABLES.length)]).join('')
  const vocabulary = [...distinct(() => some(2 + below(3)), WORDS)]
  const shares = runningSums(vocabulary.map((_, rank) => 1 / (rank + 1)))
  const total = shares.at(-1) as number
  const word = () => vocabulary[firstAbove(shares, random() * total)] as string
  const words = (count: number) => Array.from({ length: count }, word).join(' ')
  return {
    vocabulary,
    below,
    entry: (n) => ({
      key: `${word()}/${word()}-${n}`,
      value: { title: words(TITLE_WORDS), state: 'open', count: n, prefs: { short: true, note: words(NOTE_WORDS) } },
    }),
  }
}

function distinct(make: () => string, count: number): Set<string> {
  const made = new Set<string>()
  while (made.size < count) made.add(make())
  return made
}

function runningSums(values: readonly number[]): number[] {
  let sum = 0
  return values.map((value) => {
    sum += value
    return sum
  })
}

/** Index of the first of ascending numbers that is above `value`. */
function firstAbove(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}

/** Mulberry32, by Tommy Ettinger, in the public domain: 32 bits of state, good enough for texts. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
