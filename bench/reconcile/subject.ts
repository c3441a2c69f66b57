import { openHomes } from '../homes/index.ts'
import { openPair, type Pair, type Talk } from '../pair.ts'
import type { Round, Subject } from '../question.ts'
import { median } from '../statistics.ts'
import { type Case, idOf } from './cases.ts'

/** Talks before anything is measured: a daemon that runs has had some. */
const WARM_UPS = 10
/** They take milliseconds: one alone would be noise. */
const EQUAL_TALKS = 7

/** The pairs are kept from round to round: each edits entries that no round before has touched. */
export async function openReconcile(cases: readonly Case[]): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const opened: OpenCase[] = []
  for (const one of cases) opened.push(await openCase(parts, one))
  const kept = parts.move()
  return {
    close: () => kept.disposeAsync(),
    async round() {
      const measured: Record<string, number> = {}
      for (const one of opened) Object.assign(measured, await roundOf(one))
      const worst = (what: keyof Talk) =>
        Math.max(...Object.entries(measured).flatMap(([id, value]) => (id.endsWith(`.${what}`) ? [value] : [])))
      return { ...measured, 'stall.p99': worst('stallP99'), 'stall.longest': worst('stallLongest') }
    },
  }
}

interface OpenCase extends Case {
  readonly pair: Pair
  /** Entries from here on are as they were put. */
  untouched: number
}

async function openCase(parts: AsyncDisposableStack, one: Case): Promise<OpenCase> {
  const pair = await openPair(parts, await openHomes(parts, one.entries))
  const opened = { ...one, pair, untouched: 0 }
  for (let i = 0; i < WARM_UPS; i++) {
    await editSome(opened, 2)
    await pair.talk()
  }
  return opened
}

async function roundOf(one: OpenCase): Promise<Round> {
  const { entries, pair, talks } = one
  const measured: Record<string, number> = {}
  for (const talk of talks) {
    await editSome(one, talk.differ)
    if (!talk.known) await pair.forget()
    const talked = talk.differ === 0 ? await talkEqual(pair) : await pair.talk()
    for (const [what, value] of Object.entries(talked)) measured[idOf(entries, talk, what)] = value
  }
  await pair.ceo.call('watch')
  measured[`n${entries}.summary.bytes`] = await pair.ceo.call('summaryBytes')
  measured[`n${entries}.summary.cpu`] = (await pair.ceo.call('watched')).cpu
  return measured
}

/** Medians of several talks between equals, on a stream that is open: the first of them opens it. */
async function talkEqual(pair: Pair): Promise<Round> {
  await pair.talk()
  const talks: Talk[] = []
  while (talks.length < EQUAL_TALKS) talks.push(await pair.talk())
  const names = Object.keys(talks[0] as Talk) as (keyof Talk)[]
  return Object.fromEntries(names.map((name) => [name, median(talks.map((talk) => talk[name]))]))
}

async function editSome(one: OpenCase, differ: number): Promise<void> {
  const [from, to] = [one.untouched, one.untouched + differ / 2]
  if (to > one.entries) throw new Error(`${one.entries} entries are too few for so many rounds`)
  one.untouched = to
  await one.pair.edit(from, to)
}
