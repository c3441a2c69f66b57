/**
 * The replica: all entries of this node in one Level database, with their rows, signatures, feed and digests. Every
 * commit is one atomic, synced batch.
 */
import { randomBytes } from 'node:crypto'
import type { Signer } from '../signing.ts'
import { interruptedAdoption, runAdoption } from './adoption.ts'
import { Database } from './database.ts'
import { metaKey, sideKey } from './keys.ts'
import { openDatabase } from './opening.ts'
import { DATABASE_FORMAT, encodeCounts, encodeDatabase } from './records.ts'
import type { Adoption, Replica, ReplicaCounts } from './replica.ts'
import { secretsRules } from './secrets.ts'
import { createSideStore } from './side.ts'
import { Store } from './store.ts'
import { readTotals, required } from './totals.ts'
import { DocumentWorkers } from './workers.ts'

export { type Unpacked, type UnpackInit, unpackBackup } from './backup.ts'
export { checkMesh } from './merge-backup.ts'
export type { ChangeSignature, OfferedSignature } from './records.ts'
export { packOffered, unpackOffered } from './records.ts'
export type * from './replica.ts'
export { type SecretsRules, secretsRules } from './secrets.ts'
export { MAX_SKILL_BYTES } from './skill-content.ts'
export { keptSymbols } from './symbol-keeper.ts'
export { type Expectation, type VersionedRow, VersionMismatch, versionOf } from './version.ts'
export { DocumentWorkers, type WorkerLimits } from './workers.ts'

export interface ReplicaComponents {
  readonly signer: Signer
  /** Unix milliseconds; the system's clock unless given. */
  readonly now?: () => number
  /** Opens foreign changes; its own unless given. One that is given is not closed with the replica. */
  readonly workers?: DocumentWorkers
  /**
   * Switches the secrets guard on: nothing that looks like a secret is written into or taken in from a scope that others
   * read, save what these fingerprints name.
   */
  readonly secrets?: { readonly allowed: readonly string[] } | undefined
}

export interface ReplicaInit {
  /** Folder of the database. */
  readonly path: string
  /** Commits that the feed keeps at least: 100,000 unless given. It keeps as many as there are entries anyway. */
  readonly feedKept?: number | undefined
}

const NO_ENTRIES: ReplicaCounts = { memory: 0, skills: 0, deleted: 0, expired: 0, conflicts: 0 }

/** Whether there is a replica in the folder, also a damaged one. */
export function replicaExists(path: string): boolean {
  return Database.exists(path)
}

/**
 * Makes an empty replica of a mesh; {@link openReplica} then opens it.
 * @throws {MeshError} `STORAGE_FAILED` (also where there is a database already), `DATABASE_LOCKED`
 */
export async function createReplica(
  path: string,
  { meshId, records }: Pick<Adoption, 'meshId' | 'records'>,
): Promise<void> {
  const database = await Database.create(path)
  try {
    await database.write([
      {
        key: metaKey('database'),
        value: encodeDatabase({ format: DATABASE_FORMAT, databaseId: randomBytes(16).toString('hex') }),
      },
      { key: metaKey('mesh'), value: Buffer.from(meshId) },
      { key: metaKey('counts'), value: encodeCounts(NO_ENTRIES) },
      ...records.map(({ namespace, key, value }) => ({ key: sideKey(namespace, key), value })),
    ])
  } finally {
    await database.close()
  }
}

/**
 * Opens a replica. A database of an older format is brought to the present one, its folder copied before; an interrupted
 * change of mesh is completed.
 * @throws {MeshError} `DATABASE_MISSING`, `DATABASE_LOCKED`, `DATABASE_TOO_NEW`, `STORAGE_CORRUPT`, `STORAGE_FAILED`
 */
export async function openReplica(
  { signer, now = Date.now, workers, secrets }: ReplicaComponents,
  init: ReplicaInit,
): Promise<Replica> {
  const { database, databaseId } = await openDatabase(init.path)
  try {
    const { position } = await readTotals(database)
    const interrupted = await interruptedAdoption(database, position)
    if (interrupted !== undefined) await runAdoption(database, signer, interrupted, () => {})
    const meshId = Buffer.from(await required(database, 'mesh')).toString()
    const totals = await readTotals(database)
    const components = {
      database,
      side: createSideStore(database),
      workers: workers ?? new DocumentWorkers(),
      ownsWorkers: workers === undefined,
      signer,
      now,
      secrets: secrets && secretsRules(signer, secrets.allowed),
    }
    return new Store(components, { databaseId, meshId, totals, feedKept: init.feedKept })
  } catch (error) {
    await database.close()
    throw error
  }
}
