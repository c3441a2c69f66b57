import type { EntryId } from '../../crdt/entry/index.ts'
import type { EntryStore, FeedRecord } from '../../crdt/replica/replica.ts'
import { nextTurn } from '../../crdt/turns.ts'
import type { FileRecord, FilesIndex, IndexChange, IndexProgress } from './files-index.ts'
import { type FileFindings, UNREADABLE } from './findings.ts'
import type { FileStamp, GuardedFolder } from './guarded-folder.ts'
import { Obstacle } from './obstacle.ts'
import { type Plan, planUnit } from './plan.ts'
import { reconcile } from './reconcile.ts'
import { createSweep } from './sweep.ts'
import { parseUnit, type Unit, unitKey, unitOf } from './units.ts'
import { liveEntries } from './walk.ts'

/** What the files are made from. */
export interface FileSource
  extends Pick<EntryStore, 'position' | 'get' | 'list' | 'feed' | 'onCommit' | 'counts' | 'digest'> {
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

/**
 * Brings entries into files. Its methods are called one at a time; of a generator, between two steps, also others. A
 * step is a group of files, so that work on a million of them holds nothing else up.
 */
export interface Exporter {
  /** Feed position up to which all commits were seen to, save those that {@link walk} has still to come to. */
  readonly position: number
  /** Whether a {@link walk} is to be made: at first, after a restore, or where the feed no longer reaches back. */
  readonly walking: boolean
  /** Entries that the walk under way has come to. */
  readonly walked: number
  /** Feed position of the last commit. */
  readonly newest: number
  /** Takes some commits after {@link position} and says whether memories were among them; undefined: there were none. */
  follow(): Promise<{ readonly memory: boolean } | undefined>
  /**
   * Looks at every entry and every trace of one. Cut short, it goes on from where it was, also after a restart; it ends
   * with {@link walking} still set where it has to begin anew.
   */
  walk(): AsyncGenerator<void>
  /** Tries again what could not be done. */
  retry(): AsyncGenerator<void>
  /** Finds the files that were changed or removed and sees to them. Each step says whether any was gone. */
  look(): AsyncGenerator<boolean>
}

/** Commits taken at once: within them an entry is written once. */
const FEED_BATCH = 1000
/** Files seen to at once, and the bytes that they may hold in memory: 200 memories may be 50 MB. */
const GROUP = 200
const MAX_PLANNED_BYTES = 8 * 1024 * 1024
/** Files are thought out in runs of so many, a few milliseconds: then others have their turn. */
const BREATH = 25
/** Index records compared with the disk at once. Level keeps what an iterator read until it is collected: so not fewer. */
const LOOK_GROUP = 1000
/** So many files gone at once are worth a word. */
const MANY_GONE = 20
/** Raised when the content of files changes for the same row: all are written anew. */
const RENDERING = 1

/** Continues where the index says. */
export async function createExporter(components: ExporterComponents, init: ExporterInit): Promise<Exporter> {
  const { store, index, folder, findings, signal } = components
  const sweep = createSweep(components)
  const basis = JSON.stringify({ rendering: RENDERING, database: store.databaseId, flatSkills: init.flatSkills })
  const stored = await index.progress()
  // A position ahead of the replica is of another history.
  const usable = stored !== undefined && stored.basis === basis && stored.position <= store.position
  let progress: IndexProgress = usable ? stored : { basis, position: store.position, walk: {} }
  let walked = 0
  /** How often a walk was asked for: one under way is of no use then. */
  let walks = 0

  async function show(units: Iterable<Unit>, force: boolean): Promise<void> {
    let plans: Plan[] = []
    let changes: IndexChange[] = []
    let bytes = 0
    let run = 0
    const flush = async () => {
      signal.throwIfAborted()
      await reconcile(plans, components, { force, changes })
      plans = []
      changes = []
      bytes = 0
    }
    for (const unit of units) {
      if (++run % BREATH === 0) await nextTurn()
      const plan = await planUnit(unit, { store, index, flatSkills: init.flatSkills })
      if (plan === undefined) {
        changes.push({ todo: unitKey(unit), open: true })
        findings.met(UNREADABLE)
        continue
      }
      plans.push(plan)
      bytes += plan.files.reduce((sum, file) => sum + (file.bytes?.length ?? 0), 0)
      if (plans.length >= GROUP || bytes >= MAX_PLANNED_BYTES) await flush()
    }
    if (plans.length > 0 || changes.length > 0) await flush()
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

  async function proceed(to: IndexProgress): Promise<void> {
    await index.write([{ progress: to }])
    progress = to
  }

  /** Each unit of some entries once. */
  async function showEntries(ids: readonly EntryId[]): Promise<void> {
    const skills = ids.filter(({ kind }) => kind === 'skill')
    if (skills.length > 0) await index.write(skills.map(skillIn))
    await show(new Set(ids.map((id) => unitKey(unitOf(id)))).values().map(parseUnit), false)
  }

  async function* showGroups(groups: AsyncIterable<Unit[]>, wanted: () => boolean): AsyncGenerator<void> {
    for await (const units of groups) {
      if (!wanted()) return
      signal.throwIfAborted()
      await show(units, false)
      yield
    }
  }

  async function* retry(): AsyncGenerator<void> {
    await makeFolders()
    for (let units = await index.todosAfter('', GROUP); units.length > 0; ) {
      signal.throwIfAborted()
      await show(units.map(parseUnit), true)
      yield
      units = await index.todosAfter(units.at(-1) as string, GROUP)
    }
  }

  return {
    get position() {
      return progress.position
    },
    get newest() {
      return store.position
    },
    get walking() {
      return progress.walk !== undefined
    },
    get walked() {
      return walked
    },
    async follow() {
      const { position } = progress
      if (store.position === position) return undefined
      const records = await take(store.feed(position, FEED_BATCH))
      const last = records.at(-1)
      if (last === undefined || records[0]?.seq !== position + 1) {
        // The feed has gaps only behind its horizon: all entries have to be looked at.
        walks++
        await proceed({ basis, position: store.position, walk: {} })
        return { memory: true }
      }
      await showEntries(records.map(({ id }) => id))
      await proceed({ ...progress, position: last.seq })
      return { memory: records.some(({ id }) => id.kind === 'memory') }
    },
    async *walk() {
      const asked = walks
      const after = progress.walk?.after
      walked = 0
      await makeFolders()
      // First what is gone: at the very first walk there is nothing yet to look through.
      if (after === undefined) yield* showGroups(sweep.goneMemories(), () => walks === asked)
      for await (const group of liveEntries(store, after)) {
        if (walks !== asked) return
        signal.throwIfAborted()
        await showEntries(group.ids)
        walked += group.entries
        if (group.after !== undefined) await proceed({ ...progress, walk: { after: group.after } })
        yield
      }
      yield* showGroups(sweep.skills(), () => walks === asked)
      if (walks !== asked) return
      const { walk: _, ...done } = progress
      await proceed(done)
    },
    retry,
    async *look() {
      let gone = 0
      await makeFolders()
      for (let records = await index.filesAfter('', LOOK_GROUP); records.length > 0; ) {
        signal.throwIfAborted()
        const shown = records.filter(([, { unit }]) => unit !== '')
        const stamps = await folder.stamps(shown.map(([path]) => path))
        const changed = new Set<string>()
        const before = gone
        for (const [i, [, record]] of shown.entries()) {
          const stamp = stamps[i]
          if (isSame(record, stamp)) continue
          changed.add(record.unit)
          if (stamp === undefined && record.open === undefined) gone++
        }
        if (gone >= MANY_GONE) findings.state('files.vanished', WHILE_GONE)
        await show(changed.values().map(parseUnit), true)
        yield gone > before
        records = await index.filesAfter((records.at(-1) as [string, FileRecord])[0], LOOK_GROUP)
      }
      if (findings.stated('files.vanished')?.severity === 'warning' && !findings.blocked) {
        findings.state('files.vanished', ONCE_GONE)
      }
    },
  }
}

const WHILE_GONE = {
  severity: 'warning',
  message: 'many files were gone: nothing was deleted in the mesh, and they are written again where that can be',
  path: '.',
  fixHint: 'see whether the folder was removed or unmounted',
} as const

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
