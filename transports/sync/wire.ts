import { decode, encode } from 'cborg'
import { type EntryId, parseEntryId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import { WINDOWS, type Window } from '../../crdt/summary/index.ts'
import { decodeEntries, type EntryPart, encodeEntries } from './frames.ts'
import { decodeShortIds, encodeShortIds } from './short-ids.ts'

/**
 * Messages between two members, each one frame: a CBOR array of its number on the channel, its
 * type and its fields. The protocol's version stands
 * in the protocol ids; a peer that knows none of ours is told apart from one that breaks the rules.
 */
export const PROTOCOLS = {
  hello: '/openclaw-mesh/hello/1',
  roster: '/openclaw-mesh/roster/1',
  session: '/openclaw-mesh/session/2',
  push: '/openclaw-mesh/push/2',
  join: '/openclaw-mesh/join/1',
} as const

// A frame of 4 MiB could hold hundreds of thousands of small things, each of which costs more than its bytes. So lists
// are bounded before anything is made of them.

/** Roster records in a frame: more than a log holds, and verified in 0.2 s. */
export const MAX_RECORDS = 3_000
/** Refused entries that are named; of more the next pass tells. */
export const MAX_HELD = 10_000
/** Members of whom addresses are told, and addresses of one. */
export const MAX_BOOK = 256
export const MAX_ADDRESSES = 64

/** Where a replica stands when a pass of a session begins. */
export interface Stand {
  /** Feed position. */
  readonly at: number
  /** 32 bytes: sum of the items in the scopes that both may read. */
  readonly digest: Uint8Array
  readonly items: number
  /** 16 hex characters. */
  readonly roster: string
  /** The checkpoint with this peer: own position and the peer's; zeros for none. */
  readonly checkpoint: readonly [mine: number, theirs: number]
}

/** Peers that a push says it goes to as well. */
export const MAX_TOLD = 64
/** A peer's tag in a push: the first bytes of SHA-256 of its peer id, as hex. */
export const PEER_TAG_BYTES = 4
const PEER_TAG = /.{8}/g

/** From which start of a daemon somebody speaks; see `CloneWatch`. */
export interface Presence {
  /** Random for each start of the process, 16 hex characters. */
  readonly boot: string
  /** Whether the speaker has seen another machine speak with the listener's key. */
  readonly cloned: boolean
}

/** How the initiator wants a pass to go, by what the passes before came to. */
export interface Manner {
  /** Which window of the items symbols are of: the next one after one in which two items shared an id. */
  readonly window: Window
  /** Whether entries that both have in different versions travel whole: parts did not fit. */
  readonly whole: boolean
}

/** What one side did with the entries that it was sent. */
export interface Held {
  /** Entries refused by rule. */
  readonly refused: readonly EntryId[]
  /** Entries that could not be opened now and are asked for again later. */
  readonly incomplete: number
  /** Entries of which only a part was sent that does not fit what the receiver has: they come whole in the next pass. */
  readonly unfit: number
}

/** Ids of items; what arrives is cut to short ids. */
type Ids = readonly Uint8Array[]

export type Message =
  | {
      readonly type: 'hello'
      readonly name: string
      readonly version: string
      readonly database: string
      readonly addresses: readonly string[]
      readonly book: readonly (readonly [peer: string, addresses: readonly string[]])[]
    }
  | { readonly type: 'roster'; readonly records: readonly Uint8Array[] }
  | ({ readonly type: 'open' } & Stand & Presence & Manner)
  | ({ readonly type: 'answer' } & Stand & Presence)
  | { readonly type: 'filter'; readonly filter: Uint8Array }
  | { readonly type: 'symbols'; readonly symbols: Uint8Array }
  | { readonly type: 'more'; readonly count: number }
  | { readonly type: 'since' }
  | { readonly type: 'sieve'; readonly bits: number }
  | { readonly type: 'sift'; readonly filter: Uint8Array; readonly count: number }
  | { readonly type: 'sifted'; readonly ids: Ids; readonly more: boolean }
  | { readonly type: 'found'; readonly exact: boolean; readonly lacking: Ids; readonly behind: Ids }
  | { readonly type: 'entries'; readonly entries: readonly EntryPart[] }
  | { readonly type: 'end' }
  | { readonly type: 'busy' }
  | { readonly type: 'push'; readonly entries: readonly EntryPart[]; readonly told: readonly string[] }
  | ({ readonly type: 'held' } & Held)
  | {
      readonly type: 'join'
      readonly meshId: string
      readonly secret: Uint8Array
      readonly name: string
      readonly addresses: readonly string[]
    }
  | { readonly type: 'welcome'; readonly meshId: string; readonly records: readonly Uint8Array[] }
  | {
      readonly type: 'refused'
      readonly code: string
      readonly message: string
      readonly field: string
      readonly hint: string
    }

export type MessageType = Message['type']

/** @param number of the message on its channel, from 0 */
export function encodeMessage(number: number, message: Message): Uint8Array {
  return encode([number, message.type, ...fields(message)])
}

function fields(m: Message): unknown[] {
  switch (m.type) {
    case 'hello':
      return [m.name, m.version, m.database, m.addresses, m.book]
    case 'roster':
      return [m.records]
    case 'open':
      return [...standFields(m), m.window, m.whole]
    case 'answer':
      return standFields(m)
    case 'filter':
      return [m.filter]
    case 'symbols':
      return [m.symbols]
    case 'found':
      return [m.exact, encodeShortIds(m.lacking), encodeShortIds(m.behind)]
    case 'entries':
      return [encodeEntries(m.entries)]
    case 'push':
      return [encodeEntries(m.entries), Buffer.from(m.told.join(''), 'hex')]
    case 'held':
      return [m.refused.map((id) => [id.kind === 'memory' ? 0 : 1, id.scope, id.key]), m.incomplete, m.unfit]
    case 'join':
      return [m.meshId, m.secret, m.name, m.addresses]
    case 'welcome':
      return [m.meshId, m.records]
    case 'refused':
      return [m.code, m.message, m.field, m.hint]
    case 'more':
      return [m.count]
    case 'sieve':
      return [m.bits]
    case 'sift':
      return [m.filter, m.count]
    case 'sifted':
      return [encodeShortIds(m.ids), m.more]
    case 'since':
    case 'end':
    case 'busy':
      return []
  }
}

const standFields = ({ at, digest, items, roster, checkpoint, boot, cloned }: Stand & Presence) => [
  at,
  digest,
  items,
  Buffer.from(roster, 'hex'),
  ...checkpoint,
  Buffer.from(boot, 'hex'),
  cloned,
]

/** Reads a frame. @throws {MeshError} `MESSAGE_INVALID` for anything that {@link encodeMessage} would not write */
export function decodeMessage(frame: Uint8Array): { number: number; message: Message } {
  try {
    const [number, type, ...rest] = asList(decode(frame, { rejectDuplicateMapKeys: true }))
    return { number: asCount(number), message: parse(type as MessageType, rest) }
  } catch (cause) {
    throw new MeshError('MESSAGE_INVALID', `a message that cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function parse(type: MessageType, f: readonly unknown[]): Message {
  switch (type) {
    case 'hello':
      return {
        type,
        name: asText(f[0]),
        version: asText(f[1]),
        database: asText(f[2]),
        addresses: asTexts(f[3]),
        book: asList(f[4], MAX_BOOK).map((one) => [asText(asList(one)[0]), asTexts(asList(one)[1])] as const),
      }
    case 'roster':
      return { type, records: asList(f[0], MAX_RECORDS).map(asBytes) }
    case 'open':
      return { type, ...parseStand(f), window: asWindow(f[8]), whole: f[9] === true }
    case 'answer':
      return { type, ...parseStand(f) }
    case 'filter':
      return { type, filter: asBytes(f[0]) }
    case 'symbols':
      return { type, symbols: asBytes(f[0]) }
    case 'found':
      return { type, exact: f[0] === true, lacking: asIds(f[1]), behind: asIds(f[2]) }
    case 'entries':
      return { type, entries: decodeEntries(asBytes(f[0])) }
    case 'push':
      return { type, entries: decodeEntries(asBytes(f[0])), told: asPeerTags(asBytes(f[1])) }
    case 'held': {
      const refused = asList(f[0], MAX_HELD).map((one) => parseId(asList(one)))
      return { type, refused, incomplete: asCount(f[1]), unfit: asCount(f[2]) }
    }
    case 'join':
      return { type, meshId: asText(f[0]), secret: asBytes(f[1]), name: asText(f[2]), addresses: asTexts(f[3]) }
    case 'welcome':
      return { type, meshId: asText(f[0]), records: asList(f[1], MAX_RECORDS).map(asBytes) }
    case 'refused':
      return { type, code: asText(f[0]), message: asText(f[1]), field: asText(f[2]), hint: asText(f[3]) }
    case 'more':
      return { type, count: asCount(f[0]) }
    case 'sieve':
      return { type, bits: asCount(f[0]) }
    case 'sift':
      return { type, filter: asBytes(f[0]), count: asCount(f[1]) }
    case 'sifted':
      return { type, ids: asIds(f[0]), more: f[1] === true }
    case 'since':
    case 'end':
    case 'busy':
      return { type }
    default:
      throw new TypeError('an unknown type')
  }
}

function parseStand(f: readonly unknown[]): Stand & Presence {
  const digest = asBytes(f[1])
  const roster = asBytes(f[3])
  const boot = asBytes(f[6])
  if (digest.length !== 32 || roster.length !== 8 || boot.length !== 8) throw new TypeError('a field of the wrong size')
  return {
    at: asCount(f[0]),
    digest,
    items: asCount(f[2]),
    roster: Buffer.from(roster).toString('hex'),
    checkpoint: [asCount(f[4]), asCount(f[5])],
    boot: Buffer.from(boot).toString('hex'),
    cloned: f[7] === true,
  }
}

const parseId = (f: readonly unknown[]) => parseEntryId(f[0] === 0 ? 'memory' : 'skill', f[1], f[2])

function asList(value: unknown, most = Number.POSITIVE_INFINITY): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError('a list was expected')
  if (value.length > most) throw new TypeError(`a list of ${value.length}, at most ${most}`)
  return value
}

function asBytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError('bytes were expected')
  return value
}

function asText(value: unknown): string {
  if (typeof value !== 'string' || value.length > 1_024) throw new TypeError('a short text was expected')
  return value
}

function asPeerTags(bytes: Uint8Array): readonly string[] {
  if (bytes.length > MAX_TOLD * PEER_TAG_BYTES) throw new TypeError('too many peers')
  const text = Buffer.from(bytes).toString('hex')
  return text.match(PEER_TAG) ?? []
}

function asWindow(value: unknown): Window {
  const window = WINDOWS.find((one) => one === value)
  if (window === undefined) throw new TypeError('an unknown window')
  return window
}

const asIds = (value: unknown) => decodeShortIds(asBytes(value))
const asTexts = (value: unknown) => asList(value, MAX_ADDRESSES).map(asText)

function asCount(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError('a count was expected')
  return value as number
}
