import { free, load as loadDocument } from '@automerge/automerge'
import { EntryDocument, MESH_SCOPE } from '../../crdt/entry/index.ts'
import { ACTOR } from '../bare-automerge.ts'
import { type Child, startChild } from '../child.ts'
import { temporaryFolder } from '../folder.ts'
import { rateOfSync } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { benchValue } from '../values.ts'

export interface ReconcileScale {
  readonly entries: number
  /** How many entries are edited, both sides together. */
  readonly few: number
  readonly many: number
}

type NodeChild = Child<typeof import('./node-main.ts').methods>

/** Each round has two nodes of its own: only a node that was never in the mesh has a first sync. */
export function openReconcile(scale: ReconcileScale): Subject {
  return { round: () => withPair((pair) => round(pair, scale)), close: async () => {} }
}

interface Pair {
  readonly a: NodeChild
  readonly b: NodeChild
}

async function withPair<T>(use: (pair: Pair) => Promise<T>): Promise<T> {
  await using parts = new AsyncDisposableStack()
  const folder = await temporaryFolder()
  parts.defer(() => folder.remove())
  const start = async (name: string): Promise<NodeChild> => {
    const child: NodeChild = startChild(new URL('./node-main.ts', import.meta.url))
    parts.defer(() => child.stop())
    await child.call('open', folder.path, name)
    return child
  }
  const [a, b] = await Promise.all([start('ceo'), start('sec')])
  await b.call('join', await a.call('invite'))
  await b.call('sync')
  // Awaited here: what returns before it is done would be torn down under it.
  return await use({ a, b })
}

async function round({ a, b }: Pair, { entries, few, many }: ReconcileScale): Promise<Round> {
  await a.call('fill', entries)
  const first = await session({ a, b })
  const measured = { ...under('first', first), ...under('equal', await session({ a, b })) }
  let edited = 0
  for (const [id, count] of [['few', few] as const, ['many', many] as const]) {
    for (const known of [true, false]) {
      // Entries that no edit has touched yet, so that each has the same history.
      const [from, middle, to] = [edited, edited + Math.ceil(count / 2), edited + count]
      edited = to
      await a.call('edit', from, middle)
      await b.call('edit', middle, to)
      if (!known) await b.call('forgetPeers')
      Object.assign(measured, under(`${id}.${known ? 'known' : 'unknown'}`, await session({ a, b })))
    }
  }
  return {
    ...measured,
    'first.rate': (entries / first.ms) * 1_000,
    'load.rate': loadRate(entries),
  }
}

interface Session {
  readonly bytes: number
  readonly beyond: number
  readonly trips: number
  readonly ms: number
  readonly cpu: number
}

/** Reconciles, begun by B. @throws Error unless both are equal afterwards */
async function session({ a, b }: Pair): Promise<Session> {
  const cpu = async () => (await a.call('cpu')) + (await b.call('cpu'))
  const payload = (await a.call('written')) + (await b.call('written'))
  const before = await cpu()
  const report = await b.call('sync')
  const used = (await cpu()) - before
  if ((await a.call('digest')) !== (await b.call('digest'))) throw new Error('the digests differ after a sync')
  const bytes = report.bytesSent + report.bytesReceived
  return { bytes, beyond: bytes - payload, trips: report.roundTrips, ms: report.milliseconds, cpu: used }
}

function under(id: string, session: Session): Round {
  return Object.fromEntries(Object.entries(session).map(([name, value]) => [`${id}.${name}`, value]))
}

/** How many documents such as the entries have bare Automerge loads a second on one core. */
function loadRate(entries: number): number {
  const document = EntryDocument.create({ kind: 'memory', scope: MESH_SCOPE, key: 'entry/0' }, ACTOR)
  document.put({ kind: 'memory', value: benchValue(0) }, { nodeId: 'ceo', at: 1 })
  const bytes = document.save()
  document.free()
  return rateOfSync(entries, () => free(loadDocument(bytes)))
}
