import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { JsonValue, Scope } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { createSearch, type Search, type SearchQuery, type SearchSource } from './index.ts'

/** A home in a temporary folder with a real replica and a running search. */
export interface Trial {
  readonly home: string
  /** The index's file. */
  readonly path: string
  readonly store: Replica
  readonly search: Search
  /** What the search logged, as it was written. */
  readonly lines: readonly string[]
  /** Milliseconds by which the clock of replica and search is ahead. */
  readonly clock: { ahead: number }
  put(key: string, value: JsonValue, options?: { scope?: string; expiresAt?: number }): Promise<void>
  putSkill(name: string, content: string, scope?: string): Promise<void>
  remove(kind: 'memory' | 'skill', key: string, scope?: string): Promise<void>
  /** Scopes and keys of what is found once everything written is indexed, the best first. */
  find(text: string, query?: Omit<SearchQuery, 'text'>): Promise<string[]>
  /** Stops the search and begins anew, as after a restart; `between` runs while there is none. */
  restart(between?: () => Promise<void> | void, source?: Partial<SearchSource>): Promise<void>
  stop(): Promise<void>
}

const SEED = new Uint8Array(32).fill(7)

export async function startTrial(): Promise<Trial> {
  const home = await mkdtemp(join(tmpdir(), 'mesh-search-'))
  const path = join(home, 'search.sqlite')
  await createReplica(join(home, 'db'), { meshId: 'a'.repeat(32), records: [] })
  const clock = { ahead: 0 }
  const now = () => Date.now() + clock.ahead
  const store = await openReplica({ signer: createSigner(SEED), now }, { path: join(home, 'db') })
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
  const timing = { followMs: 5, retryMs: 20, maxRetryMs: 100 }
  const open = (source: SearchSource) => createSearch({ store: source, log, now }, { path, timing })
  let search = open(store)
  let stopped = false
  const trial: Trial = {
    home,
    path,
    store,
    lines,
    clock,
    get search() {
      return search
    },
    async put(key, value, { scope = 'mesh', expiresAt } = {}) {
      await store.putMemory({ scope: scope as Scope, key, value, nodeId: 'ceo', expiresAt })
    },
    async putSkill(name, content, scope = 'mesh') {
      await store.putSkill({ scope: scope as Scope, name, content, nodeId: 'ceo' })
    },
    async remove(kind, key, scope = 'mesh') {
      await store.remove({ kind, scope: scope as Scope, key }, 'ceo')
    },
    async find(text, query = {}) {
      await search.caughtUp(store.position)
      const { hits } = await search.search({ text, ...query })
      return hits.map(({ scope, key }) => `${scope}/${key}`)
    },
    async restart(between = () => {}, source = {}) {
      await search.stop()
      await between()
      search = open(sourceLike(store, source))
      await search.start()
    },
    async stop() {
      if (stopped) return
      stopped = true
      await search.stop()
      await store.close()
      await rm(home, { recursive: true, force: true })
    },
  }
  onTestFinished(() => trial.stop())
  await search.start()
  return trial
}

/** A replica that says other things of itself. */
function sourceLike(store: Replica, source: Partial<SearchSource>): SearchSource {
  return {
    databaseId: source.databaseId ?? store.databaseId,
    get position() {
      return store.position
    },
    get horizon() {
      return source.horizon ?? store.horizon
    },
    rowJson: source.rowJson ?? ((id) => store.rowJson(id)),
    list: source.list ?? ((kind, options) => store.list(kind, options)),
    feed: (after, limit) => store.feed(after, limit),
    onCommit: (listener) => store.onCommit(listener),
    counts: () => store.counts(),
  }
}
