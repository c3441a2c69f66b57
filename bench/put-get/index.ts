/** What the replica itself costs, without API, peers and files: durable puts and gets in one process. */
import type { Question } from '../question.ts'
import { openPutGet } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, lone: 10, many: 100, hot: 20, gets: 100 },
  small: { rounds: 5, warmUps: 1, lone: 200, many: 1_500, hot: 300, gets: 10_000 },
  full: { rounds: 9, warmUps: 1, lone: 1_000, many: 10_000, hot: 2_000, gets: 100_000 },
} as const

export const putGet: Question = {
  name: 'put-get',
  asks: 'How fast is the replica in process: durable put of new keys, of one hot key, and get?',
  figures: () => [
    {
      id: 'new.1.p50',
      what: 'put, new keys, 1 in flight, p50',
      unit: 'ms',
      against: ['level.1.p50'],
      bars: [{ bound: 'at most', value: 1 }],
    },
    { id: 'new.1.p99', what: 'put, new keys, 1 in flight, p99', unit: 'ms' },
    { id: 'level.1.p50', what: 'bare Level put, synced, 1 in flight, p50', unit: 'ms' },
    {
      id: 'new.100',
      what: 'put, new keys, 100 in flight',
      unit: '/s',
      against: ['bare.new', 'handle.new'],
      bars: [{ bound: 'at least', value: 0.6, to: 'bare.new' }],
    },
    { id: 'bare.new', what: 'bare Automerge: create, save, sign', unit: '/s' },
    { id: 'handle.new', what: 'the same on the low-level handle', unit: '/s' },
    { id: 'level.100', what: 'bare Level put, synced, 100 in flight', unit: '/s' },
    { id: 'hot.1.p50', what: 'put, one hot key, 1 in flight, p50', unit: 'ms' },
    {
      id: 'hot.100',
      what: 'put, one hot key, 100 in flight',
      unit: '/s',
      against: ['bare.hot'],
      bars: [{ bound: 'at least', value: 0.6, to: 'bare.hot' }],
    },
    { id: 'bare.hot', what: 'bare Automerge kept loaded: change, incremental save, sign', unit: '/s' },
    { id: 'get', what: 'get', unit: '/s', against: ['level.get'] },
    { id: 'level.get', what: 'bare Level get', unit: '/s' },
  ],
  sizes: SIZES,
  open: (size) => openPutGet(SIZES[size]),
}
