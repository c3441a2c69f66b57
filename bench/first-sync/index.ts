/**
 * How fast a node that has nothing gets everything: a real daemon that holds all entries, and one that has just been
 * made, joins by a ticket, and is watched until both have the same digest. The files of the new one follow by themselves.
 */
import type { Figure, Question } from '../question.ts'
import { openFirstSync } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, entries: 60 },
  small: { rounds: 3, warmUps: 0, entries: 2_000 },
  full: { rounds: 3, warmUps: 0, entries: 100_000 },
} as const satisfies Question['sizes']

export const firstSync: Question = {
  name: 'first-sync',
  asks: 'How fast does an empty node get all entries, signatures verified, both daemons on this machine?',
  figures: () => [
    ...daemons('usual', 'as installed'),
    ...daemons('plain', 'file view off'),
    { id: 'load.rate', what: 'bare Automerge: load and free the same documents, one core', unit: '/s' },
  ],
  sizes: SIZES,
  open: (size) => openFirstSync(SIZES[size]),
}

function daemons(id: string, what: string): Figure[] {
  return [
    {
      id: `${id}.rate`,
      what: `entries, ${what}`,
      unit: '/s',
      against: ['load.rate'],
      bars: [{ bound: 'at least', value: 0.2, to: 'load.rate' }],
    },
    { id: `${id}.cpu`, what: `CPU an entry, both sides, ${what}`, unit: 'µs' },
    {
      id: `${id}.stall.p99`,
      what: `event loop of either side, ${what}: p99 stall`,
      unit: 'ms',
      bars: [{ bound: 'at most', value: 20 }],
    },
    {
      id: `${id}.stall.longest`,
      what: `event loop of either side, ${what}: longest stall`,
      unit: 'ms',
      bars: [{ bound: 'at most', value: 100 }],
    },
    { id: `${id}.rss`, what: `memory of the new one afterwards, ${what}`, unit: 'MB' },
  ]
}
