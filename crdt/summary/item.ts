import { hash } from 'node:crypto'
import { lengthPrefixed } from '../bytes.ts'

/** Bytes of an item and of a digest. */
export const ITEM_BYTES = 32
/** Bytes of an entry's tag, with which each of an item's four windows begins. */
export const TAG_BYTES = 4

const SUBJECT_DOMAIN = 'openclaw-mesh entry 1'
const VERSION_DOMAIN = 'openclaw-mesh item 1'

/** What names an entry; an `EntryId` is one. */
export interface ItemSubject {
  readonly kind: string
  readonly scope: string
  readonly key: string
}

/**
 * An entry as items name it: 32 bytes, SHA-256 over a domain tag, the mesh id and the entry, each length-prefixed. The
 * mesh id keys it: nothing that one mesh says of its items means anything in another.
 */
export function subjectOf(meshId: string, { kind, scope, key }: ItemSubject): Uint8Array {
  return sha256(lengthPrefixed(SUBJECT_DOMAIN, meshId, kind, scope, key))
}

/**
 * The item of one version of an entry: four windows of 8 bytes, each the entry's tag (the first 4 bytes of its
 * subject) and 4 further bytes of SHA-256 over a domain tag, the subject and the heads, each length-prefixed. So two
 * versions of one entry are known as such from either's window, and differ in all.
 *
 * @param heads the document's heads, 32 bytes each, in any order
 */
export function itemOfVersion(subject: Uint8Array, heads: readonly Uint8Array[]): Uint8Array {
  const sorted = heads.length < 2 ? heads : heads.toSorted(Buffer.compare)
  const version = sha256(lengthPrefixed(VERSION_DOMAIN, subject, ...sorted))
  const item = new Uint8Array(ITEM_BYTES)
  for (let window = 0; window < 4; window++) {
    for (let i = 0; i < TAG_BYTES; i++) {
      item[8 * window + i] = subject[i] as number
      item[8 * window + TAG_BYTES + i] = version[TAG_BYTES * window + i] as number
    }
  }
  return item
}

/** {@link itemOfVersion} for an entry by its name. */
export function itemOf(meshId: string, subject: ItemSubject, heads: readonly Uint8Array[]): Uint8Array {
  return itemOfVersion(subjectOf(meshId, subject), heads)
}

// A text and back: three times as fast as asking for a buffer.
const sha256 = (bytes: Uint8Array): Uint8Array => Buffer.from(hash('sha256', bytes, 'binary'), 'binary')

/** 32 bits of an item or id from byte `at`, little-endian, unsigned. */
export function laneAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  return (low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
}

/** A text or a cut-off buffer would silently make summaries that never equal anyone's. @throws {RangeError} */
export function checkItem(bytes: Uint8Array): void {
  if (bytes.length !== ITEM_BYTES) throw new RangeError(`${ITEM_BYTES} bytes are expected, not ${bytes.length}`)
}
