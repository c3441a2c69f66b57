import type { Logger } from 'pino'
import type { EntryId, Kind, Scope } from '../../crdt/entry/index.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { Finding } from '../../transports/mesh.ts'
import type { Snippet } from './snippet.ts'

/** What the index is made from. */
export interface SearchSource
  extends Pick<EntryStore, 'position' | 'horizon' | 'rowJson' | 'list' | 'feed' | 'onCommit' | 'counts'> {
  /** Another one after a restore: feed positions of two databases have nothing to do with each other. */
  readonly databaseId: string
}

export interface SearchComponents {
  readonly store: SearchSource
  readonly log: Logger
  /** Unix milliseconds: what has expired by then is not found. */
  readonly now: () => number
}

export interface SearchInit {
  /** The index's file, absolute, in a folder that exists and nobody else reads: it holds every word of the mesh. */
  readonly path: string
  readonly timing?: Partial<SearchTiming>
}

/** In milliseconds. */
export interface SearchTiming {
  /** How long commits gather before they are indexed, where nobody waits for it. */
  readonly followMs: number
  /** Longest pause between two batches while more commits keep coming. */
  readonly maxRestMs: number
  /** Before what failed is tried again; twice as long after each failure, up to {@link maxRetryMs}. */
  readonly retryMs: number
  readonly maxRetryMs: number
}

/** Results of a query that says no limit, and the most that it may ask for. */
export const DEFAULT_LIMIT = 25
export const MAX_LIMIT = 100

export interface SearchQuery {
  /** What a person typed: all these words, `"phrases"`, `beginnings*`, none of `-these`. */
  readonly text: string
  /** Both where it is absent. */
  readonly kind?: Kind
  /** Only this scope. */
  readonly scope?: Scope
  /** Only these scopes: what the asker may read. Every scope where it is absent. */
  readonly scopes?: readonly Scope[]
  /** Only keys and names that begin with this text. */
  readonly prefix?: string
  /** 1 to {@link MAX_LIMIT}; {@link DEFAULT_LIMIT} where it is absent. */
  readonly limit?: number
}

export interface SearchHit extends EntryId {
  /** From the entry as it is now, also where the index is behind. */
  readonly snippet: Snippet
  /** How well it fits, above 0; the higher, the better. To be compared within one answer only. */
  readonly score: number
}

export interface SearchResult {
  /** The best first. */
  readonly hits: readonly SearchHit[]
  /** False while the index is being made: there may be more than was found. */
  readonly isComplete: boolean
  /** Feed position up to which all commits were searched, where {@link isComplete}. */
  readonly position: number
}

export interface SearchStatus {
  /** `stalled`: it cannot be written at present; what there is of it is searched. */
  readonly state: 'following' | 'rebuilding' | 'stalled'
  /** Feed position up to which all commits are indexed. */
  readonly position: number
  /** How many entries are indexed. */
  readonly entries: number
  /** Size of the index on the disk. */
  readonly bytes: number
  /** While it is rebuilt: entries done, of about so many. */
  readonly progress?: { readonly done: number; readonly total: number }
}

/**
 * Full text search. It follows the replica's feed into an index of its own, which can be thrown away at any time. What
 * goes wrong with that is a finding, and never stops the daemon.
 */
export interface Search {
  /** Begins to follow the replica; what was missed is caught up with afterwards. @throws {MeshError} `STOPPING` */
  start(): Promise<void>
  /**
   * @throws {MeshError} `QUERY_INVALID`; `SEARCH_NOT_READY` while nothing is indexed yet; `TOO_MANY_REQUESTS` while very
   * many wait; `STOPPING`
   */
  search(query: SearchQuery, options?: { signal?: AbortSignal }): Promise<SearchResult>
  status(): SearchStatus
  findings(): Finding[]
  /** Resolves when every commit up to a feed position is found. @throws {MeshError} `STOPPING` */
  caughtUp(position: number, options?: { signal?: AbortSignal }): Promise<void>
  /** Throws the index away and makes it anew; resolves when that is done. @throws {MeshError} `STOPPING` */
  rebuild(): Promise<void>
  /** Ends after the batch in work. Idempotent, also before {@link start}. */
  stop(): Promise<void>
}

export const DEFAULT_TIMING: SearchTiming = { followMs: 50, maxRestMs: 2_000, retryMs: 1_000, maxRetryMs: 60_000 }
