import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { decode, encode } from 'cborg'
import { parseEntryId } from '../../crdt/entry/index.ts'
import type { Transfer } from '../../crdt/replica/index.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../crdt/signing.ts'

/** An entry, or a part of one that is too large for a frame: then all but the last part say `more`. */
export interface EntryPart extends Transfer {
  readonly more: boolean
}

// A frame of 4 MiB could hold hundreds of thousands of small things, each of which costs more than its bytes. So lists
// are bounded before anything is made of them.

/** Entries, or parts of entries, in a frame. */
export const MAX_PARTS = 4_096
/** Bytes of a frame's entries when they are not compressed. */
const MAX_PLAIN_BYTES = 4 * 1024 * 1024
/** Fewer bytes than these do not get smaller. */
const MIN_COMPRESSED_BYTES = 512

const PREFIX_BYTES = 4
const KEY_INDEX_BYTES = 2
/** An offered signature as it is packed, and as it stands in a frame: there the key is a number in the frame's list. */
const PACKED_BYTES = PREFIX_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES
const FRAMED_BYTES = PREFIX_BYTES + KEY_INDEX_BYTES + SIGNATURE_BYTES

const MEMORY = 0
const SKILL = 1

/**
 * Entries as the body of a frame: a byte that says whether the rest is compressed (1, Zstandard) or not (0), and CBOR of
 * `[public keys, scopes, entries]`. An entry is `[scope × 4 + skill × 2 + more, shared, rest, chunks, signatures]`: a
 * number into the scopes, and its key as how many bytes it shares with the key before and what follows them.
 */
export function encodeEntries(parts: readonly EntryPart[]): Uint8Array {
  const keys = new Table()
  const scopes = new Table()
  let before = new Uint8Array()
  const entries = parts.map(({ id, chunks, signatures, more }) => {
    const key = Buffer.from(id.key)
    const shared = sharedBytes(before, key)
    before = key
    const scope = scopes.indexOf(Buffer.from(id.scope))
    const head = scope * 4 + (id.kind === 'skill' ? SKILL : MEMORY) * 2 + Number(more)
    return [head, shared, key.subarray(shared), chunks, frameSignatures(signatures, keys)]
  })
  const plain = encode([keys.values, scopes.values, entries])
  if (plain.length < MIN_COMPRESSED_BYTES) return Buffer.concat([Buffer.of(0), plain])
  return Buffer.concat([Buffer.of(1), zstdCompressSync(plain)])
}

/** Undoes {@link encodeEntries}. @throws for anything else; never makes more than 4 MiB of a frame */
export function decodeEntries(body: Uint8Array): EntryPart[] {
  const rest = body.subarray(1)
  const plain = body[0] === 1 ? zstdDecompressSync(rest, { maxOutputLength: MAX_PLAIN_BYTES }) : rest
  const [keys, scopes, entries] = asLists(decode(plain, { rejectDuplicateMapKeys: true }))
  const publicKeys = keys?.map((key) => asBytes(key, PUBLIC_KEY_BYTES)) ?? []
  const names = scopes?.map((scope) => asText(scope)) ?? []
  if (entries === undefined || entries.length > MAX_PARTS) throw new TypeError('too many entries, or none')
  let before = new Uint8Array()
  return entries.map((entry) => {
    const [head, shared, suffix, chunks, signatures] = entry as [unknown, unknown, unknown, unknown, unknown]
    if (!Number.isSafeInteger(head) || !Number.isSafeInteger(shared)) throw new TypeError('a number was expected')
    if ((shared as number) < 0 || (shared as number) > before.length) throw new TypeError('a key shares too much')
    before = Buffer.concat([before.subarray(0, shared as number), asBytes(suffix)])
    const kind = ((head as number) >> 1) % 2 === SKILL ? 'skill' : 'memory'
    const id = parseEntryId(kind, names[Math.floor((head as number) / 4)], asText(before))
    if (!Array.isArray(chunks)) throw new TypeError('a list was expected')
    const part = {
      id,
      chunks: chunks.map((chunk) => asBytes(chunk)),
      signatures: packSignatures(asBytes(signatures), publicKeys),
      more: (head as number) % 2 === 1,
    }
    if (part.more && part.chunks.length + part.signatures.length === 0) throw new TypeError('an empty part')
    return part
  })
}

/** Values that a frame says once, and a number for each. */
class Table {
  readonly values: Uint8Array[] = []
  readonly #numbers = new Map<string, number>()

  indexOf(value: Uint8Array): number {
    const name = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
    const number = this.#numbers.get(name) ?? this.values.push(value) - 1
    this.#numbers.set(name, number)
    return number
  }
}

function frameSignatures(packed: Uint8Array, keys: Table): Uint8Array {
  const count = Math.floor(packed.length / PACKED_BYTES)
  const framed = Buffer.allocUnsafe(count * FRAMED_BYTES)
  for (let i = 0; i < count; i++) {
    const one = packed.subarray(i * PACKED_BYTES, (i + 1) * PACKED_BYTES)
    const at = i * FRAMED_BYTES
    framed.set(one.subarray(0, PREFIX_BYTES), at)
    const key = keys.indexOf(one.subarray(PREFIX_BYTES, PREFIX_BYTES + PUBLIC_KEY_BYTES))
    framed.writeUInt16BE(key, at + PREFIX_BYTES)
    framed.set(one.subarray(PREFIX_BYTES + PUBLIC_KEY_BYTES), at + PREFIX_BYTES + KEY_INDEX_BYTES)
  }
  return framed
}

function packSignatures(framed: Uint8Array, keys: readonly Uint8Array[]): Uint8Array {
  if (framed.length % FRAMED_BYTES !== 0) throw new TypeError('a torn signature')
  const count = framed.length / FRAMED_BYTES
  const packed = new Uint8Array(count * PACKED_BYTES)
  for (let i = 0; i < count; i++) {
    const one = framed.subarray(i * FRAMED_BYTES, (i + 1) * FRAMED_BYTES)
    const key = keys[((one[PREFIX_BYTES] as number) << 8) | (one[PREFIX_BYTES + 1] as number)]
    if (key === undefined) throw new TypeError('a signature by a key that is not listed')
    packed.set(one.subarray(0, PREFIX_BYTES), i * PACKED_BYTES)
    packed.set(key, i * PACKED_BYTES + PREFIX_BYTES)
    packed.set(one.subarray(PREFIX_BYTES + KEY_INDEX_BYTES), i * PACKED_BYTES + PREFIX_BYTES + PUBLIC_KEY_BYTES)
  }
  return packed
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let shared = 0
  while (shared < most && a[shared] === b[shared]) shared++
  return shared
}

function asLists(value: unknown): readonly (readonly unknown[])[] {
  if (!Array.isArray(value) || !value.every(Array.isArray)) throw new TypeError('lists were expected')
  return value as readonly (readonly unknown[])[]
}

function asBytes(value: unknown, length?: number): Uint8Array<ArrayBuffer> {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
    throw new TypeError('bytes were expected')
  }
  return value as Uint8Array<ArrayBuffer>
}

const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const asText = (value: unknown) => fromUtf8.decode(asBytes(value))
