import type { Conflict, EntryId, JsonValue, Kind, MemoryRow, Revision, Row, Scope, SkillRow } from '../entry/index.ts'
import type { SymbolPrefix, Window } from '../summary/index.ts'
import type { ChangeSignature } from './records.ts'
import type { Expectation, VersionedRow } from './version.ts'

/** An entry as stored: its row and what the replica keeps beside it. Reading one never opens a document. */
export interface StoredEntry {
  readonly id: EntryId
  /** The row, or undefined while the entry is deleted or has expired. */
  readonly row: Row | undefined
  /** Set where there is no row because it has expired. */
  readonly isExpired?: true
  /** Sorted change hashes (32 bytes each) that name this version of the document. */
  readonly heads: readonly Uint8Array[]
  /** At how many places concurrent writes disagree. */
  readonly conflicts: number
  /** Feed position of the latest commit to this entry. */
  readonly seq: number
}

/** One commit in the feed. */
export interface FeedRecord {
  readonly seq: number
  readonly id: EntryId
  /** The peer (its libp2p id as text) that the change came through, or undefined for a local write. */
  readonly via: string | undefined
}

/** A commit as listeners get it, with what a peer needs to have it too. */
export interface Commit extends FeedRecord {
  /** The changes that it added, dependencies first. Empty when only signatures came, and when the entry expired. */
  readonly changes: readonly Uint8Array[]
  readonly signatures: readonly ChangeSignature[]
}

/** What a local write did. */
export interface WriteResult<R extends Row = Row> {
  readonly row: R
  /** Names the version that was written; see {@link VersionedRow}. */
  readonly version: string
  readonly seq: number
}

/** One place of a conflict, and what is to stand there alone. */
export interface Resolution {
  /** As a {@link Conflict} has it. */
  readonly path: string
  readonly value: JsonValue
}

/** A change as a history shows it. */
export interface AuthoredRevision extends Revision {
  /** The row as it was then, to whoever made the change; undefined where it deletes. */
  readonly row: Row | undefined
  /** Members that signed it: its author, and whoever has vouched for it. Their signatures were verified again just now. */
  readonly signers: readonly Uint8Array[]
}

export interface HistoryOptions {
  /** Only what comes before the change of this hash. */
  readonly before?: string | undefined
  /** At most so many. */
  readonly limit?: number | undefined
}

export interface ListOptions {
  /** Only these scopes; all where absent. */
  readonly scopes?: readonly Scope[] | undefined
  /** Only keys or names that begin with this text. */
  readonly prefix?: string | undefined
  /** Only what comes behind this place in the order of the list. */
  readonly after?: { readonly scope: Scope; readonly key: string } | undefined
  /** Only rows whose `updated_at` is this or later, in Unix seconds. */
  readonly updatedSince?: number | undefined
  /** Only entries whose writers disagree somewhere. */
  readonly inConflict?: boolean | undefined
  /** At most this many rows. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What every write may say beside what it writes. */
export interface PutOptions {
  /** Unix seconds at which every node begins to hide the entry; it stays where this is absent. */
  readonly expiresAt?: number | undefined
  /** Nothing is written unless the entry is as expected when its turn comes. */
  readonly expect?: Expectation | undefined
}

export interface MemoryPut extends PutOptions {
  readonly scope: Scope
  readonly key: string
  readonly value: JsonValue
  readonly nodeId: string
}

/** At least one of `content` and `path` is given; what is not given is removed. */
export interface SkillPut extends PutOptions {
  readonly scope: Scope
  readonly name: string
  readonly nodeId: string
  readonly content?: string | undefined
  readonly path?: string | undefined
}

/**
 * What an import did. `taken`: written; `equal`: the same is live already; `older`: what is here is later; `expired`: its
 * own time is over. Nothing is written but of what is taken.
 */
export type ImportOutcome = 'taken' | 'equal' | 'older' | 'expired'

/** Counts for people: live entries, those deleted or expired but known, and places in conflict. */
export interface ReplicaCounts {
  readonly memory: number
  readonly skills: number
  readonly deleted: number
  readonly expired: number
  readonly conflicts: number
}

/** What is shared, in one value: equal digests mean equal replicas. */
export interface ScopeDigest {
  /** 32 bytes. */
  readonly digest: Uint8Array
  /** How many items, deleted entries included. */
  readonly items: number
}

/**
 * What API, files and other readers and local writers use of a replica. (Reconciliation uses more: `sync.ts`.)
 * Every write resolves when it is durable; until then nobody can read it.
 */
export interface EntryStore {
  /** Feed position of the latest durable commit; 0 while there is none. */
  readonly position: number
  /** The feed holds every commit after this position: whoever has read less far must start over. */
  readonly horizon: number
  get(id: EntryId): Promise<StoredEntry | undefined>
  /** The row as the JSON text that is stored, or undefined where there is no live entry. Far cheaper than {@link get}. */
  rowJson(id: EntryId): Promise<VersionedRow | undefined>
  /** Every scope that has or had an entry. */
  scopes(): Scope[]
  /** Live entries in order of scope, then key, from one consistent snapshot. */
  list(kind: Kind, options?: ListOptions): AsyncIterable<StoredEntry>
  /**
   * Writes the difference between what is shown and `value`.
   * @throws {MeshError} `KEY_INVALID`, `VALUE_INVALID`, `VALUE_TOO_LARGE`, `EXPIRY_INVALID`, `STORAGE_FAILED` (nothing
   * was written), `VERSION_MISMATCH` as a {@link VersionMismatch}
   */
  putMemory(put: MemoryPut): Promise<WriteResult<MemoryRow>>
  /** As {@link putMemory}, for a skill. @throws {MeshError} also `SKILL_TOO_LARGE`, `NAME_INVALID` */
  putSkill(put: SkillPut): Promise<WriteResult<SkillRow>>
  /** Deletes an entry. Returns false, and writes nothing, where there is no live entry. */
  remove(id: EntryId, nodeId: string, expect?: Expectation): Promise<boolean>
  /**
   * Ends conflicts of a live entry: those given, or all with what is shown.
   * @throws {MeshError} `CONFLICT_UNKNOWN` where a path is in no conflict (any more), and as {@link putMemory}
   */
  resolve(
    id: EntryId,
    resolutions: readonly Resolution[] | undefined,
    nodeId: string,
    expect?: Expectation,
  ): Promise<WriteResult | undefined>
  /**
   * Takes in an entry of an earlier tool, or of an export: last write wins by `at` (Unix seconds; undefined counts as
   * now). Made so that several nodes that take in the same make the same change.
   */
  importMemory(put: MemoryPut, at: number | undefined): Promise<ImportOutcome>
  importSkill(put: SkillPut, at: number | undefined): Promise<ImportOutcome>
  /** Changes of an entry, latest first. */
  history(id: EntryId, options?: HistoryOptions): Promise<AuthoredRevision[]>
  conflicts(id: EntryId): Promise<Conflict[]>
  /** Commits after `after`, oldest first, until the position at which it was called; again from there for more. */
  feed(after: number, limit?: number): AsyncIterable<FeedRecord>
  /** Called after each durable group of commits, in order. Returns the way to stop. A listener must not throw. */
  onCommit(listener: (commits: readonly Commit[]) => void): () => void
  counts(): ReplicaCounts
  /** Digest of all scopes but `node`, or of those given. */
  digest(scopes?: readonly Scope[]): ScopeDigest
}

/** An entry on its way between replicas: changes with the signatures that vouch for them. */
export interface Transfer {
  readonly id: EntryId
  /**
   * Runs of Automerge chunks, one or more in each: encoded changes, or a document that was saved whole. All of the
   * entry, or what the receiver is thought to lack.
   */
  readonly chunks: readonly Uint8Array[]
  /** Packed by `packOffered`. */
  readonly signatures: Uint8Array
}

/**
 * What became of a transfer. `applied`: new here and durable now; `known`: nothing new in it; `refused`: against a rule
 * that holds on every node; `incomplete`: builds on changes that are not here, or could not be opened within limits.
 */
export type ApplyOutcome =
  | { readonly id: EntryId; readonly outcome: 'applied' | 'known' }
  | {
      readonly id: EntryId
      readonly outcome: 'refused' | 'incomplete'
      readonly code: string
      readonly message: string
    }

/** An entry's version as reconciliation compares it. */
export interface Item {
  readonly id: EntryId
  /** 32 bytes: keyed hash of entry and heads. */
  readonly item: Uint8Array
}

/** Finds many items, one after the other. */
export interface ItemFinder {
  /** Items of shared entries by their tag, with which items and their ids begin: one, but for chance. */
  find(tag: Uint8Array): Promise<readonly Item[]>
  close(): Promise<void>
}

/** An item that was committed since some position. */
export interface ChangedItem extends Item {
  /** Id in window 0 of the entry's item at that position; undefined where it is new since. */
  readonly base: Uint8Array | undefined
  /** Whether all that was committed to it since came through the peer that was asked about. */
  readonly isTheirs: boolean
}

/** What a peer lacks of an entry. */
export interface News {
  readonly transfer: Transfer
  /** Whether it is only what came since a version that the peer has. */
  readonly isPartial: boolean
}

/** A change of side records that is written together with others, or not at all. */
export interface SideWrite {
  readonly namespace: string
  readonly key: string
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined
}

/** Small durable records of other parts (roster, checkpoints, addresses), each under a namespace of its own. */
export interface SideStore {
  get(namespace: string, key: string): Promise<Uint8Array | undefined>
  list(namespace: string): Promise<{ key: string; value: Uint8Array }[]>
  /** All or nothing. @throws {MeshError} `STORAGE_FAILED` */
  write(writes: readonly SideWrite[]): Promise<void>
}

/** What becomes of a replica that changes its mesh; see `adopt`. */
export interface Adoption {
  readonly meshId: string
  /** Namespaces that are emptied in the last batch: what they say holds for the old mesh only. */
  readonly forget: readonly string[]
  /** Side records written in the last batch. */
  readonly records: readonly (SideWrite & { readonly value: Uint8Array })[]
}

/** What a backup says of the node that it is made on. */
export interface BackupInit {
  readonly nodeId: string
  readonly peerId: string
  /** Of the program. */
  readonly version: string
  /** The node's key, 32 bytes; undefined leaves it out. */
  readonly seed: Uint8Array | undefined
}

export interface MergeOptions {
  /** Whether the backup was made on this node: only then its scope `node` is taken in. */
  readonly isOwn: boolean
  readonly signal?: AbortSignal | undefined
  /** Entries so far, and how many there are. */
  readonly onProgress?: (done: number, total: number) => void
}

/** What became of the entries of a backup. */
export interface MergeReport {
  readonly entries: number
  /** New here, at least in part. */
  readonly applied: number
  readonly known: number
  /** Of another node's scope `node`: looked at no further. */
  readonly left: number
  readonly refused: number
  readonly incomplete: number
  /** Why some were refused or are incomplete: of the first 100. */
  readonly faults: readonly Extract<ApplyOutcome, { readonly code: string }>[]
}

/** Made and taken in while the replica is at work. */
export interface BackupStore {
  /**
   * A backup of everything as of one moment, piece by piece. Writes go on; a change of mesh is waited for.
   * @throws {MeshError} `STORAGE_CORRUPT` for a damaged value, `STORAGE_FAILED`
   */
  backup(init: BackupInit): AsyncIterable<Uint8Array>
  /**
   * Takes in what an unpacked backup of this mesh has and this replica lacks, as if a peer had sent it: what is newer
   * here stays, and so does what was deleted here. What was taken in before an error stays.
   * @param path the folder that `unpackBackup` made
   * @throws {MeshError} `BACKUP_OTHER_MESH`, `BACKUP_DAMAGED`, `STORAGE_FAILED`
   */
  mergeBackup(path: string, options: MergeOptions): Promise<MergeReport>
}

/** A replica as reconciliation and pairing use it. */
export interface Replica extends EntryStore, BackupStore {
  readonly meshId: string
  /** Random; another one after a restore or a new start from nothing. 32 hex characters. */
  readonly databaseId: string
  readonly side: SideStore
  /** Whose signatures count from now on: every member that the roster ever listed. */
  setAuthors(publicKeys: readonly Uint8Array[]): void
  /** Items of all shared entries (every scope but `node`), in no order, some hundred at a time, from one snapshot. */
  items(): AsyncIterable<readonly Item[]>
  /** Items of the shared entries that were committed after `position`; `peer` is whom they are meant for. */
  itemsSince(position: number, peer: string): AsyncIterable<ChangedItem>
  /** Looks items up, as they are at this moment. To be closed. */
  openItemFinder(): Promise<ItemFinder>
  /** The first coded symbols of all shared items, as a copy. Those of window 0 are kept; others cost a look at all. */
  symbols(window: Window): Promise<SymbolPrefix>
  /** All shared entries but those that are not `wanted`, in order of scope and key. */
  transfers(wanted: (id: EntryId) => boolean): AsyncIterable<Transfer>
  /** The whole entry for a peer, or undefined where there is none. A `node` entry is never given. */
  transfer(id: EntryId): Promise<Transfer | undefined>
  /**
   * As {@link transfer}, but only what came since the latest earlier version whose item `isKnown` says that the peer has;
   * the whole entry where there is none among the last `reach` versions.
   */
  news(id: EntryId, isKnown: (item: Uint8Array) => boolean, reach: number): Promise<News | undefined>
  /** Vets foreign entries in a worker and takes in what stands; outcomes in order. @throws {MeshError} `STORAGE_FAILED` */
  apply(transfers: readonly Transfer[], via: string): Promise<ApplyOutcome[]>
  /**
   * Makes this replica part of another mesh: signs every change anew for it, and in the last batch switches the mesh id
   * and writes `records`. Local writes wait meanwhile. Resumed at the next opening when it was interrupted.
   */
  adopt(adoption: Adoption, onProgress?: (done: number, total: number) => void): Promise<number>
  close(): Promise<void>
}
