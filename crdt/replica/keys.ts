import type { EntryId, Kind, Scope } from '../entry/index.ts'

/**
 * Layout of the database. One letter says what a key is:
 * `e` entry (row and version), `d` document and signatures, `i` item of a shared entry, `f` feed, `g` digest of a scope,
 * `t` what will expire, by its time, `m` the database itself, `x` side records of other parts (roster, checkpoints, addresses, tickets).
 * Entry keys are letter, kind, scope, NUL, key: so all of a scope lies together, in order of key. No scope holds a NUL.
 */
const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder('utf-8', { fatal: true })

const ITEM = Buffer.from('i')
const NUL = Buffer.of(0)
const FEED = Buffer.from('f')
const EXPIRY = Buffer.from('t')

const KIND_LETTER = { memory: 'm', skill: 's' } as const satisfies Record<Kind, string>

export const entryKey = (id: EntryId) => utf8.encode(`e${KIND_LETTER[id.kind]}${id.scope}\0${id.key}`)
export const documentKey = (id: EntryId) => utf8.encode(`d${KIND_LETTER[id.kind]}${id.scope}\0${id.key}`)
/** Where what commits appended to a document lies: behind it, by the feed position of the last. No key holds a NUL. */
export const tailKey = (id: EntryId, position: number) => Buffer.concat([documentKey(id), NUL, numbered(position)])
export const digestKey = (scope: Scope) => utf8.encode(`g${scope}`)
export const metaKey = (name: 'database' | 'mesh' | 'counts' | 'adoption' | 'symbols') => utf8.encode(`m${name}`)
export const sideKey = (namespace: string, key: string) => utf8.encode(`x${namespace}\0${key}`)

/** Item keys begin with the entry's tag, by which a peer asks for it; so many bytes of its subject name it alone. */
const ITEM_KEY_SUBJECT_BYTES = 12

/** @param subject see `subjectOf` */
export const itemKey = (subject: Uint8Array) => Buffer.concat([ITEM, subject.subarray(0, ITEM_KEY_SUBJECT_BYTES)])

/** The feed position in a {@link tailKey}. */
export const parseTailKey = (key: Uint8Array) => numberAt(key, key.length - 8)

/** The entry that an {@link entryKey} or a {@link documentKey} names. */
export function parseEntryKey(key: Uint8Array): EntryId {
  const text = fromUtf8.decode(key)
  const kind = text[1] === KIND_LETTER.memory ? 'memory' : 'skill'
  const end = text.indexOf('\0')
  return { kind, scope: text.slice(2, end) as Scope, key: text.slice(end + 1) }
}

/** The text after the namespace of a {@link sideKey}, or the scope of a {@link digestKey}. */
export function parseKeyTail(key: Uint8Array, prefix: Uint8Array): string {
  return fromUtf8.decode(key.subarray(prefix.length))
}

/** Feed keys sort by number: 8 bytes, big-endian. */
export function feedKey(seq: number): Uint8Array {
  return Buffer.concat([FEED, numbered(seq)])
}

export function parseFeedKey(key: Uint8Array): number {
  return numberAt(key, 1)
}

/** @param at Unix seconds */
export const expiryKey = (at: number, id: EntryId) => Buffer.concat([EXPIRY, numbered(at), entryKey(id)])
export const parseExpiryKey = (key: Uint8Array) => ({ at: numberAt(key, 1), id: parseEntryKey(key.subarray(9)) })

function numbered(number: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeUInt32BE(Math.floor(number / 2 ** 32))
  bytes.writeUInt32BE(number % 2 ** 32, 4)
  return bytes
}

function numberAt(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at))
}

/** A half-open range of keys. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** All keys that begin with `prefix`, which has a byte below 0xff. */
export function startingWith(prefix: Uint8Array): KeyRange {
  // A copy, also of a Buffer, whose own `slice` makes none.
  const end = Uint8Array.from(prefix.subarray(0, prefix.findLastIndex((byte) => byte < 0xff) + 1))
  const last = end.length - 1
  end[last] = (end[last] as number) + 1
  return { gte: prefix, lt: end }
}

/** Entries of a kind, or of one scope of it, or of it with keys that begin with `prefix`. */
export function entryRange(kind: Kind, scope?: Scope, prefix = ''): KeyRange {
  const head = `e${KIND_LETTER[kind]}`
  return startingWith(utf8.encode(scope === undefined ? head : `${head}${scope}\0${prefix}`))
}

/** Items of all shared entries, or of those with a tag. */
export const itemRange = (tag: Uint8Array = new Uint8Array()) => startingWith(Buffer.concat([ITEM, tag]))
/** Documents of all entries of a kind, with their tails. */
export const documentsRange = (kind: Kind) => startingWith(utf8.encode(`d${KIND_LETTER[kind]}`))

/** An entry's {@link documentKey}, then its {@link tailKey}s in order. */
export const documentRange = (id: EntryId): KeyRange => {
  const key = documentKey(id)
  return { gte: key, lt: Buffer.concat([key, Buffer.of(1)]) }
}

/** All there is: keys begin with a letter. */
export const everything: KeyRange = { gte: new Uint8Array(), lt: Buffer.of(0xff) }
/** All that will expire, soonest first. */
export const expiryRange = startingWith(EXPIRY)
export const digestRange = startingWith(utf8.encode('g'))
export const sideRange = (namespace: string) => startingWith(utf8.encode(`x${namespace}\0`))
export const feedRange = (after: number, until: number): KeyRange => ({
  gte: feedKey(after + 1),
  lt: feedKey(until + 1),
})
