import type { EntryId } from '../../crdt/entry/index.ts'
import type { EntryStore, FeedRecord, StoredEntry } from '../../crdt/replica/replica.ts'
import type { Finding } from '../../transports/mesh.ts'
import type { FileRecord, FilesIndex, IndexChange } from './files-index.ts'
import { type FileFindings, UNREADABLE } from './findings.ts'
import type { FileStamp, GuardedFolder } from './guarded-folder.ts'
import { Obstacle } from './obstacle.ts'
import { isCorrupt, isGone, type Plan, planUnit } from './plan.ts'
import { reconcile } from './reconcile.ts'
import { leftoverUnits } from './sweep.ts'
import { parseUnit, type Unit, unitKey, unitOf } from './units.ts'

/** What the files are made from. */
export interface FileSource extends Pick<EntryStore, 'position' | 'get' | 'list' | 'feed' | 'onCommit' | 'counts'> {
  /** Another one after a restore: feed positions of two databases have nothing to do with each other. */
  readonly databaseId: string
}

export interface ExporterComponents {
  readonly store: FileSource
  readonly index: FilesIndex
  readonly folder: GuardedFolder
  readonly findings: FileFindings
  /** Honoured between groups of files. */
  readonly signal: AbortSignal
}

export interface ExporterInit {
  /** Whether skills are also written as `skills/<name>.md`. */
  readonly flatSkills: boolean
}

/** Brings entries into files. Its methods are called one at a time. */
export interface Exporter {
  /** Feed position up to which all was seen to, or undefined where everything has to be looked at. */
  readonly position: number | undefined
  /** Looks at every entry and every file. */
  walk(): Promise<void>
  /** Takes some commits after {@link position} and says whether memories were among them; undefined: there were none. */
  follow(): Promise<{ readonly memory: boolean } | undefined>
  /** Tries again what could not be done. */
  retry(): Promise<void>
  /** Finds the files that were changed or removed and sees to them, and does what {@link retry} does. */
  audit(): Promise<void>
}

/** Commits taken at once: within them an entry is written once. */
const FEED_BATCH = 1000
/** Files seen to at once, and the bytes that they may hold in memory: 500 memories may be 128 MB. */
const MAX_PLANS = 500
const MAX_PLANNED_BYTES = 8 * 1024 * 1024
/** Index records compared with the disk at once. */
const AUDIT_BATCH = 500
/** So many files gone at once are worth a word. */
const MANY_GONE = 20
/** Raised when the content of files changes for the same row: all are written anew. */
const RENDERING = 1

/** A unit to be shown, with the entry of a memory where it was just read. */
interface Shown {
  readonly unit: Unit
  readonly known?: StoredEntry
}

/** Continues where the index says. */
export async function createExporter(components: ExporterComponents, init: ExporterInit): Promise<Exporter> {
  const { store, index, folder, findings, signal } = components
  const basis = JSON.stringify({ rendering: RENDERING, database: store.databaseId, flatSkills: init.flatSkills })
  const stored = await index.progress()
  // A position ahead of the replica is of another history.
  const usable = stored !== undefined && stored.basis === basis && stored.position <= store.position
  let position = usable ? stored.position : undefined

  async function show(units: AsyncIterable<Shown> | Iterable<Shown>, force: boolean): Promise<void> {
    let plans: Plan[] = []
    let changes: IndexChange[] = []
    let bytes = 0
    const flush = async () => {
      signal.throwIfAborted()
      await reconcile(plans, components, { force, changes })
      plans = []
      changes = []
      bytes = 0
    }
    for await (const { unit, known } of units) {
      const plan = await planUnit(unit, { store, index, flatSkills: init.flatSkills }, known)
      if (plan === undefined) {
        changes.push({ todo: unitKey(unit), open: true })
        findings.met(UNREADABLE)
        continue
      }
      plans.push(plan)
      bytes += plan.files.reduce((sum, file) => sum + (file.bytes?.length ?? 0), 0)
      if (plans.length >= MAX_PLANS || bytes >= MAX_PLANNED_BYTES) await flush()
    }
    await flush()
  }

  /** Also while they are empty: OpenClaw watches what is there when it starts. */
  async function makeFolders(): Promise<void> {
    for (const path of ['memory', 'skills']) {
      await folder.make(path).catch((error: unknown) => {
        if (!(error instanceof Obstacle) || error.everywhere) throw error
        findings.obstacle(error)
      })
    }
  }

  async function proceed(to: number): Promise<void> {
    await index.write([{ progress: { basis, position: to } }])
    position = to
  }

  async function* liveUnits(): AsyncGenerator<Shown> {
    try {
      for await (const entry of store.list('memory')) yield { unit: unitOf(entry.id), known: entry }
      for await (const { id } of store.list('skill')) {
        await index.write([skillIn(id)])
        yield { unit: unitOf(id) }
      }
    } catch (error) {
      if (!isCorrupt(error)) throw error
      // A list ends at the first damaged entry. The feed leads to all others.
      yield* committedUnits(await take(store.feed(0)))
    }
  }

  /** Each unit of some commits once. */
  async function* committedUnits(records: readonly FeedRecord[]): AsyncGenerator<Shown> {
    await index.write(records.filter(({ id }) => id.kind === 'skill').map(({ id }) => skillIn(id)))
    for (const key of new Set(records.map(({ id }) => unitKey(unitOf(id))))) yield { unit: parseUnit(key) }
  }

  /** Units of which there are files or traces of files, but that the mesh has no longer. */
  async function* goneUnits(): AsyncGenerator<Shown> {
    for await (const [, { unit: key }] of index.eachFile()) {
      if (key === '') continue
      const unit = parseUnit(key)
      // Skills are few; what is not in the scope that the file shows may be in another.
      if (unit.kind === 'skill' || (await isGone(store, unit))) yield { unit }
    }
    for await (const unit of leftoverUnits({ store, index, folder })) yield { unit }
  }

  async function* todoUnits(): AsyncGenerator<Shown> {
    for await (const key of index.todos()) yield { unit: parseUnit(key) }
  }

  return {
    get position() {
      return position
    },
    async walk() {
      const start = store.position
      await makeFolders()
      await show(liveUnits(), false)
      await show(goneUnits(), false)
      await proceed(start)
    },
    async follow() {
      if (position === undefined) throw new Error('impossible: the first walk comes before the feed')
      if (store.position === position) return undefined
      const records = await take(store.feed(position, FEED_BATCH))
      const last = records.at(-1)
      if (last === undefined || records[0]?.seq !== position + 1) {
        // The feed has gaps only behind its horizon: all entries have to be looked at.
        position = undefined
        return { memory: true }
      }
      await show(committedUnits(records), false)
      await proceed(last.seq)
      return { memory: records.some(({ id }) => id.kind === 'memory') }
    },
    retry: () => show(todoUnits(), true),
    async audit() {
      const changed = new Set<string>()
      let gone = 0
      await makeFolders()
      for await (const records of inBatches(index.eachFile(), AUDIT_BATCH)) {
        signal.throwIfAborted()
        const shown = records.filter(([, { unit }]) => unit !== '')
        const stamps = await folder.stamps(shown.map(([path]) => path))
        for (const [i, [, record]] of shown.entries()) {
          const stamp = stamps[i]
          if (isSame(record, stamp)) continue
          changed.add(record.unit)
          if (stamp === undefined && record.open === undefined) gone++
        }
      }
      if (gone >= MANY_GONE) findings.state('files.vanished', whileGone(gone))
      for await (const key of index.todos()) changed.add(key)
      await show(
        changed.values().map((key): Shown => ({ unit: parseUnit(key) })),
        true,
      )
      if (findings.stated('files.vanished')?.severity === 'warning' && !findings.blocked) {
        findings.state('files.vanished', ONCE_GONE)
      }
    },
  }
}

function whileGone(files: number): Omit<Finding, 'checkId'> {
  const message = `${files} files were gone: nothing was deleted in the mesh, and they are written again where that can be`
  return { severity: 'warning', message, path: '.', fixHint: 'see whether the folder was removed or unmounted' }
}

/** Said until the daemon is stopped: who looks into a strange day should find it. */
const ONCE_GONE = {
  severity: 'info',
  message: 'many files were gone at once: nothing was deleted in the mesh, and they were written again',
  path: '.',
} as const

function isSame(record: FileRecord, stamp: FileStamp | 'blocked' | undefined): boolean {
  if (stamp === undefined || stamp === 'blocked') return false
  return record.size === stamp.size && record.mtimeMs === stamp.mtimeMs && record.ino === stamp.ino
}

function skillIn({ key, scope }: EntryId): IndexChange {
  return { skill: key, scope, known: true }
}

async function take(feed: AsyncIterable<FeedRecord>): Promise<FeedRecord[]> {
  const records: FeedRecord[] = []
  for await (const record of feed) records.push(record)
  return records
}

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
