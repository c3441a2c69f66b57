import type { EntryId, Kind, Scope } from '../../../crdt/entry/index.ts'
import { MeshError } from '../../../crdt/errors.ts'
import type { Commit, EntryStore, FeedRecord } from '../../../crdt/replica/replica.ts'
import { etagOf } from '../etag.ts'

/** What of the feed a watcher wants, and may have. */
export interface EventFilter {
  readonly kind?: Kind | undefined
  readonly scope?: Scope | undefined
  /** Only keys or names that begin with this. */
  readonly prefix?: string | undefined
  readonly mayRead: (scope: Scope) => boolean
}

/** Where a reader is: a feed position, and of which database; none of the latter where it only knows a number. */
export interface EventPlace {
  readonly seq: number
  readonly epoch?: string | undefined
}

/** The latest commits that are kept for those who are about to read them; others read the feed itself. */
const KEPT_COMMITS = 1_024
/** Rendered events larger than this are made anew for each reader, rather than kept. In characters. */
const MAX_KEPT_EVENT = 16 * 1024
/** Commits read at once from the feed. */
const PAGE_COMMITS = 256
/**
 * How long watchers are left alone after they were woken, for each of them, in milliseconds: what is committed meanwhile
 * goes out together. A hundred woken by every commit would take most of the time from whoever commits.
 */
const REST_MS_PER_WATCHER = 0.1

export interface EventHubInit {
  /** How often something is said while nothing happens, in milliseconds. */
  readonly heartbeatMs: number
  /** Most watchers at once, and most of one caller that is neither operator nor agent. */
  readonly maxWatchers: number
  readonly maxWatchersOfKey: number
}

/** The events of a watcher, and the way to say that it is gone. A generator that nobody asked would not know. */
export interface Watch {
  readonly events: AsyncGenerator<string>
  readonly leave: () => void
}

interface KeptCommit extends FeedRecord {
  text: string | undefined
}

/**
 * Gives the feed to any number of watchers. Each reads at its own pace: for a slow one nothing is kept, it only falls
 * behind, and reads on from the feed.
 */
export class EventHub {
  readonly #store: EntryStore & { readonly databaseId: string }
  readonly #init: EventHubInit
  readonly #watchers = new Map<string, number>()
  #kept: KeptCommit[] = []
  #wake = Promise.withResolvers<void>()
  #resting: NodeJS.Timeout | undefined
  #hasNews = false
  readonly #unsubscribe: () => void

  constructor(store: EntryStore & { readonly databaseId: string }, init: EventHubInit) {
    this.#store = store
    this.#init = init
    this.#unsubscribe = store.onCommit((commits) => this.#onCommits(commits))
  }

  close(): void {
    this.#unsubscribe()
    clearTimeout(this.#resting)
  }

  get watchers(): number {
    return [...this.#watchers.values()].reduce((sum, count) => sum + count, 0)
  }

  /**
   * Events as lines of `text/event-stream`, from a place in the feed or from now on. It begins with `ready`, or with
   * `reset` where that place cannot be gone on from: whoever gets that must read everything anew.
   * @param name who watches; it counts as a watcher until `leave` is called
   * @throws {MeshError} `TOO_MANY_WATCHERS`
   */
  watch(name: string, from: EventPlace | undefined, filter: EventFilter, signal: AbortSignal): Watch {
    const ofName = this.#watchers.get(name) ?? 0
    const isLimited = name !== 'operator' && name !== 'agent'
    if (this.watchers >= this.#init.maxWatchers || (isLimited && ofName >= this.#init.maxWatchersOfKey)) {
      const most = isLimited ? this.#init.maxWatchersOfKey : this.#init.maxWatchers
      throw new MeshError('TOO_MANY_WATCHERS', `more than ${most} watchers at once`, {
        hint: 'close some, or watch several things with one',
      })
    }
    this.#watchers.set(name, ofName + 1)
    return { events: this.#events(from, filter, signal), leave: () => this.#leave(name) }
  }

  #leave(name: string): void {
    const left = (this.#watchers.get(name) ?? 1) - 1
    if (left === 0) this.#watchers.delete(name)
    else this.#watchers.set(name, left)
  }

  async *#events(from: EventPlace | undefined, filter: EventFilter, signal: AbortSignal): AsyncGenerator<string> {
    const reason = this.#whyNotFrom(from)
    let position = from === undefined || reason !== undefined ? this.#store.position : from.seq
    yield reason === undefined
      ? this.#event(position, 'ready', JSON.stringify({ position }))
      : this.#reset(position, reason)
    while (!signal.aborted) {
      const wake = this.#wake.promise
      const before = position
      const target = this.#store.position
      let texts = ''
      for await (const commit of this.#commitsAfter(position)) {
        if (commit.seq > position + 1) {
          // It read so slowly that the feed is not kept any more from where it is.
          position = this.#store.position
          texts = this.#reset(position, 'behind')
          break
        }
        position = commit.seq
        if (matches(filter, commit.id)) texts += await this.#render(commit)
        if (texts.length > MAX_KEPT_EVENT) {
          yield texts
          texts = ''
        }
        if (signal.aborted) return
      }
      if (texts !== '') yield texts
      const isBehind = position > before && position < target
      if (!isBehind && (await this.#isQuiet(wake, signal))) yield ': still here\n\n'
    }
  }

  #whyNotFrom(from: EventPlace | undefined): 'behind' | 'database' | undefined {
    if (from === undefined) return undefined
    const isOther = from.epoch !== undefined && from.epoch !== this.#epoch
    // A position that this database has not reached is one of another, from before a restore.
    if (isOther || from.seq > this.#store.position) return 'database'
    return from.seq < this.#store.horizon ? 'behind' : undefined
  }

  /** Resolves to false when there are commits or it is over, to true when nothing was said for long. */
  async #isQuiet(wake: Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => resolve(true), this.#init.heartbeatMs)
    const over = () => resolve(false)
    void wake.then(over)
    signal.addEventListener('abort', over, { once: true })
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', over)
    }
  }

  async *#commitsAfter(position: number): AsyncGenerator<KeptCommit> {
    const oldest = this.#kept[0]?.seq
    if (oldest !== undefined && position >= oldest - 1) {
      yield* this.#kept.slice(position - oldest + 1)
      return
    }
    for await (const record of this.#store.feed(position, PAGE_COMMITS)) yield { ...record, text: undefined }
  }

  #onCommits(commits: readonly Commit[]): void {
    for (const { seq, id, via } of commits) this.#kept.push({ seq, id, via, text: undefined })
    if (this.#kept.length > 2 * KEPT_COMMITS) this.#kept = this.#kept.slice(-KEPT_COMMITS)
    this.#hasNews = true
    if (this.#resting === undefined) this.#wakeAll()
  }

  #wakeAll(): void {
    this.#resting = undefined
    if (!this.#hasNews) return
    this.#hasNews = false
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
    const restMs = this.watchers * REST_MS_PER_WATCHER
    if (restMs >= 1) this.#resting = setTimeout(() => this.#wakeAll(), restMs)
  }

  /** With the row as it is now: an entry that was written several times shows the last of it each time. */
  async #render(commit: KeptCommit): Promise<string> {
    if (commit.text !== undefined) return commit.text
    const { seq, id } = commit
    const row = await this.#store.rowJson(id)
    const type = row !== undefined ? 'put' : (await this.#store.get(id))?.isExpired ? 'expire' : 'delete'
    const { kind, scope, key } = id
    const head = JSON.stringify({ seq, kind, scope, key, etag: row === undefined ? null : etagOf(row.version) })
    const text = this.#event(seq, type, `${head.slice(0, -1)},"row":${row?.json ?? 'null'}}`)
    if (text.length <= MAX_KEPT_EVENT) commit.text = text
    return text
  }

  #reset(position: number, reason: 'behind' | 'database'): string {
    return this.#event(position, 'reset', JSON.stringify({ reason, position }))
  }

  #event(seq: number, type: string, data: string): string {
    return `id: ${seq}-${this.#epoch}\nevent: ${type}\ndata: ${data}\n\n`
  }

  /** Tells positions of this database from those of another. */
  get #epoch(): string {
    return this.#store.databaseId.slice(0, 8)
  }
}

function matches({ kind, scope, prefix, mayRead }: EventFilter, id: EntryId): boolean {
  if (kind !== undefined && id.kind !== kind) return false
  if (scope !== undefined && id.scope !== scope) return false
  return (prefix === undefined || id.key.startsWith(prefix)) && mayRead(id.scope)
}

/** The id of an event, as a reader sends it back. @throws {MeshError} `REQUEST_INVALID` */
export function parseEventId(text: string): EventPlace {
  const [, seq, epoch] = /^(\d{1,15})-([0-9a-f]{8})$/.exec(text) ?? []
  if (seq !== undefined) return { seq: Number(seq), epoch }
  const hint = 'send the id of the last event as it came; leave it out to begin'
  throw new MeshError('REQUEST_INVALID', 'last-event-id: is none of an event', { field: 'last-event-id', hint })
}
