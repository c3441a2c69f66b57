import { type EntryId, entryName, NODE_SCOPE } from '../entry/index.ts'
import { addTo, ID_BYTES, itemOfVersion, subtractFrom, zeroDigest } from '../summary/index.ts'
import { nextTurn } from '../turns.ts'
import type { Database, Operation } from './database.ts'
import { expiryOperations, type KeptView } from './expiry.ts'
import { digestKey, entryKey, feedKey, itemKey, metaKey } from './keys.ts'
import { encodeCounts, encodeDigest, encodeEntry, encodeFeed, encodeItem } from './records.ts'
import type { Commit, ReplicaCounts, ScopeDigest } from './replica.ts'
import type { DocumentWrite, StoredForm } from './stored.ts'
import type { ItemChange } from './symbol-keeper.ts'
import type { Totals } from './totals.ts'

/** Up to so many commits are prepared as soon as the group before them is written. */
const SMALL_GROUP = 32
/** Commits of one group at most: to prepare hundreds, and to tell of them, kept the event loop for tens of milliseconds. */
const LARGEST_GROUP = 128

/** Commits that the feed keeps at least. */
const FEED_KEPT = 100_000
/** Records that leave the feed for each that comes, at most: a feed that is much too long becomes shorter by and by. */
const TRIMMED_PER_COMMIT = 2

/** What a commit changes of one entry. */
export interface PendingCommit {
  readonly id: EntryId
  /** The version before, or undefined for a new entry. */
  readonly before: KeptView | undefined
  readonly after: KeptView
  /** How its document is stored: the form of all commits of the entry, and what this one adds to it, if anything. */
  readonly form: StoredForm
  readonly write: DocumentWrite | undefined
  /** Resolves when the bytes of the signatures are in their place, where they are not yet. */
  readonly signed: Promise<unknown> | undefined
  readonly via: string | undefined
}

interface Waiting {
  readonly commit: PendingCommit
  readonly resolve: (seq: number) => void
  readonly reject: (error: unknown) => void
}

/** The commits of one entry in a group: what they lead from and to. Versions in between are nowhere kept. */
interface Run {
  readonly id: EntryId
  /** See `subjectOf`. */
  readonly subject: Uint8Array
  /** The version before the first one, and its item. */
  readonly before: KeptView | undefined
  readonly replaced: Uint8Array | undefined
  after: KeptView
  /** Of the last one. */
  seq: number
  readonly form: StoredForm
  readonly writes: DocumentWrite[]
}

/** A group as it goes to the database, and what holds once it is there. */
interface Prepared {
  readonly operations: readonly Operation[]
  readonly totals: Totals
  readonly commits: readonly Commit[]
  /** Of the commits to shared entries. */
  readonly items: readonly ItemChange[]
}

export interface WriterInit {
  readonly totals: Totals
  /** An entry as items name it, see `subjectOf`. */
  readonly subject: (id: EntryId) => Uint8Array
  /** Commits that the feed keeps at least: 100,000 unless given. */
  readonly feedKept?: number | undefined
  readonly onCommit: (commits: readonly Commit[], items: readonly ItemChange[]) => void
  /** Called when a batch has failed: everything that was pending is rejected, and what built on it must be dropped. */
  readonly onFailure: () => void
}

/**
 * Writes commits in groups: document, row, signatures, item, feed record and sums of all commits that are pending go into one
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

  /** Whether anything is pending. */
  get isBusy(): boolean {
    return this.#running !== undefined
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
      // To prepare a large group takes milliseconds: not on top of what led to it.
      if (this.#waiting.length > SMALL_GROUP) await nextTurn()
      await this.#writeGroup(this.#waiting.splice(0, LARGEST_GROUP))
    }
    this.#running = undefined
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let prepared: Prepared
    try {
      await this.#reloading
      await Promise.all(group.flatMap(({ commit }) => commit.signed ?? []))
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
    const { totals, commits, items } = prepared
    this.#totals = totals
    for (const [i, { resolve }] of group.entries()) resolve((commits[i] as Commit).seq)
    this.#init.onCommit(commits, items)
  }

  #prepare(group: readonly PendingCommit[]): Prepared {
    const operations: Operation[] = []
    const commits: Commit[] = []
    const items: ItemChange[] = []
    const digests = new Map(this.#totals.digests)
    const runs = new Map<string, Run>()
    let { position, counts } = this.#totals
    for (const commit of group) {
      const { id, before, after, form, write, via } = commit
      const name = entryName(id)
      const run = runs.get(name)
      const subject = run?.subject ?? this.#init.subject(id)
      const replaced = before && itemOfVersion(subject, before.heads)
      position++
      const feed = encodeFeed({ seq: position, id, via, before: replaced?.subarray(0, ID_BYTES) })
      operations.push({ key: feedKey(position), value: feed })
      commits.push({ seq: position, id, via, changes: write?.changes ?? [], signatures: write?.signatures ?? [] })
      const writes = write === undefined ? [] : [write]
      if (run === undefined) runs.set(name, { id, subject, before, replaced, after, seq: position, form, writes })
      else {
        run.after = after
        run.seq = position
        run.writes.push(...writes)
      }
    }
    for (const { id, subject, before, replaced, after, seq, form, writes } of runs.values()) {
      const item = itemOfVersion(subject, after.heads)
      counts = recount(counts, id, before, after)
      digests.set(id.scope, redigest(digests.get(id.scope), replaced, item))
      operations.push({ key: entryKey(id), value: encodeEntry(after, seq) }, ...expiryOperations(id, before, after))
      if (writes.length > 0) operations.push(...form.operations(id, writes, seq))
      if (id.scope === NODE_SCOPE) continue
      items.push({ seq, before: replaced, after: item })
      operations.push({ key: itemKey(subject), value: encodeItem({ id, item }) })
    }
    for (const scope of new Set(group.map(({ id }) => id.scope))) {
      operations.push({ key: digestKey(scope), value: encodeDigest(digests.get(scope) as ScopeDigest) })
    }
    operations.push({ key: metaKey('counts'), value: encodeCounts(counts) })
    const horizon = this.#horizonFor(position, counts, group.length)
    for (let seq = this.#totals.horizon + 1; seq <= horizon; seq++) operations.push({ key: feedKey(seq) })
    return { operations, totals: { position, horizon, counts, digests }, commits, items }
  }

  /** Whoever is further behind than there are entries reads all of them sooner than the feed. */
  #horizonFor(position: number, { memory, skills, deleted, expired }: ReplicaCounts, commits: number): number {
    const { horizon } = this.#totals
    const kept = Math.max(this.#init.feedKept ?? FEED_KEPT, memory + skills + deleted + expired)
    return Math.max(horizon, Math.min(position - kept, horizon + TRIMMED_PER_COMMIT * commits))
  }
}

function redigest(current: ScopeDigest | undefined, before: Uint8Array | undefined, after: Uint8Array): ScopeDigest {
  const digest = current?.digest.slice() ?? zeroDigest()
  if (before !== undefined) subtractFrom(digest, before)
  addTo(digest, after)
  return { digest, items: (current?.items ?? 0) + (before === undefined ? 1 : 0) }
}

function recount(counts: ReplicaCounts, id: EntryId, before: KeptView | undefined, after: KeptView): ReplicaCounts {
  const [old, now] = [countOf(id, before), countOf(id, after)]
  return {
    memory: counts.memory - old.memory + now.memory,
    skills: counts.skills - old.skills + now.skills,
    deleted: counts.deleted - old.deleted + now.deleted,
    expired: counts.expired - old.expired + now.expired,
    conflicts: counts.conflicts - old.conflicts + now.conflicts,
  }
}

/** What one entry counts for. */
function countOf({ kind }: EntryId, view: KeptView | undefined): ReplicaCounts {
  const isDeleted = view !== undefined && view.row === undefined
  const isExpired = view?.lapsed === true
  const isShown = view !== undefined && !isDeleted && !isExpired
  return {
    memory: Number(isShown && kind === 'memory'),
    skills: Number(isShown && kind === 'skill'),
    deleted: Number(isDeleted),
    expired: Number(isExpired),
    conflicts: isShown ? view.conflicts : 0,
  }
}
