import { hash } from 'node:crypto'
import { lengthPrefixed } from '../bytes.ts'

/** Bytes of an item and of a digest. */
export const ITEM_BYTES = 32

const DOMAIN = 'openclaw-mesh item 1'

/** What names an entry; an `EntryId` is one. */
export interface ItemSubject {
  readonly kind: string
  readonly scope: string
  readonly key: string
}

/**
 * The item of one version of an entry: 32 bytes, SHA-256 over a domain tag, the mesh id, the entry and its heads, each
 * length-prefixed. The mesh id keys it: nothing that one mesh says of its items means anything in another.
 *
 * @param heads the document's heads, 32 bytes each, in any order
 */
export function itemOf(meshId: string, { kind, scope, key }: ItemSubject, heads: readonly Uint8Array[]): Uint8Array {
  const sorted = heads.length < 2 ? heads : heads.toSorted(Buffer.compare)
  const named = lengthPrefixed(DOMAIN, meshId, kind, scope, key, ...sorted)
  // A text and back: three times as fast as asking for a buffer.
  return Buffer.from(hash('sha256', named, 'binary'), 'binary')
}

/** 32 bits of an item or id from byte `at`, little-endian, unsigned. */
export function laneAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
  return (low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
}

/** A text or a cut-off buffer would silently make summaries that never equal anyone's. @throws {RangeError} */
export function checkItem(bytes: Uint8Array): void {
  if (bytes.length !== ITEM_BYTES) throw new RangeError(`${ITEM_BYTES} bytes are expected, not ${bytes.length}`)
}
