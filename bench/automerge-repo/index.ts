/**
 * The same documents, and as many of them edited, in two repos of automerge-repo and in two replicas of ours, one after
 * the other in each round. Both pairs are processes that talk over loopback. Their repos are in memory only, their
 * connection plain TCP, and their documents unsigned; they count as done when the edited documents have arrived, ours when
 * both are proven equal and everything is on disk. Half of the edits are made on either side.
 */
import type { Bar, Figure, Question, Size, Unit } from '../question.ts'
import { openAutomergeRepo } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, documents: 40, edited: 4 },
  small: { rounds: 3, warmUps: 0, documents: 1_000, edited: 10 },
  full: { rounds: 3, warmUps: 0, documents: 5_000, edited: 50 },
} as const satisfies Question['sizes']

export const automergeRepo: Question = {
  name: 'automerge-repo',
  asks: 'What does it cost to make two sets of documents equal of which a few were edited, against automerge-repo?',
  figures: (size) => [
    ...costs('known', 'ours, known peer', size),
    ...costs('unknown', 'ours, unknown peer', size),
    ...costs('theirs', 'automerge-repo'),
  ],
  sizes: SIZES,
  open: (size) => openAutomergeRepo(SIZES[size]),
}

/** What of ours has to be at most which share of theirs. */
const MOST: Readonly<Record<string, number>> = { beyond: 1 / 100, ms: 1 / 10, rss: 1 / 3 }

const COSTS: readonly (readonly [id: string, what: string, unit: Unit])[] = [
  ['bytes', 'bytes both ways', 'bytes'],
  ['payload', 'payload', 'bytes'],
  ['beyond', 'bytes beyond the payload', 'bytes'],
  ['ms', 'time', 'ms'],
  ['cpu', 'CPU of both sides', 'ms'],
  ['stallP99', 'p99 stall of either event loop', 'ms'],
  ['stallLongest', 'longest stall of either event loop', 'ms'],
  ['rss', 'memory of both processes', 'MB'],
]

/** @param size of what is ours: the bars are for the full one */
function costs(id: string, who: string, size?: Size): Figure[] {
  return COSTS.map(([cost, what, unit]) => {
    const figure = { id: `${id}.${cost}`, what: `${who}: ${what}`, unit }
    if (size === undefined || cost === 'payload') return figure
    const to = `theirs.${cost}`
    const most = size === 'full' ? MOST[cost] : undefined
    const bars: Bar[] = most === undefined ? [] : [{ bound: 'at most', value: most, to }]
    return { ...figure, against: [to], bars }
  })
}
