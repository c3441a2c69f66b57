import { TAG_BYTES } from '../../crdt/summary/index.ts'

/**
 * Lists of ids for a peer that has the items, or other versions of them: the tag and three bytes of the version tell
 * them apart. That one version of an entry is taken for another happens once in 16 million times; the changes that are
 * then sent do not fit, and the entry travels whole.
 */
export const SHORT_ID_BYTES = 7

const VERSION_BYTES = SHORT_ID_BYTES - TAG_BYTES
/** Of an id in a long list: seldom are two tags further apart than three bytes of a varint. */
export const LISTED_BYTES = 3 + VERSION_BYTES
const MAX_VARINT_BYTES = 5
const MAX_TAG = 2 ** 32 - 1
/** Ids in one list. */
const MAX_IDS = 2 ** 19

export function equalShortIds(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < SHORT_ID_BYTES; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * Ids in order, each as how far its tag (big-endian) is from the one before (LEB128, the first from 0) and three bytes
 * of the version. They are {@link SHORT_ID_BYTES} long or longer; what is beyond is left out.
 */
export function encodeShortIds(ids: readonly Uint8Array[]): Uint8Array {
  // What is nearly in order is put in order by few comparisons.
  const sorted = sortByTag(ids).sort(Buffer.compare)
  const bytes = Buffer.allocUnsafe(sorted.length * (MAX_VARINT_BYTES + VERSION_BYTES))
  let at = 0
  let before = 0
  for (const id of sorted) {
    const tag = tagOf(id)
    let rest = tag - before
    before = tag
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80
    bytes[at++] = rest
    for (let i = TAG_BYTES; i < SHORT_ID_BYTES; i++) bytes[at++] = id[i] as number
  }
  // A copy: what was too much is given back.
  return Uint8Array.prototype.slice.call(bytes, 0, at)
}

/** Undoes {@link encodeShortIds}: ids of {@link SHORT_ID_BYTES} bytes, in order. @throws for anything else */
export function decodeShortIds(bytes: Uint8Array): Uint8Array[] {
  const ids: Uint8Array[] = []
  let at = 0
  let tag = 0
  while (at < bytes.length) {
    let factor = 1
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined) throw new TypeError('a torn id')
      tag += (byte & 0x7f) * factor
      if (tag > MAX_TAG) throw new TypeError('a tag beyond 32 bits')
      if (byte < 0x80) break
      factor *= 0x80
    }
    if (at + VERSION_BYTES > bytes.length) throw new TypeError('a torn id')
    const id = new Uint8Array(SHORT_ID_BYTES)
    for (let i = 0, rest = tag; i < TAG_BYTES; i++, rest = Math.floor(rest / 0x100))
      id[TAG_BYTES - 1 - i] = rest % 0x100
    id.set(bytes.subarray(at, at + VERSION_BYTES), TAG_BYTES)
    at += VERSION_BYTES
    if (ids.push(id) > MAX_IDS) throw new TypeError('too many ids')
  }
  return ids
}

/** Ids in order of their tags; at most 2 million. As numbers they are sorted many times as fast as by comparing bytes. */
export function sortByTag(ids: readonly Uint8Array[]): Uint8Array[] {
  const { length } = ids
  const places = Float64Array.from(ids, (id, i) => tagOf(id) * length + i).sort()
  return Array.from(places, (place) => ids[place % length] as Uint8Array)
}

/** The tag as a number, big-endian. */
export const tagOf = (id: Uint8Array): number =>
  (id[0] as number) * 2 ** 24 + (((id[1] as number) << 16) | ((id[2] as number) << 8) | (id[3] as number))
