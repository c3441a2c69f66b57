/**
 * What it costs to make two replicas equal, over the real transport on loopback, each replica in a process of its own.
 *
 * Both hold the same entries (see `homes`), then half of the edited ones, which are from all over, are edited on either
 * side, one leaf each; an edited entry counts twice in the symmetric difference. A known peer is one with a checkpoint; to an unknown one the
 * connection is new as well, and the time holds the introduction. The processes have talked a few times before.
 */
import type { Bar, Figure, Plot, Question, Size, Unit } from '../question.ts'
import { CASES, type Case, idOf, type TalkCase } from './cases.ts'
import { openReconcile } from './subject.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, entries: 60 },
  small: { rounds: 3, warmUps: 0, entries: 10_000 },
  full: { rounds: 3, warmUps: 0, entries: 1_000_000 },
} as const satisfies Question['sizes']

export const reconcile: Question = {
  name: 'reconcile',
  asks: 'What does it cost to make two replicas equal, over the number of entries and of those that differ?',
  figures: (size) => [
    {
      id: 'stall.p99',
      what: 'event loop of either side in any talk: p99 stall',
      unit: 'ms',
      bars: [{ bound: 'at most', value: 20 }],
    },
    {
      id: 'stall.longest',
      what: 'event loop of either side in any talk: longest stall',
      unit: 'ms',
      bars: [{ bound: 'at most', value: 100 }],
    },
    ...CASES[size].flatMap(figuresOf),
  ],
  plots,
  sizes: SIZES,
  open: (size) => openReconcile(CASES[size]),
}

function figuresOf({ entries, talks }: Case): Figure[] {
  return [
    ...talks.flatMap((talk) => talkFigures(entries, talk)),
    ...cells(`${number(entries)} entries: JSON summary of all, one side`, [
      [`n${entries}.summary.bytes`, 'bytes', 'bytes'],
      [`n${entries}.summary.cpu`, 'CPU', 'ms'],
    ]),
  ]
}

function talkFigures(entries: number, talk: TalkCase): Figure[] {
  const { differ, known } = talk
  const peer = differ === 0 ? 'equal' : `${number(differ)} differ, ${known ? 'known' : 'unknown'} peer`
  const id = (what: string) => idOf(entries, talk, what)
  return cells(
    `${number(entries)} entries, ${peer}`,
    [
      [id('bytes'), 'bytes', 'bytes'],
      [id('payload'), 'payload', 'bytes'],
      [id('beyond'), 'beyond the payload', 'bytes'],
      [id('trips'), 'round trips', 'round trips'],
      [id('ms'), 'time', 'ms'],
      [id('cpu'), 'CPU', 'ms'],
      [id('stallP99'), 'p99 stall', 'ms'],
      [id('stallLongest'), 'longest stall', 'ms'],
    ],
    barsOf(entries, talk),
  )
}

const MILLION = 1_000_000

/** By column: what the talk has to keep to. */
function barsOf(entries: number, { differ, known }: TalkCase): Readonly<Record<string, number>> {
  if (differ === 0) return { bytes: 300, 'round trips': 1, CPU: 5 }
  if (entries !== MILLION) return {}
  if (differ === 1_000) return { 'beyond the payload': 40_000, 'round trips': 3 }
  if (differ === 20_000 && known) return { 'beyond the payload': 30_000 }
  if (differ === 100_000) return { 'beyond the payload': 1_500_000 }
  return {}
}

type Column = readonly [id: string, column: string, unit: Unit]

function cells(row: string, columns: readonly Column[], most: Readonly<Record<string, number>> = {}): Figure[] {
  return columns.map(([id, column, unit]) => {
    const value = most[column]
    const bars: Bar[] = value === undefined ? [] : [{ bound: 'at most', value }]
    return { id, what: `${row}: ${column}`, unit, bars, cell: { row, column } }
  })
}

function plots(size: Size): readonly Plot[] {
  const cases = CASES[size]
  const largest = cases.at(-1)
  if (largest === undefined) return []
  const overD = (what: string, known: boolean) =>
    largest.talks
      .filter((talk) => talk.differ > 0 && talk.known === known)
      .toSorted((a, b) => a.differ - b.differ)
      .map((talk) => [talk.differ, idOf(largest.entries, talk, what)] as const)
  const overN = (what: string, pick: (talk: TalkCase) => boolean) =>
    cases.flatMap(({ entries, talks }) =>
      talks.filter(pick).map((talk) => [entries, idOf(entries, talk, what)] as const),
    )
  const summary = (what: string) => cases.map(({ entries }) => [entries, `n${entries}.summary.${what}`] as const)
  const across = `items that differ, of ${number(largest.entries)} entries`
  const overNSeries = (what: string) => [
    { label: 'equal', points: overN(what, ({ differ }) => differ === 0) },
    { label: `${FEW} differ, known`, points: overN(what, ({ differ, known }) => differ === FEW && known) },
    { label: `${FEW} differ, unknown`, points: overN(what, ({ differ, known }) => differ === FEW && !known) },
  ]
  return [
    {
      name: 'reconcile-bytes-over-d',
      title: 'Bytes over what differs',
      x: across,
      y: 'bytes both ways',
      series: [
        { label: 'known: beyond payload', points: overD('beyond', true) },
        { label: 'unknown: beyond payload', points: overD('beyond', false) },
        { label: 'limit: the payload', points: overD('payload', false) },
      ],
    },
    {
      name: 'reconcile-time-over-d',
      title: 'Time over what differs',
      x: across,
      y: 'milliseconds',
      series: [
        { label: 'known', points: overD('ms', true) },
        { label: 'unknown', points: overD('ms', false) },
      ],
    },
    {
      name: 'reconcile-bytes-over-n',
      title: 'Bytes beyond the payload over the number of entries',
      x: 'entries',
      y: 'bytes both ways',
      series: [...overNSeries('beyond'), { label: 'JSON summary, one way', points: summary('bytes') }],
    },
    {
      name: 'reconcile-cpu-over-n',
      title: 'CPU over the number of entries',
      x: 'entries',
      y: 'milliseconds, both sides',
      series: [...overNSeries('cpu'), { label: 'JSON summary, one side', points: summary('cpu') }],
    },
  ]
}

/** How many differ in the pictures over the number of entries. */
const FEW = 100

const number = (value: number) => value.toLocaleString('en-US')
