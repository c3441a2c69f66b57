/**
 * How long until another machine sees a put: real daemons, each a process, paired by tickets, all connected. What is put
 * on A is looked for on B's API by asking again a millisecond after the last answer, over a connection that stays open.
 * So a time is at most one answer of B and that pause too long, and B serves these questions beside its work; `poll` says
 * how far apart they come. In a larger mesh each of the others is B in turn. Pushes are counted in a mesh of as many
 * nodes in one process, where what they send can be seen.
 */
import type { Bar, Figure, Question, Size } from '../question.ts'
import { openVisible } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, puts: 5, pushed: 3, few: 2, many: 3 },
  small: { rounds: 3, warmUps: 0, puts: 30, pushed: 5, few: 2, many: 10 },
  full: { rounds: 5, warmUps: 1, puts: 1_000, pushed: 50, few: 2, many: 10 },
} as const satisfies Question['sizes']

export const visible: Question = {
  name: 'visible',
  asks: 'How long from a put on A, one at a time, until B’s API returns it, in a small mesh and in a larger one?',
  figures: (size) => {
    const { few, many } = SIZES[size]
    return [...meshFigures('few', few, { p50: 5, p99: 25 }), ...meshFigures('many', many, manyBars(size))]
  },
  sizes: SIZES,
  open: (size) => openVisible(SIZES[size]),
}

interface SentBars {
  readonly p50: number
  readonly p99: number
}

const manyBars = (size: Size): SentBars | undefined => (SIZES[size].many === 10 ? { p50: 10, p99: 50 } : undefined)

function meshFigures(id: string, nodes: number, most: SentBars | undefined): Figure[] {
  const bar = (value: number | undefined): { bars: Bar[] } => ({
    bars: value === undefined ? [] : [{ bound: 'at most', value }],
  })
  const at = `${nodes} nodes`
  return [
    { id: `${id}.sent.p50`, what: `${at}: put sent to A until B returns it, p50`, unit: 'ms', ...bar(most?.p50) },
    { id: `${id}.sent.p99`, what: `${at}: put sent to A until B returns it, p99`, unit: 'ms', ...bar(most?.p99) },
    { id: `${id}.acknowledged.p50`, what: `${at}: put acknowledged by A until B returns it, p50`, unit: 'ms' },
    { id: `${id}.acknowledged.p99`, what: `${at}: put acknowledged by A until B returns it, p99`, unit: 'ms' },
    { id: `${id}.put.p50`, what: `${at}: put sent to A until acknowledged, p50`, unit: 'ms' },
    { id: `${id}.poll.p50`, what: `${at}: from one question to B to the next, p50`, unit: 'ms' },
    { id: `${id}.pushes`, what: `${at}: pushes sent for a commit, by all nodes together`, unit: 'pushes' },
  ]
}
