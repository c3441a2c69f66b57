/** Recomputes from the documents all that a database keeps beside them. */

import { EntryDocument, type EntryId, type EntryView, NODE_SCOPE, type Scope } from '../entry/index.ts'
import { changeMessage, verifyChange } from '../signing.ts'
import { addTo, itemOf, zeroDigest } from '../summary/index.ts'
import { Database } from './database.ts'
import { documentRange, entryRange, feedRange, metaKey, parseEntryKey, parseFeedKey } from './keys.ts'
import { hex } from './lab-suite.ts'
import { decodeDocument, decodeEntry, decodeFeed } from './records.ts'
import { readStored, type Stored } from './stored.ts'
import { readTotals, required } from './totals.ts'

export interface Audit {
  readonly meshId: string
  /** Everything that does not fit: empty for a sound database. */
  readonly faults: readonly string[]
  /** Rows of live entries by {@link nameOf}. */
  readonly rows: ReadonlyMap<string, EntryView['row']>
  /** Hex digest of all scopes but `node`. */
  readonly digest: string | undefined
  readonly entries: number
}

export const nameOf = ({ kind, scope, key }: EntryId) => `${kind} ${scope} ${key}`

/**
 * Opens a closed replica's database and compares: every row with its document, every sum with the entries, the feed with
 * the numbers 1, 2, 3 …, and every change with a signature by one of `authors`.
 */
export async function audit(path: string, authors: readonly Uint8Array[]): Promise<Audit> {
  const database = await Database.open(path)
  try {
    return await auditDatabase(database, authors)
  } finally {
    await database.close()
  }
}

async function auditDatabase(database: Database, authors: readonly Uint8Array[]): Promise<Audit> {
  const faults: string[] = []
  const same = (what: string, stored: unknown, computed: unknown) => {
    const [a, b] = [JSON.stringify(stored), JSON.stringify(computed)]
    if (a !== b) faults.push(`${what}: stored ${a}, computed ${b}`)
  }
  const meshId = Buffer.from(await required(database, 'mesh')).toString()
  const latest = await auditFeed(database, same)
  const counts = { memory: 0, skills: 0, deleted: 0, expired: 0, conflicts: 0 }
  const digests = new Map<Scope, { digest: Uint8Array; items: number }>()
  const rows = new Map<string, EntryView['row']>()
  const shared = zeroDigest()
  let entries = 0
  for (const range of [entryRange('memory'), entryRange('skill')]) {
    for await (const [key, stored] of database.range(range)) {
      const id = parseEntryKey(key)
      const { seq, id: _, lapsed, ...row } = decodeEntry(id, stored)
      const document = await readStored(database, id)
      same(`${nameOf(id)} parts`, await bytesOf(database, id), document?.bytes.length)
      const view = viewOf(id, document, { meshId, authors, faults })
      same(nameOf(id), plain(row), view && plain(view))
      same(`${nameOf(id)} seq`, seq, latest.get(nameOf(id)))
      latest.delete(nameOf(id))
      const item = itemOf(meshId, id, row.heads)
      const sum = digests.get(id.scope) ?? { digest: zeroDigest(), items: 0 }
      addTo(sum.digest, item)
      sum.items++
      digests.set(id.scope, sum)
      if (id.scope !== NODE_SCOPE) addTo(shared, item)
      if (!lapsed) counts.conflicts += row.conflicts
      if (row.row === undefined) counts.deleted++
      else if (lapsed) counts.expired++
      else counts[id.kind === 'memory' ? 'memory' : 'skills']++
      if (row.row !== undefined) rows.set(nameOf(id), row.row)
      entries++
    }
  }
  same('entries of the feed that are not there', [...latest.keys()], [])
  const totals = await readTotals(database)
  same('counts', totals.counts, counts)
  same('digests', sums(totals.digests), sums(digests))
  same('an adoption left behind', await database.get(metaKey('adoption')), undefined)
  return { meshId, faults, rows, digest: hex(shared), entries }
}

/** The latest feed number of each entry. */
async function auditFeed(database: Database, same: (what: string, a: unknown, b: unknown) => void) {
  const latest = new Map<string, number>()
  let due = 1
  for await (const [key, stored] of database.range(feedRange(0, Number.MAX_SAFE_INTEGER - 1))) {
    const seq = parseFeedKey(key)
    same('feed', seq, due++)
    latest.set(nameOf(decodeFeed(seq, stored).id), seq)
  }
  return latest
}

/** Bytes of all records that hold a part of an entry's document. */
async function bytesOf(database: Database, id: EntryId): Promise<number> {
  let sum = 0
  for await (const [, stored] of database.range(documentRange(id))) sum += decodeDocument(stored).bytes.length
  return sum
}

function viewOf(
  id: EntryId,
  stored: Stored | undefined,
  { meshId, authors, faults }: { meshId: string; authors: readonly Uint8Array[]; faults: string[] },
): EntryView | undefined {
  if (stored === undefined) return undefined
  const { bytes, signatures } = stored
  const document = EntryDocument.load(id, bytes, 'dd'.repeat(16))
  try {
    const vouched = new Set(
      signatures.flatMap(({ change, publicKey, signature }) =>
        authors.some((author) => Buffer.from(author).equals(publicKey)) &&
        verifyChange(publicKey, changeMessage(meshId, id, change), signature)
          ? hex(change)
          : [],
      ),
    )
    for (const hash of document.authoredHashes()) if (!vouched.has(hash)) faults.push(`${nameOf(id)}: ${hash} unsigned`)
    return document.view()
  } finally {
    document.free()
  }
}

const plain = ({ row, updatedAt, heads, conflicts }: EntryView) => ({
  row,
  updatedAt,
  heads: heads.map(hex),
  conflicts,
})

const sums = (digests: ReadonlyMap<Scope, { digest: Uint8Array; items: number }>) =>
  [...digests].map(([scope, { digest, items }]) => `${scope} ${items} ${hex(digest)}`).sort()
