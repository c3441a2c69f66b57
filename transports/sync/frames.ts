import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { parseEntryId } from '../../crdt/entry/index.ts'
import type { Transfer } from '../../crdt/replica/index.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../crdt/signing.ts'
import { withHeader, withoutHeader, wordAt } from './chunk-header.ts'
import { ColumnReader, ColumnWriter } from './columns.ts'

/** An entry, or a part of one that is too large for a frame: then all but the last part say `more`. */
export interface EntryPart extends Transfer {
  readonly more: boolean
}

// A frame of 4 MiB could hold hundreds of thousands of small things, each of which costs more than its bytes. So lists
// are bounded before anything is made of them.

/** Entries, or parts of entries, in a frame. */
export const MAX_PARTS = 4_096
/** Chunks in a frame: ten times what fits into one of the usual size, a change being at least some 50 bytes. */
const MAX_CHUNKS = 65_536
/** Bytes of a frame's entries when they are not compressed. */
const MAX_PLAIN_BYTES = 4 * 1024 * 1024
/** Fewer bytes than these hardly get smaller. */
const MIN_COMPRESSED_BYTES = 128

const PREFIX_BYTES = 4
/** An offered signature as it is packed. */
const KEY_END = PREFIX_BYTES + PUBLIC_KEY_BYTES
const PACKED_BYTES = KEY_END + SIGNATURE_BYTES
/** How far into a chunk a signature's prefix is looked for: a document's heads stand behind its actors. */
const PREFIX_REACH = 128

const MEMORY = 0
const SKILL = 1

/**
 * Entries as the body of a frame, in three sections: numbers and names in columns, contents of chunks, signatures. What
 * is alike stands side by side, and what does not compress stands apart. Its layout is in docs/protocol.md.
 */
export function encodeEntries(parts: readonly EntryPart[]): Uint8Array {
  const publicKeys = new Table()
  const scopes = new Table()
  const heads: number[] = []
  const shared: number[] = []
  const rests: Uint8Array[] = []
  const chunkCounts: number[] = []
  const chunkSizes: number[] = []
  const contents: Uint8Array[] = []
  const signatureCounts: number[] = []
  const signers: number[] = []
  const places: number[] = []
  const prefixes: Uint8Array[] = []
  const signatures: Uint8Array[] = []
  let before: Uint8Array = new Uint8Array()
  let place = 0
  for (const { id, chunks, signatures: packed, more } of parts) {
    const key = Buffer.from(id.key)
    const same = sharedBytes(before, key)
    before = key
    heads.push(scopes.indexOf(Buffer.from(id.scope)) * 4 + (id.kind === 'skill' ? SKILL : MEMORY) * 2 + Number(more))
    shared.push(same)
    rests.push(key.subarray(same))
    chunkCounts.push(chunks.length)
    for (const chunk of chunks) {
      const bare = withoutHeader(chunk)
      chunkSizes.push((bare ?? chunk).length * 2 + Number(bare !== undefined))
      contents.push(bare ?? chunk)
    }
    const count = Math.floor(packed.length / PACKED_BYTES)
    signatureCounts.push(count)
    const offered = new ColumnReader(packed)
    for (let i = 0; i < count; i++) {
      const prefix = offered.bytes(PREFIX_BYTES)
      place = placeOf(prefix, chunkOf(chunks, i), place)
      places.push(place)
      if (place === 0) prefixes.push(prefix)
      signers.push(publicKeys.indexOf(offered.bytes(PUBLIC_KEY_BYTES)))
      signatures.push(offered.bytes(SIGNATURE_BYTES))
    }
  }
  const names = new ColumnWriter()
  names.numbers([parts.length, publicKeys.values.length, scopes.values.length])
  names.numbers(scopes.values.map(sizeOf))
  for (const column of [heads, shared, rests.map(sizeOf), chunkCounts, signatureCounts]) names.numbers(column)
  for (const column of [chunkSizes, signers, places]) names.numbers(column)
  for (const column of [publicKeys.values, scopes.values, rests]) names.bytes(column)
  const body = new ColumnWriter()
  writeSection(body, names.end())
  writeSection(body, Buffer.concat(contents))
  body.bytes(prefixes)
  body.bytes(signatures)
  return body.end()
}

/** Undoes {@link encodeEntries}. @throws for anything else; never makes more than 4 MiB of a frame */
export function decodeEntries(body: Uint8Array): EntryPart[] {
  const sections = new ColumnReader(body)
  const names = new ColumnReader(readSection(sections, MAX_PLAIN_BYTES))
  const contents = new ColumnReader(readSection(sections, MAX_PLAIN_BYTES - names.left))
  const [count, keyCount, scopeCount] = [names.number(), names.number(), names.number()]
  if (count > MAX_PARTS) throw new RangeError('too many entries')
  const scopeSizes = names.numbers(scopeCount)
  const [heads, shared, restSizes] = [names.numbers(count), names.numbers(count), names.numbers(count)]
  const [chunkCounts, signatureCounts] = [names.numbers(count), names.numbers(count)]
  const [chunkCount, signatureCount] = [sum(chunkCounts), sum(signatureCounts)]
  if (chunkCount > MAX_CHUNKS) throw new RangeError('too many chunks')
  if (signatureCount * SIGNATURE_BYTES > sections.left) throw new RangeError('signatures end too early')
  const [chunkSizes, signers] = [names.numbers(chunkCount), names.numbers(signatureCount)]
  const places = names.numbers(signatureCount)
  if (keyCount * PUBLIC_KEY_BYTES > names.left) throw new RangeError('public keys end too early')
  const publicKeys = Array.from({ length: keyCount }, () => names.bytes(PUBLIC_KEY_BYTES))
  const scopes = Array.from(scopeSizes, (size) => asText(names.bytes(size)))
  const prefixes = new ColumnReader(sections.bytes(places.filter((place) => place === 0).length * PREFIX_BYTES))
  let [key, chunkAt, signatureAt]: [Uint8Array, number, number] = [new Uint8Array(), 0, 0]

  const readChunk = () => {
    const size = at(chunkSizes, chunkAt++)
    const bytes = contents.bytes(size >>> 1)
    return size % 2 === 1 ? withHeader(bytes) : new Uint8Array(bytes)
  }
  const readSignatures = (many: number, chunks: readonly Uint8Array[]) => {
    const packed = new Uint8Array(many * PACKED_BYTES)
    for (let i = 0; i < many; i++, signatureAt++) {
      const signer = publicKeys[at(signers, signatureAt)]
      const place = at(places, signatureAt)
      if (signer === undefined) throw new RangeError('a signature by a key that is not listed')
      const prefix = place === 0 ? prefixes.bytes(PREFIX_BYTES) : prefixAt(chunkOf(chunks, i), place)
      packed.set(prefix, i * PACKED_BYTES)
      packed.set(signer, i * PACKED_BYTES + PREFIX_BYTES)
      packed.set(sections.bytes(SIGNATURE_BYTES), i * PACKED_BYTES + KEY_END)
    }
    return packed
  }
  const parts = Array.from(heads, (head, i): EntryPart => {
    if (at(shared, i) > key.length) throw new RangeError('a key shares too much')
    key = joined(key.subarray(0, at(shared, i)), names.bytes(at(restSizes, i)))
    const id = parseEntryId((head >>> 1) % 2 === SKILL ? 'skill' : 'memory', scopes[head >>> 2], asText(key))
    const chunks = Array.from({ length: at(chunkCounts, i) }, readChunk)
    const signatures = readSignatures(at(signatureCounts, i), chunks)
    const more = head % 2 === 1
    if (more && chunks.length + signatures.length === 0) throw new RangeError('an empty part')
    return { id, chunks, signatures, more }
  })
  for (const reader of [names, contents, sections]) reader.end()
  return parts
}

/** Values that a frame says once, and a number for each. */
class Table {
  readonly values: Uint8Array[] = []
  readonly #numbers = new Map<string, number>()
  #last = 0

  indexOf(value: Uint8Array): number {
    const last = this.values[this.#last]
    if (last?.length === value.length && sharedBytes(last, value) === value.length) return this.#last
    const name = Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
    this.#last = this.#numbers.get(name) ?? this.values.push(value) - 1
    this.#numbers.set(name, this.#last)
    return this.#last
  }
}

function writeSection(body: ColumnWriter, plain: Uint8Array): void {
  const packed = plain.length < MIN_COMPRESSED_BYTES ? plain : zstdCompressSync(plain)
  const isSmaller = packed.length < plain.length
  const stored = isSmaller ? packed : plain
  body.numbers([stored.length * 2 + Number(isSmaller)])
  body.bytes([stored])
}

/** @param most bytes that it may have when it is not compressed */
function readSection(body: ColumnReader, most: number): Uint8Array {
  const head = body.number()
  const stored = body.bytes(head >>> 1)
  if (head % 2 === 1) return decompress(stored, Math.max(most, 1))
  if (stored.length > most) throw new RangeError('too many bytes')
  return stored
}

function decompress(stored: Uint8Array, most: number): Uint8Array {
  const options = { maxOutputLength: most, info: true }
  const { buffer, engine } = zstdDecompressSync(stored, options) as unknown as Inflated
  // What stands behind the end Node passes over.
  if (engine.bytesWritten !== stored.length) throw new RangeError('compressed bytes with something behind them')
  return buffer
}

/** What Node's compression gives with `info`. */
interface Inflated {
  readonly buffer: Uint8Array
  readonly engine: { readonly bytesWritten: number }
}

/** The chunk in which a signature's prefix is looked for: changes and their signatures come in one order. */
const chunkOf = (chunks: readonly Uint8Array[], signature: number) => chunks[Math.min(signature, chunks.length - 1)]

/** Where in a chunk a prefix stands, counted from 1; 0 for nowhere near its beginning. @param guess tried first */
function placeOf(prefix: Uint8Array, chunk: Uint8Array | undefined, guess: number): number {
  const word = wordAt(prefix, 0)
  const last = Math.min(PREFIX_REACH, (chunk?.length ?? 0) - PREFIX_BYTES + 1)
  if (chunk === undefined || last < 1) return 0
  if (guess > 0 && guess <= last && wordAt(chunk, guess - 1) === word) return guess
  for (let place = 1; place <= last; place++) if (wordAt(chunk, place - 1) === word) return place
  return 0
}

function prefixAt(chunk: Uint8Array | undefined, place: number): Uint8Array {
  const prefix = chunk?.subarray(place - 1, place - 1 + PREFIX_BYTES)
  if (prefix?.length !== PREFIX_BYTES) throw new RangeError('a prefix beyond its chunk')
  return prefix
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let shared = 0
  while (shared < most && a[shared] === b[shared]) shared++
  return shared
}

const at = (column: Uint32Array, i: number) => column[i] as number
const sum = (column: Uint32Array) => column.reduce((all, one) => all + one, 0)
const sizeOf = (bytes: Uint8Array) => bytes.length
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const asText = (bytes: Uint8Array) => fromUtf8.decode(bytes)
