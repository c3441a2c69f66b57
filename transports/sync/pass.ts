import type { EntryId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { Replica, Transfer } from '../../crdt/replica/index.ts'
import { type ExchangeCounts, exchange } from './exchange.ts'
import type { Link } from './link.ts'
import type { PeerMemory } from './peer-memory.ts'
import type { Manner, Presence, Stand } from './wire.ts'

export interface SessionComponents {
  readonly replica: Pick<
    Replica,
    'items' | 'itemsSince' | 'openItemFinder' | 'symbols' | 'transfers' | 'transfer' | 'news'
  >
  readonly memory: PeerMemory
  readonly roster: {
    readonly version: string
    readonly records: readonly { readonly bytes: Uint8Array }[]
    /** Takes in records of the peer. @throws when this node or the peer is no member by them */
    merge(records: readonly Uint8Array[]): Promise<void>
  }
  readonly presence: {
    readonly mine: () => Presence
    /** Called with what the peer says in each pass. */
    readonly heard: (presence: Presence) => void
  }
  readonly counts: ExchangeCounts
  readonly onProgress: () => void
  /** Called when this side's stand is about to be read: what is committed from then on is not part of the pass. */
  readonly onStand: () => void
}

/** One pass of a session, on either side. */
export interface Pass extends Manner {
  readonly components: SessionComponents
  readonly link: Link
  readonly mine: Stand
  readonly theirs: Stand
}

/**
 * What a pass came to. `proven`: each holds all that the other held when it began; `closer`: the next pass goes on from
 * there; `parts`: as that, and what both have in different versions should travel whole then; `undecodable`: two items
 * share an id, and another window is due.
 */
export type Outcome = 'proven' | 'closer' | 'parts' | 'undecodable'

/** Entries on their way to the peer, read one after the other, when there is room for them on the stream. */
export type Reading = () => Promise<Transfer | undefined>

/**
 * Sends and takes entries. True when both took everything.
 * @throws {MeshError} `SYNC_INCOMPLETE` for what cannot be sent or opened now
 */
export async function talk(
  { components, link, whole }: Pass,
  transfers: AsyncIterable<Transfer>,
  { expected, unfit = 0 }: { expected?: number; unfit?: number } = {},
): Promise<Outcome> {
  const { memory, counts, onProgress } = components
  counts.expected = expected
  const taking = { take: memory.take.bind(memory), counts, onProgress }
  const held = await exchange(taking, link, { transfers, unfit })
  await memory.leaveOut(held.refused)
  const stuck = held.incomplete + (whole ? held.unfit : 0)
  if (stuck > 0) {
    throw new MeshError('SYNC_INCOMPLETE', `${stuck} entries could not be opened or sent; they are tried again later`)
  }
  if (held.unfit > 0) return 'parts'
  return held.refused.length === 0 ? 'proven' : 'closer'
}

/** Transfers as they are read. */
export async function* inTurn(readings: Iterable<Reading>): AsyncGenerator<Transfer> {
  for (const read of readings) {
    const transfer = await read()
    if (transfer !== undefined) yield transfer
  }
}

/** Most entries that are put in order at once: a frame holds fewer, and all of many would hold the event loop up. */
const SORTED_AT_ONCE = 4_096

/** Puts entries near those with keys that share much with theirs, which a frame says once. */
export async function sortByName<T extends { readonly id: EntryId }>(
  entries: readonly T[],
  pause: () => Promise<void>,
): Promise<T[]> {
  const sorted: T[] = []
  for (let from = 0; from < entries.length; from += SORTED_AT_ONCE) {
    for (const entry of entries.slice(from, from + SORTED_AT_ONCE).sort(byName)) sorted.push(entry)
    await pause()
  }
  return sorted
}

function byName(a: { readonly id: EntryId }, b: { readonly id: EntryId }): number {
  if (a.id.scope !== b.id.scope) return a.id.scope < b.id.scope ? -1 : 1
  return a.id.key < b.id.key ? -1 : 1
}
