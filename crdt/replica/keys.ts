import type { EntryId, Kind, Scope } from '../entry/index.ts'

/**
 * Layout of the database. One letter says what a key is:
 * `e` entry (row and version), `d` document and signatures, `f` feed, `g` digest of a scope, `m` the database itself,
 * `x` side records of other parts (roster, checkpoints, addresses, tickets).
 * Entry keys are letter, kind, scope, NUL, key: so all of a scope lies together, in order of key. No scope holds a NUL.
 */
const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder('utf-8', { fatal: true })

const KIND_LETTER = { memory: 'm', skill: 's' } as const satisfies Record<Kind, string>

export const entryKey = (id: EntryId) => utf8.encode(`e${KIND_LETTER[id.kind]}${id.scope}\0${id.key}`)
export const documentKey = (id: EntryId) => utf8.encode(`d${KIND_LETTER[id.kind]}${id.scope}\0${id.key}`)
export const digestKey = (scope: Scope) => utf8.encode(`g${scope}`)
export const metaKey = (name: 'database' | 'mesh' | 'counts' | 'adoption') => utf8.encode(`m${name}`)
export const sideKey = (namespace: string, key: string) => utf8.encode(`x${namespace}\0${key}`)

/** The entry that an {@link entryKey} names. */
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
  const key = new Uint8Array(9)
  key[0] = 0x66
  new DataView(key.buffer).setBigUint64(1, BigInt(seq))
  return key
}

export function parseFeedKey(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset).getBigUint64(1))
}

/** A half-open range of keys. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** All keys that begin with `prefix`, which does not end in 0xff. */
export function startingWith(prefix: Uint8Array): KeyRange {
  const end = prefix.slice()
  const last = end.length - 1
  end[last] = (end[last] as number) + 1
  return { gte: prefix, lt: end }
}

/** Entries of a kind, or of one scope of it, or of it with keys that begin with `prefix`. */
export function entryRange(kind: Kind, scope?: Scope, prefix = ''): KeyRange {
  const head = `e${KIND_LETTER[kind]}`
  return startingWith(utf8.encode(scope === undefined ? head : `${head}${scope}\0${prefix}`))
}

export const digestRange = startingWith(utf8.encode('g'))
export const sideRange = (namespace: string) => startingWith(utf8.encode(`x${namespace}\0`))
export const feedRange = (after: number, until: number): KeyRange => ({
  gte: feedKey(after + 1),
  lt: feedKey(until + 1),
})
