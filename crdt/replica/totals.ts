import type { Scope } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database } from './database.ts'
import { digestKey, digestRange, feedRange, metaKey, parseFeedKey, parseKeyTail } from './keys.ts'
import { decodeCounts, decodeDigest } from './records.ts'
import type { ReplicaCounts, ScopeDigest } from './replica.ts'

/** Sums that every commit moves. */
export interface Totals {
  /** Feed position of the latest commit. */
  readonly position: number
  /** Feed position from which on no commit is missing in the feed: whoever has read less far must start over. */
  readonly horizon: number
  readonly counts: ReplicaCounts
  readonly digests: ReadonlyMap<Scope, ScopeDigest>
}

/** The sums as the database holds them. @throws {MeshError} `STORAGE_CORRUPT` */
export async function readTotals(database: Database): Promise<Totals> {
  const digests = new Map<Scope, ScopeDigest>()
  const prefix = digestKey('' as Scope)
  for await (const [key, value] of database.range(digestRange)) {
    digests.set(parseKeyTail(key, prefix) as Scope, decodeDigest(value))
  }
  const feed = feedRange(0, Number.MAX_SAFE_INTEGER - 1)
  const [first, last] = [await database.firstKey(feed), await database.lastKey(feed)]
  const position = last === undefined ? 0 : parseFeedKey(last)
  const horizon = first === undefined ? position : parseFeedKey(first) - 1
  return { position, horizon, counts: decodeCounts(await required(database, 'counts')), digests }
}

/** A record of the database itself, which every database has. @throws {MeshError} `STORAGE_CORRUPT` */
export async function required(database: Database, name: 'database' | 'mesh' | 'counts'): Promise<Uint8Array> {
  const stored = await database.get(metaKey(name))
  if (stored === undefined) throw new MeshError('STORAGE_CORRUPT', `${database.path} lacks its record "${name}"`)
  return stored
}
