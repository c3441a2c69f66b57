import { EntryDocument, type EntryId, type Kind, NODE_SCOPE, type Scope } from '../entry/index.ts'
import { itemOfVersion, subjectOf } from '../summary/index.ts'
import type { Database } from './database.ts'
import { isExpired } from './expiry.ts'
import {
  entryKey,
  entryRange,
  feedRange,
  itemKey,
  itemRange,
  type KeyRange,
  parseEntryKey,
  parseFeedKey,
} from './keys.ts'
import {
  type ChangeSignature,
  decodeEntry,
  decodeFeed,
  decodeItem,
  decodeRowJson,
  packOffered,
  type StoredDocument,
  type StoredFeedRecord,
} from './records.ts'
import type { ChangedItem, Item, ItemFinder, ListOptions, News, StoredEntry, Transfer } from './replica.ts'
import { readAllStored, readStored } from './stored.ts'
import type { VersionedRow } from './version.ts'

/** Actor of documents that are only read. */
const READER = 'ee'.repeat(16)

/** Largest document that travels whole: it must fit into a frame beside others. */
const MAX_WHOLE_BYTES = 1024 * 1024

/** Readers of a database that need nothing but it. All are described where {@link Replica} declares them. */

/** @param now Unix seconds: what has expired by then has no row */
export async function getEntry(database: Database, id: EntryId, now: number): Promise<StoredEntry | undefined> {
  const stored = await database.get(entryKey(id))
  return stored === undefined ? undefined : shownAt(now, decodeEntry(id, stored))
}

function shownAt(now: number, entry: StoredEntry): StoredEntry {
  return entry.row !== undefined && isExpired(entry.row, now) ? { ...entry, row: undefined, isExpired: true } : entry
}

/** Also of an entry that has expired. */
export async function getRowJson(database: Database, id: EntryId): Promise<VersionedRow | undefined> {
  const stored = await database.get(entryKey(id))
  return stored === undefined ? undefined : decodeRowJson(stored)
}

/** @param scopes those that are listed, in any order */
export async function* listEntries(
  database: Database,
  kind: Kind,
  scopes: readonly Scope[],
  options: ListOptions & { readonly now: number },
): AsyncGenerator<StoredEntry> {
  const { prefix, after, updatedSince = 0, inConflict = false, limit = Number.POSITIVE_INFINITY, now, signal } = options
  let left = limit
  for await (const [key, stored] of database.ranges(listRanges(kind, scopes, { prefix, after }))) {
    signal?.throwIfAborted()
    if (left <= 0) return
    const entry = shownAt(now, decodeEntry(parseEntryKey(key), stored))
    if (entry.row === undefined || entry.row.updated_at < updatedSince) continue
    if (inConflict && entry.conflicts === 0) continue
    left--
    yield entry
  }
}

/** Ranges in order of scope: each scope has its own run of keys. */
function listRanges(kind: Kind, scopes: readonly Scope[], { prefix, after }: ListOptions): KeyRange[] {
  const ranges = scopes.map((scope) => entryRange(kind, scope, prefix))
  ranges.sort((a, b) => Buffer.compare(a.gte, b.gte))
  if (after === undefined) return ranges
  const first = Buffer.concat([entryKey({ kind, ...after }), Buffer.of(0)])
  return ranges.flatMap(({ gte, lt }) => {
    if (Buffer.compare(lt, first) <= 0) return []
    return [{ gte: Buffer.compare(gte, first) < 0 ? first : gte, lt }]
  })
}

export async function* readFeed(
  database: Database,
  after: number,
  until: number,
  limit = -1,
): AsyncGenerator<StoredFeedRecord> {
  for await (const [key, stored] of database.range(feedRange(after, until), limit)) {
    yield decodeFeed(parseFeedKey(key), stored)
  }
}

/** Reads an entry's document; gives `none` where there is none. Only what is durable: an open entry may be ahead of it. */
export async function readDocument<T>(
  database: Database,
  id: EntryId,
  none: T,
  read: (document: EntryDocument, signatures: readonly ChangeSignature[]) => T,
): Promise<T> {
  const stored = await readStored(database, id)
  if (stored === undefined) return none
  const { bytes, signatures } = stored
  const document = EntryDocument.load(id, bytes, READER)
  try {
    return read(document, signatures)
  } finally {
    document.free()
  }
}

export async function readTransfer(database: Database, id: EntryId): Promise<Transfer | undefined> {
  const stored = await readStored(database, id)
  return stored && transferOf(id, stored)
}

export async function* readTransfers(database: Database, wanted: (id: EntryId) => boolean): AsyncGenerator<Transfer> {
  for (const kind of ['memory', 'skill'] as const) {
    for await (const { id, stored } of readAllStored(database, kind)) {
      if (id.scope !== NODE_SCOPE && wanted(id)) yield transferOf(id, stored)
    }
  }
}

function transferOf(id: EntryId, { bytes, signatures }: StoredDocument): Transfer {
  return { id, chunks: chunksOf(id, bytes), signatures: packOffered(signatures) }
}

/** A small document travels as it is stored, without being opened. */
function chunksOf(id: EntryId, bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length <= MAX_WHOLE_BYTES) return [bytes]
  const document = EntryDocument.load(id, bytes, READER)
  try {
    return document.changesSince([])
  } finally {
    document.free()
  }
}

export async function readNews(
  database: Database,
  meshId: string,
  id: EntryId,
  { isKnown, reach }: { isKnown: (item: Uint8Array) => boolean; reach: number },
): Promise<News | undefined> {
  const subject = subjectOf(meshId, id)
  const transfer = await readDocument<Transfer | undefined>(database, id, undefined, (document, signatures) => {
    const known = document.pastVersions(reach).find((heads) => isKnown(itemOfVersion(subject, heads.map(fromHex))))
    if (known === undefined) return undefined
    const since = new Set(document.hashesSince(known))
    const missing = signatures.filter(({ change }) => since.has(Buffer.from(change).toString('hex')))
    return { id, chunks: document.changesSince(known), signatures: packOffered(missing) }
  })
  if (transfer !== undefined) return { transfer, isPartial: true }
  const whole = await readTransfer(database, id)
  return whole && { transfer: whole, isPartial: false }
}

export async function* readItemsSince(
  database: Database,
  meshId: string,
  range: { after: number; until: number; peer: string },
): AsyncGenerator<ChangedItem> {
  const changed = new Map<string, { subject: Uint8Array; base: Uint8Array | undefined; isTheirs: boolean }>()
  for await (const batch of database.batches(feedRange(range.after, range.until))) {
    for (const [key, stored] of batch) {
      const { id, via, before } = decodeFeed(parseFeedKey(key), stored)
      if (id.scope === NODE_SCOPE) continue
      const subject = subjectOf(meshId, id)
      const name = Buffer.from(subject).toString('base64')
      const seen = changed.get(name) ?? { subject, base: before, isTheirs: true }
      changed.set(name, { ...seen, isTheirs: seen.isTheirs && via === range.peer })
    }
  }
  for (const { subject, base, isTheirs } of changed.values()) {
    const stored = await database.get(itemKey(subject))
    if (stored !== undefined) yield { ...decodeItem(stored), base, isTheirs }
  }
}

export function openItemFinder(database: Database): Promise<ItemFinder> {
  return database.seeker(itemRange()).then(({ startingWith, close }) => ({
    find: async (tag) => (await startingWith(itemRange(tag).gte)).map(([, stored]) => decodeItem(stored)),
    close,
  }))
}

export async function* readItems(database: Database): AsyncGenerator<readonly Item[]> {
  for await (const batch of database.batches(itemRange())) yield batch.map(([, stored]) => decodeItem(stored))
}

const fromHex = (text: string) => Buffer.from(text, 'hex')
