import type { EntryId, Kind } from '../../crdt/entry/index.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { WalkProgress } from './files-index.ts'
import { isCorrupt } from './plan.ts'

/** What a walk has come to. */
export interface WalkGroup {
  /** Those of {@link entries} that are to be shown. */
  readonly ids: readonly EntryId[]
  readonly entries: number
  /** Where a walk that is cut short after this group goes on, if it can. */
  readonly after?: WalkProgress['after']
}

type Source = Pick<EntryStore, 'list' | 'feed'>

/** Entries read at once. */
const GROUP = 200

/** Every entry that a replica has, in groups; of memories only those after a place where an earlier walk was cut short. */
export async function* liveEntries(store: Source, after: WalkProgress['after']): AsyncGenerator<WalkGroup> {
  try {
    let behind = after !== undefined
    for await (const listed of listGroups(store, 'memory')) {
      const ids = behind ? listed.filter((id) => isAfter(id, after)) : listed
      behind &&= ids.length === 0
      const { scope, key } = listed.at(-1) as EntryId
      yield { ids, entries: listed.length, ...(behind ? {} : { after: { scope, key } }) }
    }
    for await (const ids of listGroups(store, 'skill')) yield { ids, entries: ids.length }
  } catch (error) {
    if (!isCorrupt(error)) throw error
    // A list ends at the first damaged entry. The feed leads to all others.
    yield* committedEntries(store)
  }
}

async function* listGroups(store: Source, kind: Kind): AsyncGenerator<EntryId[]> {
  let ids: EntryId[] = []
  for await (const { id } of store.list(kind)) {
    ids.push(id)
    if (ids.length < GROUP) continue
    yield ids
    ids = []
  }
  if (ids.length > 0) yield ids
}

async function* committedEntries(store: Source): AsyncGenerator<WalkGroup> {
  for (let seq = 0; ; ) {
    const ids: EntryId[] = []
    for await (const record of store.feed(seq, GROUP)) {
      ids.push(record.id)
      seq = record.seq
    }
    if (ids.length === 0) return
    yield { ids, entries: ids.length }
  }
}

/** In the order in which a replica lists memories: that of the bytes of scope and key. */
function isAfter(id: EntryId, place: WalkProgress['after']): boolean {
  const bytesOf = ({ scope, key }: Pick<EntryId, 'scope' | 'key'>) => Buffer.from(`${scope}\0${key}`)
  return place === undefined || bytesOf(id).compare(bytesOf(place)) > 0
}
