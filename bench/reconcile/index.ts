/**
 * What it costs to make two replicas equal, over the real transport on loopback, each replica in a process of its own.
 *
 * Bytes are both ways with framing, as the session's own report counts them on a stream of an open connection; payload
 * is the changes and signatures that the receiver lacked, sent once. Half of the edited entries are edited on either
 * side, one leaf each; an edited entry counts twice in the symmetric difference. A known peer is one with a checkpoint,
 * an unknown one has lost it (there the connection is new as well, and the time holds the introduction).
 */
import type { Figure, Question } from '../question.ts'
import { openReconcile } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, entries: 60, few: 2, many: 10 },
  small: { rounds: 3, warmUps: 0, entries: 10_000, few: 10, many: 1_000 },
  full: { rounds: 5, warmUps: 0, entries: 100_000, few: 10, many: 1_000 },
} as const

export const reconcile: Question = {
  name: 'reconcile',
  asks: 'What does it cost to make two replicas equal that hold the same entries, save for a few or many edited ones?',
  figures: (size) => [
    { id: 'first.rate', what: 'first sync of an empty node, entries', unit: '/s', against: ['load.rate'] },
    { id: 'load.rate', what: 'bare Automerge: load and free the same documents, one core', unit: '/s' },
    ...session('first', 'first sync of an empty node'),
    ...session('equal', '0 edited'),
    ...session('few.known', `${SIZES[size].few} edited, known peer`),
    ...session('few.unknown', `${SIZES[size].few} edited, unknown peer`),
    ...session('many.known', `${SIZES[size].many} edited, known peer`),
    ...session('many.unknown', `${SIZES[size].many} edited, unknown peer`),
  ],
  sizes: SIZES,
  open: async (size) => openReconcile(SIZES[size]),
}

function session(id: string, what: string): Figure[] {
  return [
    { id: `${id}.bytes`, what: `${what}: bytes both ways`, unit: 'bytes' },
    { id: `${id}.beyond`, what: `${what}: bytes beyond the payload`, unit: 'bytes' },
    { id: `${id}.trips`, what: `${what}: round trips`, unit: 'round trips' },
    { id: `${id}.ms`, what: `${what}: time`, unit: 'ms' },
    { id: `${id}.cpu`, what: `${what}: CPU of both sides`, unit: 'ms' },
  ]
}
