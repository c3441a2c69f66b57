import { setTimeout as delay } from 'node:timers/promises'
import { type Child, startChild } from '../child.ts'
import { openHomes } from '../homes/index.ts'
import { openPair, type Talk } from '../pair.ts'
import type { Round, Subject } from '../question.ts'

export interface AutomergeRepoScale {
  readonly documents: number
  /** How many are edited, both sides together. */
  readonly edited: number
}

type RepoChild = Child<typeof import('./repo-main.ts').methods>

/** Its throttle waits for times that are over, of which Node warns. */
const QUIET = ['--disable-warning=TimeoutNegativeWarning']
/** Without a message for so long the two repos have said everything. */
const SILENCE_MS = 500

export async function openAutomergeRepo(scale: AutomergeRepoScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const pair = await openPair(parts, await openHomes(parts, scale.documents))
  await pair.talk()
  const kept = parts.move()
  let untouched = 0
  const ours = async (known: boolean): Promise<Talk> => {
    await pair.edit(untouched, untouched + scale.edited)
    untouched += scale.edited
    if (!known) await pair.forget()
    return pair.talk()
  }
  return {
    close: () => kept.disposeAsync(),
    async round() {
      return {
        ...under('known', await ours(true)),
        ...under('unknown', await ours(false)),
        ...under('theirs', await theirs(scale)),
      }
    },
  }
}

type Cost = Omit<Talk, 'trips'>

/** Repos of their own for each round: they remember what they have talked about. */
async function theirs({ documents, edited }: AutomergeRepoScale): Promise<Cost> {
  await using parts = new AsyncDisposableStack()
  const start = async (name: string): Promise<RepoChild> => {
    const child: RepoChild = startChild(new URL('./repo-main.ts', import.meta.url), QUIET)
    parts.defer(() => child.stop())
    await child.call('open', name, documents)
    return child
  }
  const [ceo, sec] = await Promise.all([start('ceo'), start('sec')])
  const middle = Math.ceil(edited / 2)
  const [first, second] = [await ceo.call('edit', 0, middle), await sec.call('edit', middle, edited)]
  const payload = first.bytes + second.bytes
  const port = await ceo.call('listen', 'sec')
  await Promise.all([ceo.call('watch'), sec.call('watch')])
  const began = performance.now()
  await sec.call('dial', port, 'ceo')
  await Promise.all([ceo.call('has', second.versions), sec.call('has', first.versions)])
  const ms = performance.now() - began
  const bytes = await silence(ceo, sec)
  const seen = await Promise.all([ceo.call('watched'), sec.call('watched')])
  return {
    bytes,
    payload,
    beyond: bytes - payload,
    ms,
    cpu: seen[0].cpu + seen[1].cpu,
    stallP99: Math.max(seen[0].stallP99, seen[1].stallP99),
    stallLongest: Math.max(seen[0].stallLongest, seen[1].stallLongest),
    rss: seen[0].rss + seen[1].rss,
  }
}

/** Waits until neither says anything more. Returns the bytes that both have sent. */
async function silence(a: RepoChild, b: RepoChild): Promise<number> {
  const sent = async () => (await a.call('sent')).bytes + (await b.call('sent')).bytes
  for (let before = await sent(); ; ) {
    await delay(SILENCE_MS)
    const now = await sent()
    if (now === before) return now
    before = now
  }
}

function under(id: string, { bytes, payload, beyond, ms, cpu, stallP99, stallLongest, rss }: Cost): Round {
  const cost = { bytes, payload, beyond, ms, cpu, stallP99, stallLongest, rss: rss / 1e6 }
  return Object.fromEntries(Object.entries(cost).map(([name, value]) => [`${id}.${name}`, value]))
}
