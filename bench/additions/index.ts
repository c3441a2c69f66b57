/**
 * What search, watchers and the secrets guard cost: real daemons with and without them, each a process, all with the file
 * view off, the load generator in this process, watchers in another. A watcher hears when the event of a put stands in
 * its socket's data, by the clock that all processes of a machine share.
 */
import type { Question } from '../question.ts'
import { openAdditions } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, connections: 4, puts: 40, watchers: 3, lone: 4 },
  small: { rounds: 3, warmUps: 0, connections: 16, puts: 300, watchers: 100, lone: 10 },
  full: { rounds: 7, warmUps: 1, connections: 16, puts: 4_000, watchers: 100, lone: 300 },
} as const

export const additions: Question = {
  name: 'additions',
  asks: 'What do search, watchers and the secrets guard cost who puts over HTTP, and how soon do watchers hear of a put?',
  figures: (size) => {
    const { watchers } = SIZES[size]
    return [
      {
        id: 'put.additions',
        what: 'put, new keys, with search and a watcher',
        unit: '/s',
        against: ['put.plain'],
        bars: [{ bound: 'at least', value: 0.7, to: 'put.plain' }],
      },
      {
        id: 'put.watched',
        what: `put, new keys, with search and ${watchers} watchers`,
        unit: '/s',
        against: ['put.plain'],
      },
      {
        id: 'put.plain',
        what: 'put, new keys, without search and watchers',
        unit: '/s',
        against: ['put.unguarded'],
        bars: [{ bound: 'at least', value: 0.8, to: 'put.unguarded' }],
      },
      { id: 'put.unguarded', what: 'put, new keys, without search, watchers and secrets guard', unit: '/s' },
      { id: 'heard.p50', what: `put sent until each of ${watchers} watchers has its event, p50`, unit: 'ms' },
      {
        id: 'heard.p99',
        what: 'the same, p99',
        unit: 'ms',
        ...(watchers === 100 ? { bars: [{ bound: 'at most', value: 50 }] } : {}),
      },
    ]
  },
  sizes: SIZES,
  open: (size) => openAdditions(SIZES[size]),
}
