/**
 * Whether a node with many entries starts and works as one with few does: real daemons as installed, their files written
 * by an earlier start. What each needs until it is ready is measured alone; puts and gets go to all of them in turns.
 */
import type { Bar, Figure, Plot, Question, Size } from '../question.ts'
import { openStart } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, puts: 5, gets: 20 },
  small: { rounds: 3, warmUps: 0, puts: 100, gets: 500 },
  full: { rounds: 5, warmUps: 1, puts: 500, gets: 5_000 },
} as const satisfies Question['sizes']

/** Entries of the daemons; all are compared with the first. */
const ENTRIES: Readonly<Record<Size, readonly number[]>> = {
  tiny: [20, 60],
  small: [1_000, 3_000],
  full: [1_000, 100_000, 1_000_000],
}

export const start: Question = {
  name: 'start',
  asks: 'How fast does a daemon with many entries start, what memory does it take, and is it as fast as with few?',
  figures: (size) => ENTRIES[size].flatMap((entries) => figuresOf(entries, ENTRIES[size][0])),
  plots,
  sizes: SIZES,
  open: (size) => openStart(ENTRIES[size], SIZES[size]),
}

function figuresOf(entries: number, fewest: number | undefined): Figure[] {
  const row = `${entries.toLocaleString('en-US')} entries`
  const barred = entries === 1_000_000
  const most = (value: number): { bars: Bar[] } => ({ bars: barred ? [{ bound: 'at most', value }] : [] })
  const asWithFew = (id: string): Pick<Figure, 'against' | 'bars'> => {
    if (fewest === undefined || entries === fewest) return {}
    const to = `n${fewest}.${id}`
    return { against: [to], bars: barred ? [{ bound: 'at most', value: 1.5, to }] : [] }
  }
  const id = (what: string) => `n${entries}.${what}`
  return [
    { id: id('ready'), what: `${row}: ready after`, unit: 'ms', ...most(3_000) },
    { id: id('rss'), what: `${row}: memory when ready`, unit: 'MB', ...most(400) },
    { id: id('rss.used'), what: `${row}: memory after puts and gets`, unit: 'MB', ...most(400) },
    { id: id('put.p50'), what: `${row}: put, p50`, unit: 'ms', ...asWithFew('put.p50') },
    { id: id('put.p99'), what: `${row}: put, p99`, unit: 'ms', ...asWithFew('put.p99') },
    { id: id('get.p50'), what: `${row}: get, p50`, unit: 'ms', ...asWithFew('get.p50') },
    { id: id('get.p99'), what: `${row}: get, p99`, unit: 'ms', ...asWithFew('get.p99') },
  ]
}

function plots(size: Size): readonly Plot[] {
  const over = (what: string) => ENTRIES[size].map((entries) => [entries, `n${entries}.${what}`] as const)
  return [
    {
      name: 'start-time-over-n',
      title: 'Time until ready, puts and gets over the number of entries',
      x: 'entries',
      y: 'milliseconds',
      series: [
        { label: 'ready', points: over('ready') },
        { label: 'put, p50', points: over('put.p50') },
        { label: 'get, p50', points: over('get.p50') },
      ],
    },
    {
      name: 'start-memory-over-n',
      title: 'Memory over the number of entries',
      x: 'entries',
      y: 'MB (RSS)',
      series: [
        { label: 'when ready', points: over('rss') },
        { label: 'after puts and gets', points: over('rss.used') },
      ],
    },
  ]
}
