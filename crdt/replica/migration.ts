import { cp, rename, rm } from 'node:fs/promises'
import { NODE_SCOPE, type Scope } from '../entry/index.ts'
import { addTo, itemOfVersion, subjectOf, zeroDigest } from '../summary/index.ts'
import { restarted } from './adoption.ts'
import type { Database, Operation } from './database.ts'
import { digestKey, digestRange, entryRange, itemKey, metaKey, parseEntryKey, sideRange } from './keys.ts'
import {
  DATABASE_FORMAT,
  type DatabaseRecord,
  decodeHeads,
  encodeDatabase,
  encodeDigest,
  encodeItem,
} from './records.ts'
import type { ScopeDigest } from './replica.ts'
import { required } from './totals.ts'

/**
 * Databases of format 1 hold no items, and digests and checkpoints of items that were made otherwise. Entries, their
 * documents and the feed are as in format 2.
 */

/** Namespace of the checkpoints, which hold for items of the old kind only. */
const CHECKPOINTS = 'checkpoints'

/** Where the database as it was is kept; an operator may delete it once all is well. */
export const backupOf = (path: string, format: number) => `${path}.format-${format}`

/** Copies a closed database's folder, unless that was done already. An interrupted copy does not count. */
export async function backUp(path: string, format: number): Promise<void> {
  const backup = backupOf(path, format)
  const unfinished = `${backup}.tmp`
  await rm(unfinished, { recursive: true, force: true })
  await cp(path, unfinished, { recursive: true, errorOnExist: true, filter: (file) => !file.endsWith('/LOCK') })
  await rm(backup, { recursive: true, force: true })
  await rename(unfinished, backup)
}

/**
 * Brings a database of format 1 to format 2. The format is written in the last batch: when it is interrupted, the next
 * opening does it again from the beginning.
 */
export async function migrate(database: Database, record: DatabaseRecord): Promise<void> {
  const meshId = Buffer.from(await required(database, 'mesh')).toString()
  const digests = new Map<Scope, ScopeDigest>()
  for (const kind of ['memory', 'skill'] as const) {
    for await (const batch of database.batches(entryRange(kind))) {
      const operations: Operation[] = []
      for (const [key, stored] of batch) {
        const id = parseEntryKey(key)
        const subject = subjectOf(meshId, id)
        const item = itemOfVersion(subject, decodeHeads(stored))
        const { digest, items } = digests.get(id.scope) ?? { digest: zeroDigest(), items: 0 }
        addTo(digest, item)
        digests.set(id.scope, { digest, items: items + 1 })
        if (id.scope !== NODE_SCOPE) operations.push({ key: itemKey(subject), value: encodeItem({ id, item }) })
      }
      await database.write(operations)
    }
  }
  const last: Operation[] = []
  for (const range of [digestRange, sideRange(CHECKPOINTS)]) {
    for await (const [key] of database.range(range)) last.push({ key })
  }
  const adoption = await database.get(metaKey('adoption'))
  if (adoption !== undefined) last.push({ key: metaKey('adoption'), value: restarted(adoption) })
  for (const [scope, digest] of digests) last.push({ key: digestKey(scope), value: encodeDigest(digest) })
  last.push({ key: metaKey('database'), value: encodeDatabase({ ...record, format: DATABASE_FORMAT }) })
  await database.write(last)
}
