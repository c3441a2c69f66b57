import type { Size } from '../question.ts'

/** What is measured of two replicas with so many entries. */
export interface Case {
  readonly entries: number
  readonly talks: readonly TalkCase[]
}

/** One talk: so many items differ before it (an entry that one side has edited counts twice). */
export interface TalkCase {
  readonly differ: number
  /** Whether both remember where they were equal last. */
  readonly known: boolean
}

const both = (...differ: number[]): TalkCase[] =>
  differ.flatMap((each) => [
    { differ: each, known: true },
    { differ: each, known: false },
  ])
const EQUAL: TalkCase = { differ: 0, known: true }

/** From few entries to many: the last case is the one that is drawn over what differs. */
export const CASES: Readonly<Record<Size, readonly Case[]>> = {
  tiny: [{ entries: 60, talks: [EQUAL, ...both(4)] }],
  small: [
    { entries: 1_000, talks: [EQUAL, ...both(100)] },
    { entries: 10_000, talks: [EQUAL, ...both(10, 100, 1_000)] },
  ],
  full: [
    { entries: 1_000, talks: [EQUAL, ...both(100)] },
    { entries: 10_000, talks: [EQUAL, ...both(100)] },
    { entries: 100_000, talks: [EQUAL, ...both(100)] },
    {
      entries: 1_000_000,
      talks: [
        EQUAL,
        ...both(10, 100, 1_000),
        { differ: 20_000, known: true },
        { differ: 10_000, known: false },
        { differ: 100_000, known: false },
      ],
    },
  ],
}

/** Id of what a talk measures. */
export const idOf = (entries: number, { differ, known }: TalkCase, what: string) =>
  `n${entries}.d${differ}.${known ? 'known' : 'unknown'}.${what}`
