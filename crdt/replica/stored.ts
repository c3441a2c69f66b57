import type { EntryId, Kind } from '../entry/index.ts'
import type { Database, Operation } from './database.ts'
import { documentKey, documentRange, documentsRange, parseEntryKey, parseTailKey, tailKey } from './keys.ts'
import { type ChangeSignature, decodeDocument, encodeDocument, SIGNED_BYTES, type StoredDocument } from './records.ts'

/**
 * A document lies in the database as one record, and once that is this large as more behind it (its tail), each with
 * what a group of commits has added: to write a long history anew for each change would cost more than the change.
 * Readers rely on it: a smaller record has no tail. In bytes, as {@link sizeOf} counts.
 */
const TAIL_FROM_BYTES = 4_096

/** A document as kept, with where its parts lie. */
export interface Stored extends StoredDocument {
  readonly form: StoredForm
}

/** The parts in which a document is stored, as its commits that are on their way will leave them. */
export class StoredForm {
  /** Bytes of the record that holds the document, and of what is behind it. */
  #base: number
  #tail: number
  /** Feed positions that the records behind it are named by. */
  #positions: number[]

  constructor(base = 0, tail = 0, positions: readonly number[] = []) {
    this.#base = base
    this.#tail = tail
    this.#positions = [...positions]
  }

  /** Bytes of all parts. */
  get size(): number {
    return this.#base + this.#tail
  }

  /** Whether a commit of so many bytes is appended. Otherwise the document is written whole, which {@link rewrite} says. */
  append(size: number): boolean {
    // As much behind as before: so every change is written about twice, however long the history grows.
    if (this.#base < TAIL_FROM_BYTES || this.#tail + size > this.#base) return false
    this.#tail += size
    return true
  }

  /** The document is written whole, so large. */
  rewrite(size: number): void {
    this.#base = size
    this.#tail = 0
  }

  /** Operations that store what a group of an entry's commits adds, in order, of which the last is at `position`. */
  operations(id: EntryId, writes: readonly DocumentWrite[], position: number): Operation[] {
    const from = writes.findLastIndex(({ whole }) => whole !== undefined)
    const whole = writes[from]?.whole
    const added = writes.slice(from + 1)
    const value = encodeDocument({
      bytes: concat([...(whole === undefined ? [] : [whole.bytes]), ...added.flatMap(({ changes }) => changes)]),
      signatures: [...(whole?.signatures ?? []), ...added.flatMap(({ signatures }) => signatures)],
    })
    if (whole === undefined) {
      this.#positions.push(position)
      return [{ key: tailKey(id, position), value }]
    }
    const outdated = this.#positions.splice(0)
    return [{ key: documentKey(id), value }, ...outdated.map((one) => ({ key: tailKey(id, one) }))]
  }
}

/** How a commit reaches the stored document. */
export interface DocumentWrite {
  readonly changes: readonly Uint8Array[]
  readonly signatures: readonly ChangeSignature[]
  /** The document with this commit in it, where it is written whole; otherwise what it adds is appended. */
  readonly whole: StoredDocument | undefined
}

/** Reads an entry's document with all of its tail, from one moment. @throws {MeshError} `STORAGE_CORRUPT` */
export async function readStored(database: Database, id: EntryId): Promise<Stored | undefined> {
  const record = await database.get(documentKey(id))
  if (record === undefined) return undefined
  const document = decodeDocument(record)
  const size = sizeOf(document)
  if (size < TAIL_FROM_BYTES) return { ...document, form: new StoredForm(size) }
  return readParts(database, id)
}

async function readParts(database: Database, id: EntryId): Promise<Stored | undefined> {
  const parts: StoredDocument[] = []
  const positions: number[] = []
  for await (const [key, record] of database.range(documentRange(id))) {
    if (parts.length > 0) positions.push(parseTailKey(key))
    parts.push(decodeDocument(record))
  }
  const [base] = parts
  if (base === undefined) return undefined
  const bytes = concat(parts.map((part) => part.bytes))
  const signatures = parts.flatMap((part) => part.signatures)
  const form = new StoredForm(sizeOf(base), sizeOf({ bytes, signatures }) - sizeOf(base), positions)
  return { bytes, signatures, form }
}

/** Documents of all entries of a kind in order of scope and key, each with all of its tail, from one moment. */
export async function* readAllStored(
  database: Database,
  kind: Kind,
): AsyncGenerator<{ readonly id: EntryId; readonly stored: StoredDocument }> {
  let base: Uint8Array | undefined
  let parts: StoredDocument[] = []
  const whole = (key: Uint8Array) => ({ id: parseEntryKey(key), stored: joined(parts) })
  for await (const batch of database.batches(documentsRange(kind))) {
    for (const [key, record] of batch) {
      if (base !== undefined && !isTailOf(base, key)) {
        yield whole(base)
        parts = []
      }
      if (parts.length === 0) base = key
      parts.push(decodeDocument(record))
    }
  }
  if (base !== undefined) yield whole(base)
}

function isTailOf(base: Uint8Array, key: Uint8Array): boolean {
  return key.length > base.length && key[base.length] === 0 && Buffer.compare(key.subarray(0, base.length), base) === 0
}

function joined(parts: readonly StoredDocument[]): StoredDocument {
  return { bytes: concat(parts.map(({ bytes }) => bytes)), signatures: parts.flatMap(({ signatures }) => signatures) }
}

/** Operations that put other signatures in the place of an entry's: all of its document in one record. */
export function resigned(id: EntryId, { bytes, form }: Stored, signatures: readonly ChangeSignature[]): Operation[] {
  return form.operations(id, [{ changes: [], signatures: [], whole: { bytes, signatures } }], 0)
}

/** Bytes of a part of a document, about as they are stored. */
export function sizeOf({ bytes, signatures }: StoredDocument): number {
  return bytes.length + SIGNED_BYTES * signatures.length
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}
