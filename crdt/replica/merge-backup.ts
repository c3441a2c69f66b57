import { type EntryId, NODE_SCOPE } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { nextTurn } from '../turns.ts'
import type { Database } from './database.ts'
import { entryKey, entryRange, parseEntryKey } from './keys.ts'
import { openDatabase } from './opening.ts'
import { decodeHeads, packOffered } from './records.ts'
import type { ApplyOutcome, MergeOptions, MergeReport, Transfer } from './replica.ts'
import { readStored } from './stored.ts'
import { readTotals, required } from './totals.ts'

/** Entries that are taken in at once, and bytes of them but for one more: enough to keep the workers busy. */
const BATCH_ENTRIES = 256
const BATCH_BYTES = 4 * 1024 * 1024
/** Entries that are looked at in one turn, in about a millisecond. */
const BREATH = 64
/** Most entries of which is told why they were not taken. */
const MAX_FAULTS = 100

export interface MergeComponents {
  /** The database that it is merged into. */
  readonly database: Database
  readonly meshId: () => string
  readonly apply: (transfers: readonly Transfer[]) => Promise<ApplyOutcome[]>
}

/**
 * Takes in what an unpacked backup at `path` has and this database lacks. The backup's database is brought to the
 * present format first; nothing else opens it meanwhile.
 */
export async function mergeBackup(
  path: string,
  components: MergeComponents,
  { isOwn, signal, onProgress }: MergeOptions,
): Promise<MergeReport> {
  const { database: source } = await openDatabase(path)
  try {
    checkMesh(Buffer.from(await required(source, 'mesh')).toString(), components.meshId())
    const { counts } = await readTotals(source)
    const total = counts.memory + counts.skills + counts.deleted + counts.expired
    const report = { entries: 0, applied: 0, known: 0, left: 0, refused: 0, incomplete: 0 }
    const faults: MergeReport['faults'][number][] = []
    const take = async (transfers: readonly Transfer[]) => {
      for (const outcome of await components.apply(transfers)) {
        report[outcome.outcome]++
        if ('code' in outcome && faults.length < MAX_FAULTS) faults.push(outcome)
      }
      onProgress?.(report.entries, Math.max(report.entries, total))
    }
    let waiting: Transfer[] = []
    let bytes = 0
    for await (const { id, heads } of entriesOf(source)) {
      signal?.throwIfAborted()
      report.entries++
      if (report.entries % BREATH === 0) await nextTurn()
      if (id.scope === NODE_SCOPE && !isOwn) report.left++
      else if (await isHere(components.database, id, heads)) report.known++
      else {
        const transfer = await readOne(source, id)
        waiting.push(transfer)
        bytes += transfer.chunks.reduce((sum, { length }) => sum + length, 0)
      }
      if (waiting.length < BATCH_ENTRIES && bytes < BATCH_BYTES) continue
      await take(waiting)
      waiting = []
      bytes = 0
    }
    await take(waiting)
    return { ...report, faults }
  } finally {
    await source.close()
  }
}

/** @throws {MeshError} `BACKUP_OTHER_MESH` */
export function checkMesh(backup: string, here: string): void {
  if (backup === here) return
  throw new MeshError('BACKUP_OTHER_MESH', 'the backup is of another mesh than this node is in', {
    hint: 'join that mesh first; or bring its values in: restore it to an empty home, then `mesh export` and `mesh import`',
  })
}

/** All entries of a database, and their versions. */
async function* entriesOf(source: Database): AsyncGenerator<{ id: EntryId; heads: Uint8Array[] }> {
  for (const kind of ['memory', 'skill'] as const) {
    for await (const batch of source.batches(entryRange(kind))) {
      for (const [key, stored] of batch) yield readable(() => ({ id: parseEntryKey(key), heads: decodeHeads(stored) }))
    }
  }
}

/** Whether an entry is here at this very version. One that cannot be read here may be whole in the backup. */
async function isHere(database: Database, id: EntryId, heads: readonly Uint8Array[]): Promise<boolean> {
  try {
    const stored = await database.get(entryKey(id))
    return stored !== undefined && Buffer.concat(decodeHeads(stored)).equals(Buffer.concat(heads))
  } catch (error) {
    if (error instanceof MeshError && error.code === 'STORAGE_CORRUPT') return false
    throw error
  }
}

/** Nothing of it is opened here: who made the backup is not known. */
async function readOne(source: Database, id: EntryId): Promise<Transfer> {
  const stored = await readStored(source, id).catch((cause: unknown) => {
    throw cause instanceof MeshError ? cause : notOurs(cause)
  })
  if (stored === undefined) throw notOurs(new Error(`${id.kind} without a document`))
  return { id, chunks: [stored.bytes], signatures: packOffered(stored.signatures) }
}

/** The checksums fit, so it was written so: not by this program. */
function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw notOurs(cause)
  }
}

const notOurs = (cause: unknown) =>
  new MeshError('BACKUP_DAMAGED', 'the backup holds an entry that cannot be read', { cause })
