import type { EntryId, EntryView, Scope } from '../entry/index.ts'
import { addTo, subtractFrom, zeroDigest } from '../summary/index.ts'
import type { Database, Operation } from './database.ts'
import { digestKey, documentKey, entryKey, feedKey, metaKey } from './keys.ts'
import { type ChangeSignature, encodeCounts, encodeDigest, encodeDocument, encodeEntry, encodeFeed } from './records.ts'
import type { Commit, ReplicaCounts, ScopeDigest } from './replica.ts'
import type { Totals } from './totals.ts'

/** What a commit changes of one entry. */
export interface PendingCommit {
  readonly id: EntryId
  /** The version before, or undefined for a new entry. */
  readonly before: EntryView | undefined
  readonly after: EntryView
  /** The whole document at the moment of writing, which holds every commit that is pending then. */
  readonly document: () => { bytes: Uint8Array; signatures: readonly ChangeSignature[] }
  readonly changes: readonly Uint8Array[]
  readonly signatures: readonly ChangeSignature[]
  readonly via: string | undefined
}

interface Waiting {
  readonly commit: PendingCommit
  readonly resolve: (seq: number) => void
  readonly reject: (error: unknown) => void
}

/** A group as it goes to the database, and what holds once it is there. */
interface Prepared {
  readonly operations: readonly Operation[]
  readonly totals: Totals
  readonly commits: readonly Commit[]
}

export interface WriterInit {
  readonly totals: Totals
  /** Item of a version of an entry. */
  readonly item: (id: EntryId, heads: readonly Uint8Array[]) => Uint8Array
  readonly onCommit: (commits: readonly Commit[]) => void
  /** Called when a batch has failed: everything that was pending is rejected, and what built on it must be dropped. */
  readonly onFailure: () => void
}

/**
 * Writes commits in groups: document, row, signatures, feed record and sums of all commits that are pending go into one
 * atomic, synced batch; those that come meanwhile make up the next.
 */
export class Writer {
  readonly #database: Database
  readonly #init: WriterInit
  /** Always what the database holds. */
  #totals: Totals
  #reloading: Promise<void> | undefined
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined

  constructor(database: Database, init: WriterInit) {
    this.#database = database
    this.#init = init
    this.#totals = init.totals
  }

  get totals(): Totals {
    return this.#totals
  }

  /** Resolves with the commit's feed position when it is durable. */
  commit(commit: PendingCommit): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing is pending any more. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Replaces the sums, after everything was written anew under another mesh. Nothing may be pending. */
  reset(totals: Totals): void {
    this.#totals = totals
  }

  /** Replaces the sums by those that are being read, before anything is written that builds on them. */
  reload(totals: Promise<Totals>): void {
    const reloading = totals.then((read) => this.reset(read))
    this.#reloading = reloading
    reloading.catch(() => {}) // what is written next fails with it
  }

  async #run(): Promise<void> {
    // Commits of the same tick belong to one group.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      await this.#writeGroup(group)
    }
    this.#running = undefined
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let prepared: Prepared
    try {
      await this.#reloading
      prepared = this.#prepare(group.map(({ commit }) => commit))
      await this.#database.write(prepared.operations)
    } catch (error) {
      // What came in meanwhile builds on what is lost now.
      const lost = [...group, ...this.#waiting]
      this.#waiting = []
      this.#init.onFailure()
      for (const { reject } of lost) reject(error)
      return
    }
    const { totals, commits } = prepared
    this.#totals = totals
    for (const [i, { resolve }] of group.entries()) resolve((commits[i] as Commit).seq)
    this.#init.onCommit(commits)
  }

  #prepare(group: readonly PendingCommit[]): Prepared {
    const operations: Operation[] = []
    const commits: Commit[] = []
    const digests = new Map(this.#totals.digests)
    const touched = new Set<Scope>()
    let { position, counts } = this.#totals
    const latest = new Map<string, PendingCommit>()
    for (const commit of group) {
      const { id, before, after, via, changes, signatures } = commit
      position++
      counts = recount(counts, id, before, after)
      digests.set(id.scope, this.#redigest(digests.get(id.scope), id, before, after))
      touched.add(id.scope)
      operations.push({ key: entryKey(id), value: encodeEntry(after, position) })
      operations.push({ key: feedKey(position), value: encodeFeed({ seq: position, id, via }) })
      commits.push({ seq: position, id, via, changes, signatures })
      latest.set(`${id.kind}\0${id.scope}\0${id.key}`, commit)
    }
    for (const { id, document } of latest.values()) {
      operations.push({ key: documentKey(id), value: encodeDocument(document()) })
    }
    for (const scope of touched) {
      operations.push({ key: digestKey(scope), value: encodeDigest(digests.get(scope) as ScopeDigest) })
    }
    operations.push({ key: metaKey('counts'), value: encodeCounts(counts) })
    return { operations, totals: { position, counts, digests }, commits }
  }

  #redigest(
    current: ScopeDigest | undefined,
    id: EntryId,
    before: EntryView | undefined,
    after: EntryView,
  ): ScopeDigest {
    const digest = current?.digest.slice() ?? zeroDigest()
    if (before !== undefined) subtractFrom(digest, this.#init.item(id, before.heads))
    addTo(digest, this.#init.item(id, after.heads))
    return { digest, items: (current?.items ?? 0) + (before === undefined ? 1 : 0) }
  }
}

function recount(
  counts: ReplicaCounts,
  { kind }: EntryId,
  before: EntryView | undefined,
  after: EntryView,
): ReplicaCounts {
  const field = kind === 'memory' ? 'memory' : 'skills'
  const live = Number(after.row !== undefined) - Number(before?.row !== undefined)
  const deleted = Number(after.row === undefined) - Number(before !== undefined && before.row === undefined)
  return {
    ...counts,
    [field]: counts[field] + live,
    deleted: counts.deleted + deleted,
    conflicts: counts.conflicts + after.conflicts - (before?.conflicts ?? 0),
  }
}
