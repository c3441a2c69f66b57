/** What full text search costs: a query, making the index anew, and following what is put. */
import type { Figure, Question } from '../question.ts'
import { QUERY_KINDS } from './queries.ts'
import { openSearchSubject } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, entries: 300, queries: 3, puts: 100 },
  small: { rounds: 3, warmUps: 0, entries: 8_000, queries: 20, puts: 1_000 },
  full: { rounds: 7, warmUps: 1, entries: 100_000, queries: 100, puts: 5_000 },
} as const

export const search: Question = {
  name: 'search',
  asks: 'How long does a search take, how fast is its index made, and what does following cost who writes?',
  figures: () => [
    {
      id: 'p50',
      what: 'a search, a mix of the queries that people ask, p50',
      unit: 'ms',
      bars: [{ bound: 'at most', value: 20 }],
    },
    { id: 'p99', what: 'the same, p99', unit: 'ms', bars: [{ bound: 'at most', value: 100 }] },
    ...Object.entries(QUERY_KINDS).flatMap(([kind, what]): Figure[] => [
      { id: `${kind}.p50`, what: `${what}, p50`, unit: 'ms' },
      { id: `${kind}.p99`, what: `${what}, p99`, unit: 'ms' },
    ]),
    { id: 'search.hold', what: 'the longest that the event loop stood still meanwhile', unit: 'ms' },
    {
      id: 'rebuild',
      what: 'entries indexed, where the index is made anew',
      unit: '/s',
      bars: [{ bound: 'at least', value: 10_000 }],
    },
    { id: 'rebuild.hold', what: 'the longest that the event loop stood still meanwhile', unit: 'ms' },
    { id: 'entry.bytes', what: 'the index on the disk, an entry', unit: 'bytes' },
    {
      id: 'put.following',
      what: 'put, new keys, 100 in flight, the index following',
      unit: '/s',
      against: ['put.alone'],
      bars: [{ bound: 'at least', value: 0.7, to: 'put.alone' }],
    },
    { id: 'put.alone', what: 'the same without search', unit: '/s' },
  ],
  sizes: SIZES,
  open: (size) => openSearchSubject(SIZES[size]),
}
