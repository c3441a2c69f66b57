import { join } from 'node:path'
import { pino } from 'pino'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { createSearch, type Search } from '../../daemon/search/index.ts'
import { temporaryFolder } from '../folder.ts'
import { inFlight, rateInFlight, timesOf } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { Vitals } from '../vitals.ts'
import { MIX, QUERY_KINDS, type QueryKind, queryOf, scopeOf } from './queries.ts'
import { createTexts, type Texts } from './texts.ts'

/** How many of each. */
export interface SearchScale {
  readonly entries: number
  /** Queries of each kind, a round. */
  readonly queries: number
  /** Puts with the index following and as many without, a round. */
  readonly puts: number
}

const IN_FLIGHT = 100
const SEED = 1

export async function openSearchSubject(scale: SearchScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const folder = await temporaryFolder()
  parts.defer(() => folder.remove())
  const path = join(folder.path, 'replica')
  await createReplica(path, { meshId: 'bench', records: [] })
  const replica = await openReplica({ signer: createSigner(Buffer.alloc(32, 7)) }, { path })
  parts.defer(() => replica.close())
  const texts = createTexts(SEED)
  const put = putter(replica, texts)
  await inFlight(scale.entries, IN_FLIGHT, put)
  const open = () =>
    createSearch(
      { store: replica, log: pino({ level: 'silent' }), now: Date.now },
      { path: join(folder.path, 'search.sqlite') },
    )
  let search = open()
  parts.defer(() => search.stop())
  await search.start()
  await search.caughtUp(replica.position)
  let puts = scale.entries
  const vitals = new Vitals()
  const opened = parts.move()

  return {
    close: () => opened.disposeAsync(),
    async round(index): Promise<Round> {
      await vitals.settle()
      await vitals.begin()
      const times = await searchTimes(search, texts, scale.queries)
      const searched = await vitals.end()

      await vitals.begin()
      const began = performance.now()
      await search.rebuild()
      const rebuilt = (search.status().entries / (performance.now() - began)) * 1_000
      const rebuilding = await vitals.end()
      const { bytes, entries } = search.status()

      const more = async () => {
        const first = puts
        puts += scale.puts
        await vitals.settle()
        return rateInFlight(scale.puts, IN_FLIGHT, (i) => put(first + i))
      }
      const following = async () => {
        const rate = await more()
        await search.caughtUp(replica.position)
        return rate
      }
      const alone = async () => {
        await search.stop()
        const rate = await more()
        search = open()
        await search.start()
        await search.caughtUp(replica.position)
        return rate
      }
      // In turn the one and the other goes first.
      const rates: Partial<Record<'following' | 'alone', number>> = {}
      for (const kind of index % 2 === 0 ? (['following', 'alone'] as const) : (['alone', 'following'] as const)) {
        rates[kind] = await (kind === 'following' ? following() : alone())
      }

      const mixed = MIX.flatMap((kind) => times[kind])
      return {
        p50: percentile(mixed, 0.5),
        p99: percentile(mixed, 0.99),
        ...Object.fromEntries(
          Object.entries(times).flatMap(([kind, all]) => [
            [`${kind}.p50`, percentile(all, 0.5)],
            [`${kind}.p99`, percentile(all, 0.99)],
          ]),
        ),
        'search.hold': searched.stallLongest,
        rebuild: rebuilt,
        'rebuild.hold': rebuilding.stallLongest,
        'entry.bytes': bytes / entries,
        'put.following': rates.following as number,
        'put.alone': rates.alone as number,
      }
    },
  }
}

async function searchTimes(search: Search, texts: Texts, count: number): Promise<Record<QueryKind, number[]>> {
  const kinds = Object.keys(QUERY_KINDS) as QueryKind[]
  const times = Object.fromEntries(kinds.map((kind) => [kind, [] as number[]])) as Record<QueryKind, number[]>
  // Kinds take turns, so that a busy moment of the machine is in all.
  for (let i = 0; i < count; i++) {
    for (const kind of kinds) {
      const query = queryOf(kind, texts)
      times[kind].push(...(await timesOf(1, () => search.search(query))))
    }
  }
  return times
}

const putter = (replica: Replica, texts: Texts) => (n: number) => {
  const { key, value } = texts.entry(n)
  return replica.putMemory({ scope: scopeOf(n), key, value, nodeId: 'ceo' })
}
