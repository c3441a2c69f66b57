import { decode, decodeFirst, encode } from 'cborg'
import type { EntryId, Kind, Row, Scope } from '../entry/index.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../signing.ts'
import { ITEM_BYTES } from '../summary/index.ts'
import type { KeptView } from './expiry.ts'
import { entryKey, parseEntryKey } from './keys.ts'
import type { FeedRecord, Item, ReplicaCounts, ScopeDigest, StoredEntry } from './replica.ts'
import { type VersionedRow, versionOf } from './version.ts'

/** Values of the database, as CBOR. Their keys are in `keys.ts`, their checksum in `database.ts`. */

const HASH_BYTES = 32
/** What a signature takes beside a document: change hash, public key, signature. */
export const SIGNED_BYTES = HASH_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES
/** Of a change's hash, beside an offered signature. */
const PREFIX_BYTES = 4

/** Format of the database that this code writes. A higher one is refused. */
export const DATABASE_FORMAT = 2

/** What the database says of itself. */
export interface DatabaseRecord {
  readonly format: number
  /** Random, 32 hex characters: another one after a restore into a new folder. */
  readonly databaseId: string
}

/** One author's word for one change. */
export interface ChangeSignature {
  /** 32 bytes: the hash of the change. */
  readonly change: Uint8Array
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
}

/** A {@link ChangeSignature} as a peer sends it. */
export interface OfferedSignature extends Omit<ChangeSignature, 'change'> {
  /** The first 4 bytes of the change's hash. */
  readonly prefix: Uint8Array
}

/** A document as kept: Automerge's bytes and the signatures of its changes. */
export interface StoredDocument {
  readonly bytes: Uint8Array
  readonly signatures: readonly ChangeSignature[]
}

export function encodeEntry({ row, updatedAt, heads, conflicts, lapsed }: KeptView, seq: number): Uint8Array {
  const json = row === undefined ? null : JSON.stringify(row)
  return encode([json, updatedAt, Buffer.concat(heads), conflicts, seq, ...(lapsed ? [true] : [])])
}

export function decodeEntry(id: EntryId, bytes: Uint8Array): StoredEntry & KeptView {
  const [row, updatedAt, heads, conflicts, seq, lapsed] = decode(bytes) as StoredParts
  return {
    id,
    row: row === null ? undefined : (JSON.parse(row) as Row),
    updatedAt,
    heads: chunks(heads, HASH_BYTES),
    conflicts,
    seq,
    ...(lapsed ? { lapsed } : {}),
  }
}

/** Row, time, heads in a row, conflicts, feed position, and whether it has lapsed. */
type StoredParts = [string | null, number, Uint8Array, number, number, true?]

/** Of an {@link encodeEntry} the row as the JSON that it is stored as, and the version; undefined for a deleted entry. */
export function decodeRowJson(bytes: Uint8Array): VersionedRow | undefined {
  // An array of so few begins with one byte, and its first members are the row and what is not needed here.
  const [json, afterRow] = decodeFirst(bytes.subarray(1)) as [string | null, Uint8Array]
  if (json === null) return undefined
  const [, afterTime] = decodeFirst(afterRow)
  const [heads] = decodeFirst(afterTime) as [Uint8Array, Uint8Array]
  return { json, version: versionOf([heads]), expiresAt: expiryOfJson(json) }
}

/**
 * When a row expires, in Unix seconds, or undefined for never, read off the end of its JSON: a row that expires ends so,
 * and a member of a value cannot, for braces would follow.
 */
export function expiryOfJson(json: string): number | undefined {
  const found = /,"expires_at":(\d+)\}$/.exec(json.slice(-40))
  return found === null ? undefined : Number(found[1])
}

/** Only the version of an {@link encodeEntry}, for readers that need no row. */
export function decodeHeads(bytes: Uint8Array): Uint8Array[] {
  const heads = (decode(bytes) as [unknown, unknown, Uint8Array])[2]
  return chunks(heads, HASH_BYTES)
}

export function encodeDocument({ bytes, signatures }: StoredDocument): Uint8Array {
  return encode([bytes, packSignatures(signatures)])
}

export function decodeDocument(stored: Uint8Array): StoredDocument {
  const [bytes, signatures] = decode(stored) as [Uint8Array, Uint8Array]
  return { bytes, signatures: unpackSignatures(signatures) }
}

/** Signatures in a row, 128 bytes each: change hash, public key, signature. */
export function packSignatures(signatures: readonly ChangeSignature[]): Uint8Array {
  return Buffer.concat(signatures.flatMap(({ change, publicKey, signature }) => [change, publicKey, signature]))
}

/** Undoes {@link packSignatures}; a torn last one is left out, and then verifies as missing. */
export function unpackSignatures(packed: Uint8Array): ChangeSignature[] {
  const keyEnd = HASH_BYTES + PUBLIC_KEY_BYTES
  return chunks(packed, keyEnd + SIGNATURE_BYTES).map((one) => ({
    change: one.subarray(0, HASH_BYTES),
    publicKey: one.subarray(HASH_BYTES, keyEnd),
    signature: one.subarray(keyEnd),
  }))
}

/** A {@link FeedRecord} with what reconciliation needs of it. */
export interface StoredFeedRecord extends FeedRecord {
  /** Id in window 0 of the item that the commit replaced; undefined for a new entry. */
  readonly before: Uint8Array | undefined
}

/**
 * Signatures on their way to a peer in a row, 100 bytes each: the first 4 of the change's hash, public key, signature.
 * The receiver knows the changes, and tries each whose hash begins so.
 */
export function packOffered(signatures: readonly ChangeSignature[]): Uint8Array {
  return Buffer.concat(
    signatures.flatMap(({ change, publicKey, signature }) => [change.subarray(0, PREFIX_BYTES), publicKey, signature]),
  )
}

/** Undoes {@link packOffered}; a torn last one is left out, and then verifies as missing. */
export function unpackOffered(packed: Uint8Array): OfferedSignature[] {
  const keyEnd = PREFIX_BYTES + PUBLIC_KEY_BYTES
  return chunks(packed, keyEnd + SIGNATURE_BYTES).map((one) => ({
    prefix: one.subarray(0, PREFIX_BYTES),
    publicKey: one.subarray(PREFIX_BYTES, keyEnd),
    signature: one.subarray(keyEnd),
  }))
}

export function encodeFeed({ id, via, before }: StoredFeedRecord): Uint8Array {
  // As bytes: a text's leading U+FEFF would be taken for a byte order mark and be gone.
  return encode([id.kind, id.scope, Buffer.from(id.key), via ?? null, before ?? null])
}

export function decodeFeed(seq: number, bytes: Uint8Array): StoredFeedRecord {
  const [kind, scope, key, via, before] = decode(bytes) as [Kind, Scope, Uint8Array, string | null, Uint8Array | null]
  const id = { kind, scope, key: Buffer.from(key).toString() }
  return { seq, id, via: via ?? undefined, before: before ?? undefined }
}

/** An entry's item, with its name: the item's 32 bytes, then the name as in an entry's key. Many are read at once. */
export function encodeItem({ id, item }: Item): Uint8Array {
  return Buffer.concat([item, entryKey(id)])
}

export function decodeItem(stored: Uint8Array): Item {
  return { id: parseEntryKey(stored.subarray(ITEM_BYTES)), item: stored.subarray(0, ITEM_BYTES) }
}

/** Coded symbols as kept: up to which feed position they hold, and their bytes. */
export interface StoredSymbols {
  readonly position: number
  readonly bytes: Uint8Array
}

export const encodeStoredSymbols = ({ position, bytes }: StoredSymbols): Uint8Array => encode([position, bytes])

export function decodeStoredSymbols(stored: Uint8Array): StoredSymbols {
  const [position, bytes] = decode(stored) as [number, Uint8Array]
  return { position, bytes }
}

export const encodeDigest = ({ digest, items }: ScopeDigest): Uint8Array => encode([digest, items])

export function decodeDigest(bytes: Uint8Array): ScopeDigest {
  const [digest, items] = decode(bytes) as [Uint8Array, number]
  return { digest, items }
}

export const encodeCounts = (counts: ReplicaCounts): Uint8Array => encode(counts)
/** Where nothing ever expired the count of that may be missing. */
export function decodeCounts(bytes: Uint8Array): ReplicaCounts {
  const counts = decode(bytes) as Omit<ReplicaCounts, 'expired'> & { readonly expired?: number }
  return { ...counts, expired: counts.expired ?? 0 }
}
export const encodeDatabase = (record: DatabaseRecord): Uint8Array => encode(record)
export const decodeDatabase = (bytes: Uint8Array): DatabaseRecord => decode(bytes) as DatabaseRecord

function chunks(bytes: Uint8Array, size: number): Uint8Array[] {
  const whole = Math.floor(bytes.length / size)
  return Array.from({ length: whole }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}
