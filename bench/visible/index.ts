/**
 * How long until another machine sees a put: two real daemons, paired by a ticket. What is put on A is looked for on
 * B's API by asking again as soon as the last answer has come, over a connection that stays open. So a time is at most
 * one answer of B too long, and B serves these questions beside its work; `poll` says how long one takes.
 */
import type { Question } from '../question.ts'
import { openVisible } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, puts: 5 },
  small: { rounds: 3, warmUps: 1, puts: 400 },
  full: { rounds: 7, warmUps: 1, puts: 2_000 },
} as const

export const visible: Question = {
  name: 'visible',
  asks: 'How long from a put on A, one at a time, until B’s API returns it?',
  figures: () => [
    { id: 'sent.p50', what: 'put sent to A until B returns it, p50', unit: 'ms' },
    { id: 'sent.p99', what: 'put sent to A until B returns it, p99', unit: 'ms' },
    { id: 'acknowledged.p50', what: 'put acknowledged by A until B returns it, p50', unit: 'ms' },
    { id: 'acknowledged.p99', what: 'put acknowledged by A until B returns it, p99', unit: 'ms' },
    { id: 'put.p50', what: 'put sent to A until acknowledged, p50', unit: 'ms' },
    { id: 'poll.p50', what: 'one answer of B while polled (the floor), p50', unit: 'ms' },
  ],
  sizes: SIZES,
  open: (size) => openVisible(SIZES[size]),
}
