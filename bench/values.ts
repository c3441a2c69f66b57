import type { JsonValue } from '../crdt/entry/index.ts'

/** Bytes of JSON of each value. */
export const VALUE_BYTES = 200

/** What every question writes: 200 bytes of JSON with 5 leaves at two depths. */
export interface BenchValue {
  readonly title: string
  readonly state: string
  readonly count: number
  readonly prefs: { readonly short: boolean; readonly note: string }
  readonly [name: string]: JsonValue
}

/** The value number `n`; `count` is the leaf that an edit changes. */
export function benchValue(n: number, count = 1_000): BenchValue {
  const value = (note: string) => ({ title: `entry ${n}`, state: 'open', count, prefs: { short: true, note } })
  const missing = VALUE_BYTES - JSON.stringify(value('')).length
  return value(SENTENCE.repeat(Math.ceil(missing / SENTENCE.length)).slice(0, missing))
}

const SENTENCE = 'the quick brown fox jumps over the lazy dog, '
