import { EntryDocument, type EntryId, type Kind, NODE_SCOPE } from '../entry/index.ts'
import { itemOf } from '../summary/index.ts'
import type { Database } from './database.ts'
import { documentKey, entryKey, entryRange, feedRange, parseEntryKey, parseFeedKey } from './keys.ts'
import {
  type ChangeSignature,
  decodeDocument,
  decodeEntry,
  decodeFeed,
  decodeHeads,
  packSignatures,
} from './records.ts'
import type { FeedRecord, Item, ListOptions, StoredEntry, Transfer } from './replica.ts'

/** Actor of documents that are only read. */
const READER = 'ee'.repeat(16)

/** Readers of a database that need nothing but it. All are described where {@link Replica} declares them. */

export async function getEntry(database: Database, id: EntryId): Promise<StoredEntry | undefined> {
  const stored = await database.get(entryKey(id))
  return stored === undefined ? undefined : decodeEntry(id, stored)
}

export async function* listEntries(database: Database, kind: Kind, options: ListOptions): AsyncGenerator<StoredEntry> {
  const { scope, prefix = '', limit = Number.POSITIVE_INFINITY, signal } = options
  let left = limit
  for await (const [key, stored] of database.range(entryRange(kind, scope, scope === undefined ? '' : prefix))) {
    signal?.throwIfAborted()
    if (left <= 0) return
    const id = parseEntryKey(key)
    // Without a scope the range is of all keys: each scope has its own run of them.
    if (!id.key.startsWith(prefix)) continue
    const entry = decodeEntry(id, stored)
    if (entry.row === undefined) continue
    left--
    yield entry
  }
}

export async function* readFeed(
  database: Database,
  after: number,
  until: number,
  limit = -1,
): AsyncGenerator<FeedRecord> {
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
  const stored = await database.get(documentKey(id))
  if (stored === undefined) return none
  const { bytes, signatures } = decodeDocument(stored)
  const document = EntryDocument.load(id, bytes, READER)
  try {
    return read(document, signatures)
  } finally {
    document.free()
  }
}

export function readTransfer(database: Database, id: EntryId): Promise<Transfer | undefined> {
  return readDocument<Transfer | undefined>(database, id, undefined, (document, signatures) => {
    return { id, changes: document.changesSince([]), signatures: packSignatures(signatures) }
  })
}

export async function* sharedItems(database: Database, meshId: string): AsyncGenerator<Item> {
  for (const kind of ['memory', 'skill'] as const) {
    for await (const [key, stored] of database.range(entryRange(kind))) {
      const id = parseEntryKey(key)
      if (id.scope !== NODE_SCOPE) yield { id, item: itemOf(meshId, id, decodeHeads(stored)) }
    }
  }
}

export async function* itemsSince(
  database: Database,
  meshId: string,
  range: { after: number; until: number; notVia: string | undefined },
): AsyncGenerator<Item> {
  const changed = new Map<string, EntryId>()
  for await (const { id, via } of readFeed(database, range.after, range.until)) {
    // What only came through a peer is nothing to offer back to it.
    if (id.scope === NODE_SCOPE || (range.notVia !== undefined && via === range.notVia)) continue
    changed.set(`${id.kind}\0${id.scope}\0${id.key}`, id)
  }
  for (const id of changed.values()) {
    const stored = await database.get(entryKey(id))
    if (stored !== undefined) yield { id, item: itemOf(meshId, id, decodeHeads(stored)) }
  }
}
