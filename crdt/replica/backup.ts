import { randomBytes } from 'node:crypto'
import { type BackupHeader, type BackupPart, type Pair, readBackup, writeBackup } from '../backup/index.ts'
import { NODE_SCOPE, type Scope } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { combine } from '../summary/index.ts'
import { nextTurn } from '../turns.ts'
import { Database, type FrozenView, type Operation } from './database.ts'
import {
  digestKey,
  digestRange,
  everything,
  feedRange,
  metaKey,
  parseFeedKey,
  parseKeyTail,
  sideRange,
} from './keys.ts'
import { DATABASE_FORMAT, decodeCounts, decodeDatabase, decodeDigest, encodeDatabase } from './records.ts'
import type { BackupInit } from './replica.ts'

/** What is known of the node beside what the database holds. */
export interface BackupSource extends BackupInit {
  readonly publicKey: Uint8Array
  /** Unix seconds. */
  readonly createdAt: number
}

/** Pairs that are given on in one turn of the event loop, in about a millisecond. */
const BREATH = 128

/** Pairs that are written in one batch: more would keep the event loop for tens of milliseconds. */
const WRITTEN = 256

/** Derived from the rest, and made again at first need. */
const LEFT_OUT = metaKey('symbols')

/** Whether a view shows a change of mesh that is half done. */
export function isBetweenMeshes(view: FrozenView): boolean {
  return view.get(metaKey('adoption')) !== undefined
}

/** A backup of all that a view shows, piece by piece. @throws {MeshError} `STORAGE_CORRUPT` for a damaged value */
export async function* backUpView(view: FrozenView, source: BackupSource): AsyncGenerator<Uint8Array> {
  const { seed } = source
  yield* writeBackup({ header: await headerOf(view, source), seed }, pairsOf(view))
}

async function* pairsOf(view: FrozenView): AsyncGenerator<Pair[]> {
  for await (const batch of view.batches(everything)) {
    for (let from = 0; from < batch.length; from += BREATH) {
      yield batch.slice(from, from + BREATH).filter(([key]) => !isSame(key, LEFT_OUT))
      await nextTurn()
    }
  }
}

async function headerOf(
  view: FrozenView,
  { nodeId, peerId, publicKey, version, createdAt }: BackupSource,
): Promise<BackupHeader> {
  const { format: databaseFormat, databaseId } = decodeDatabase(needed(view, 'database'))
  const feed = feedRange(0, Number.MAX_SAFE_INTEGER - 1)
  const [first, last] = [await view.firstKey(feed), await view.lastKey(feed)]
  const position = last === undefined ? 0 : parseFeedKey(last)
  const commits = first === undefined ? 0 : position - parseFeedKey(first) + 1
  const counts = decodeCounts(needed(view, 'counts'))
  const shared: Uint8Array[] = []
  const prefix = digestKey('' as Scope)
  for await (const batch of view.batches(digestRange)) {
    for (const [key, value] of batch) {
      if (parseKeyTail(key, prefix) !== NODE_SCOPE) shared.push(decodeDigest(value).digest)
    }
  }
  const { memory, skills, deleted, expired } = counts
  return {
    databaseFormat,
    databaseId,
    meshId: Buffer.from(needed(view, 'mesh')).toString(),
    nodeId,
    peerId,
    publicKey: Buffer.from(publicKey).toString('hex'),
    version,
    createdAt,
    position,
    digest: Buffer.from(combine(shared)).toString('hex'),
    counts,
    // A row, a document and an item for each entry, and a record for each commit that the feed still has.
    pairs: 3 * (memory + skills + deleted + expired) + commits,
  }
}

function needed(view: FrozenView, name: 'database' | 'mesh' | 'counts'): Uint8Array {
  const stored = view.get(metaKey(name))
  if (stored === undefined) throw new MeshError('STORAGE_CORRUPT', `the database lacks its record "${name}"`)
  return stored
}

export interface UnpackInit {
  /** Looks at the header before anything is made. What it throws ends it. */
  readonly check?: (header: BackupHeader) => void
  /** Namespaces of side records that are left out. */
  readonly forget?: readonly string[]
  readonly signal?: AbortSignal | undefined
  /** Pairs so far, and about how many there are. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface Unpacked {
  readonly header: BackupHeader
  /** The key of the node that it was made on, 32 bytes; undefined where it was left out. */
  readonly seed: Uint8Array | undefined
}

/**
 * Makes a database of a backup, under a new id, in a folder that is not there yet. Where this fails the folder holds a
 * part that is good for nothing: the caller removes it.
 *
 * @throws {MeshError} `BACKUP_INVALID`, `BACKUP_DAMAGED`, `BACKUP_TOO_NEW`, `STORAGE_FAILED`
 */
export async function unpackBackup(
  source: AsyncIterable<Uint8Array>,
  path: string,
  init: UnpackInit = {},
): Promise<Unpacked> {
  const parts = readBackup(source)
  try {
    const first = await parts.next()
    const header = headerIn(first.value)
    if (header.databaseFormat > DATABASE_FORMAT) {
      const message = `the backup is of a database of format ${header.databaseFormat}; this version knows up to ${DATABASE_FORMAT}`
      throw new MeshError('BACKUP_TOO_NEW', message, {
        hint: 'use the version of openclaw-mesh that made it, or a later one',
      })
    }
    init.check?.(header)
    const database = await Database.create(path)
    try {
      return { header, seed: await fill(database, header, parts, init) }
    } finally {
      await database.close()
    }
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'STORAGE_FAILED') throw error
    throw new MeshError('STORAGE_FAILED', `the backup cannot be unpacked: ${error.message}`, {
      hint: 'free some disk space, about three times as much as the backup takes, and try again; nothing was changed',
      cause: error,
    })
  } finally {
    await parts.return(undefined)
  }
}

function headerIn(part: BackupPart | undefined): BackupHeader {
  if (part?.kind !== 'header') throw new Error('impossible: a backup begins with its header')
  return part.header
}

/** Returns the key that comes by. */
async function fill(
  database: Database,
  header: BackupHeader,
  parts: AsyncIterable<BackupPart>,
  { forget = [], signal, onProgress }: UnpackInit,
): Promise<Uint8Array | undefined> {
  const forgotten = forget.map(sideRange)
  let seed: Uint8Array | undefined
  let done = 0
  for await (const part of parts) {
    signal?.throwIfAborted()
    if (part.kind === 'key') seed = part.seed
    if (part.kind !== 'pairs') continue
    const kept = part.pairs.filter(
      ([key]) => !forgotten.some(({ gte, lt }) => !isBefore(key, gte) && isBefore(key, lt)),
    )
    for (let from = 0; from < kept.length; from += WRITTEN) {
      await database.write(kept.slice(from, from + WRITTEN).map(operationOf))
      await nextTurn()
    }
    done += part.pairs.length
    onProgress?.(done, Math.max(done, header.pairs))
  }
  await checkWhole(database, header)
  return seed
}

/** Another database than the one that it was made of: what peers know of that one does not hold for it. */
function operationOf([key, value]: Pair): Operation {
  if (!isSame(key, metaKey('database'))) return { key, value }
  const databaseId = randomBytes(16).toString('hex')
  return { key, value: encodeDatabase({ ...decodeDatabase(value), databaseId }) }
}

/** What every database has is there, and is what the header says. */
async function checkWhole(database: Database, header: BackupHeader): Promise<void> {
  const [record, mesh, counts] = await Promise.all(
    (['database', 'mesh', 'counts'] as const).map((name) => database.get(metaKey(name))),
  )
  const fits =
    record !== undefined &&
    counts !== undefined &&
    decodeDatabase(record).format === header.databaseFormat &&
    Buffer.from(mesh ?? []).toString() === header.meshId
  if (!fits) throw new MeshError('BACKUP_DAMAGED', 'the backup is not of the database that its header speaks of')
}

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const isBefore = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) < 0
