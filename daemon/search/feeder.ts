import { type EntryId, entryName, type Kind } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import { nextTurn } from '../../crdt/turns.ts'
import type { IndexChange, IndexState } from './index-file.ts'
import type { IndexThread } from './index-thread.ts'
import type { SearchSource } from './search.ts'

/**
 * Commits or entries that go to the index together, and the characters that they may hold: so much takes some tens of
 * milliseconds there, which is what a query may have to wait.
 */
export const BATCH_ROWS = 256
const BATCH_CHARACTERS = 512 * 1024
/** Rows are read in runs of so many, about a millisecond: then others have their turn. */
const BREATH = 32

export interface FeederComponents {
  readonly store: SearchSource
  readonly thread: IndexThread
  /** Told of an entry that the replica holds and cannot read. */
  readonly onUnreadable: () => void
}

/** Takes some commits after a position into the index; undefined where there are none. */
export async function followSome(components: FeederComponents, after: number): Promise<IndexState | undefined> {
  const { changes, reached } = await changesAfter(components, after)
  return reached === after ? undefined : components.thread.call('apply', changes, reached)
}

/**
 * Fills an empty index: with every entry first, and with what was committed meanwhile as it goes on from the position
 * that it says in the end.
 * @param goesOn asked after each batch, which it is told of; the index is left unfinished where it says no
 * @returns undefined where it was left
 */
export async function fill(
  components: FeederComponents,
  goesOn: (state: IndexState) => boolean,
): Promise<IndexState | undefined> {
  const { store, thread } = components
  const { position } = store
  // While the index takes one batch in, the next is read; it never has two, so that a query waits for one at most.
  let taken: Promise<IndexState> | undefined
  try {
    for await (const changes of everything(components)) {
      const state = await taken
      if (state !== undefined && !goesOn(state)) return undefined
      taken = thread.call('apply', changes, undefined)
      taken.catch(() => {})
    }
    await taken
    return await thread.call('apply', [], position)
  } finally {
    await taken?.catch(() => {})
  }
}

/** What the entries that were committed after a position are now, each once. */
async function changesAfter(
  components: FeederComponents,
  after: number,
): Promise<{ changes: IndexChange[]; reached: number }> {
  const changes = new Map<string, IndexChange>()
  let reached = after
  let characters = 0
  for await (const { seq, id } of components.store.feed(after, BATCH_ROWS)) {
    reached = seq
    const name = entryName(id)
    // Read after all of these were committed: it is none older than the last of them.
    if (changes.has(name)) continue
    const json = await readRow(components, id)
    changes.set(name, { kind: id.kind, scope: id.scope, key: id.key, json })
    characters += json?.length ?? 0
    if (characters >= BATCH_CHARACTERS) break
    if (changes.size % BREATH === 0) await nextTurn()
  }
  return { changes: [...changes.values()], reached }
}

async function readRow({ store, onUnreadable }: FeederComponents, id: EntryId): Promise<string | undefined> {
  try {
    return (await store.rowJson(id))?.json
  } catch (error) {
    if (!isCorrupt(error)) throw error
    onUnreadable()
    return undefined
  }
}

/** Every entry, in batches. */
async function* everything(components: FeederComponents): AsyncGenerator<IndexChange[]> {
  try {
    for (const kind of ['memory', 'skill'] as const) yield* listed(components.store, kind)
  } catch (error) {
    if (!isCorrupt(error)) throw error
    // A list ends at the first damaged entry. The feed leads to the others, as far as it reaches back.
    components.onUnreadable()
    yield* committed(components)
  }
}

async function* listed(store: SearchSource, kind: Kind): AsyncGenerator<IndexChange[]> {
  let changes: IndexChange[] = []
  let characters = 0
  for await (const { id, row } of store.list(kind)) {
    const json = JSON.stringify(row)
    changes.push({ kind, scope: id.scope, key: id.key, json })
    characters += json.length
    if (changes.length % BREATH === 0) await nextTurn()
    if (changes.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue
    yield changes
    changes = []
    characters = 0
  }
  if (changes.length > 0) yield changes
}

async function* committed(components: FeederComponents): AsyncGenerator<IndexChange[]> {
  for (let after = components.store.horizon; ; ) {
    const { changes, reached } = await changesAfter(components, after)
    if (reached === after) return
    yield changes
    after = reached
  }
}

function isCorrupt(error: unknown): boolean {
  return error instanceof MeshError && error.code === 'STORAGE_CORRUPT'
}
