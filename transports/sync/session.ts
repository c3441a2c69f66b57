import { randomBytes } from 'node:crypto'
import type { EntryId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { Item, Replica } from '../../crdt/replica/index.ts'
import {
  BLOOM_SEED_BYTES,
  createBloom,
  createDecoder,
  createEncoder,
  type Decoder,
  decodeBloom,
  decodeSymbols,
  encodeSymbols,
  equalDigests,
  itemsById,
  type Window,
} from '../../crdt/summary/index.ts'
import { type ExchangeCounts, exchange } from './exchange.ts'
import type { Link } from './link.ts'
import type { PeerMemory } from './peer-memory.ts'
import type { Message, Presence, Stand } from './wire.ts'

/**
 * The talk that makes two replicas equal. It goes in passes. In each both say where they stand; equal digests end it in
 * one round trip. Otherwise one of three steps brings them closer:
 * - `everything`: one side has nothing;
 * - `filter`: both know each other, so each sends a Bloom filter of what changed since their checkpoint, and gets what
 *   is not in it. False positives are left for the next pass;
 * - `symbols`: the exact difference, from coded symbols that the responder sends until the initiator has decoded them.
 * After `everything` or `symbols` each holds all that the other held when the pass began: that is proof, and both keep
 * the positions as their checkpoint.
 */
type Step = 'roster' | 'equal' | 'everything' | 'filter' | 'symbols'

/** Passes of one session: a filter, symbols in each of the four windows, and some for what is refused meanwhile. */
const MAX_PASSES = 8
/** Symbols in the responder's first block; each further one makes the whole four times as many. */
const FIRST_BLOCK = 256
const MAX_BLOCK = 64 * 1024
/** Bits for each item in a filter: one in a hundred is passed over, and found in the next pass. */
const BITS_PER_ITEM = 10

export interface SessionComponents {
  readonly replica: Pick<Replica, 'items' | 'itemsSince' | 'transfer'>
  readonly memory: PeerMemory
  readonly roster: {
    readonly version: string
    readonly records: readonly { readonly bytes: Uint8Array }[]
    /** Takes in records of the peer. @throws when this node or the peer is no member by them */
    merge(records: readonly Uint8Array[]): Promise<void>
  }
  readonly presence: {
    readonly mine: () => Presence
    /** Called with what the peer says in each pass. */
    readonly heard: (presence: Presence) => void
  }
  readonly counts: ExchangeCounts
  readonly onProgress: () => void
  /** Called when this side's stand is about to be read: what is committed from then on is not part of the pass. */
  readonly onStand: () => void
}

/** Begins a session. Resolves when both are proven equal. @throws {MeshError} `SYNC_INCOMPLETE`, `SYNC_UNDECIDED`, or the link's */
export async function initiate(components: SessionComponents, link: Link): Promise<void> {
  let attempt = 0
  let rostersTold = false
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const open = await standOf(components)
    await link.send({ type: 'open', ...open, ...components.presence.mine(), attempt })
    const answer = await link.expect('answer')
    components.presence.heard(answer)
    const step = stepOf(open, answer, { attempt, rostersTold })
    if (step === 'equal') return components.memory.proveEqual(open.at, answer.at)
    if (step === 'roster') {
      rostersTold = true
      await link.send(rosterMessage(components))
      await components.roster.merge((await link.expect('roster')).records)
      continue
    }
    const proven = await takeStep(step, components, link, { open, answer, attempt })
    if (proven) return components.memory.proveEqual(open.at, answer.at)
    attempt++
  }
  throw new MeshError('SYNC_UNDECIDED', `not equal after ${MAX_PASSES} passes; the next attempt goes on from here`)
}

/** Serves a session until the initiator closes it. Returns whether it ended in proven equality. */
export async function respond(components: SessionComponents, link: Link): Promise<boolean> {
  let proven = false
  let rostersTold = false
  for (;;) {
    const open = await link.receive('open')
    if (open === undefined) return proven
    components.presence.heard(open)
    const answer = await standOf(components)
    await link.send({ type: 'answer', ...answer, ...components.presence.mine() })
    const step = stepOf(open, answer, { attempt: open.attempt, rostersTold })
    if (step === 'roster') {
      rostersTold = true
      const { records } = await link.expect('roster')
      await components.roster.merge(records)
      await link.send(rosterMessage(components))
      continue
    }
    proven = step === 'equal' || (await serveStep(step, components, link, { open, answer, attempt: open.attempt }))
    if (proven) await components.memory.proveEqual(answer.at, open.at)
  }
}

interface Pass {
  readonly open: Stand
  readonly answer: Stand
  readonly attempt: number
}

/** Both sides come to the same step from the same two messages. */
function stepOf(open: Stand, answer: Stand, talk: { attempt: number; rostersTold: boolean }): Step {
  // Once in a talk: rosters that cannot be made equal must not keep entries from being exchanged.
  if (open.roster !== answer.roster && !talk.rostersTold) return 'roster'
  if (equalDigests(open.digest, answer.digest)) return 'equal'
  if (open.items === 0 || answer.items === 0) return 'everything'
  const [mine, theirs] = open.checkpoint
  const agreed = mine > 0 && mine === answer.checkpoint[1] && theirs === answer.checkpoint[0]
  return talk.attempt === 0 && agreed ? 'filter' : 'symbols'
}

async function takeStep(step: Step, components: SessionComponents, link: Link, pass: Pass): Promise<boolean> {
  switch (step) {
    case 'everything':
      return talk(components, link, pass.answer.items === 0 ? sharedIds(components) : [])
    case 'filter':
      await talk(components, link, await filtered(components, link, pass.open))
      return false
    default:
      return decodeAndTalk(components, link, windowOf(pass.attempt))
  }
}

async function serveStep(step: Step, components: SessionComponents, link: Link, pass: Pass): Promise<boolean> {
  switch (step) {
    case 'everything':
      return talk(components, link, pass.open.items === 0 ? sharedIds(components) : [])
    case 'filter':
      await talk(components, link, await filtered(components, link, pass.answer))
      return false
    default:
      return encodeAndTalk(components, link, windowOf(pass.attempt))
  }
}

/** Sends and takes entries. True when both took everything. @throws {MeshError} `SYNC_INCOMPLETE` */
async function talk(
  { replica, memory, counts, onProgress }: SessionComponents,
  link: Link,
  offered: Iterable<EntryId> | AsyncIterable<EntryId>,
): Promise<boolean> {
  const components = { replica, take: memory.take.bind(memory), onProgress }
  const { refused, incomplete } = await exchange(components, link, offered, counts)
  await memory.leaveOut(refused)
  if (incomplete > 0) {
    throw new MeshError(
      'SYNC_INCOMPLETE',
      `${incomplete} entries could not be opened or sent; they are tried again later`,
    )
  }
  return refused.length === 0
}

/** Exchanges filters of what changed since the checkpoint; gives the entries that the peer's has not. */
async function filtered({ replica, memory }: SessionComponents, link: Link, stand: Stand): Promise<EntryId[]> {
  const [since] = stand.checkpoint
  const all = await collect(replica.itemsSince(since), memory)
  const seed = randomBytes(BLOOM_SEED_BYTES)
  const mine = createBloom({ items: all.map(({ item }) => item), bitsPerItem: BITS_PER_ITEM, seed })
  // Both send at once: neither may wait for the other to read before it reads itself.
  const [answer] = await Promise.all([link.expect('filter'), link.send({ type: 'filter', filter: mine.encode() })])
  const theirs = decodeBloom(answer.filter)
  const own = await collect(replica.itemsSince(since, link.peer), memory)
  return own.filter(({ item }) => !theirs.has(item)).map(({ id }) => id)
}

async function decodeAndTalk(components: SessionComponents, link: Link, window: Window): Promise<boolean> {
  const items = await collect(components.replica.items(), components.memory)
  const decoder = createDecoder(
    items.map(({ item }) => item),
    window,
  )
  const difference = await decode(decoder, link)
  const exact = difference !== undefined
  await link.send({ type: 'found', exact, wanted: Buffer.concat(difference?.onlyThere ?? []) })
  const clean = await talk(components, link, idsOf(items, difference?.onlyHere ?? []))
  return clean && exact
}

/** The difference, or undefined when this window cannot give it. */
async function decode(decoder: Decoder, link: Link) {
  for (;;) {
    const { symbols } = await link.expect('symbols')
    try {
      if (decoder.push(decodeSymbols(symbols))) return decoder.difference
    } catch (error) {
      if (error instanceof MeshError && error.code === 'SYMBOLS_UNDECODABLE') return undefined
      throw error
    }
    await link.send({ type: 'more' })
  }
}

async function encodeAndTalk(components: SessionComponents, link: Link, window: Window): Promise<boolean> {
  const items = await collect(components.replica.items(), components.memory)
  const encoder = createEncoder(
    items.map(({ item }) => item),
    window,
  )
  let found: Extract<Message, { type: 'found' }> | undefined
  for (let sent = 0, block = FIRST_BLOCK; found === undefined; sent += block, block = Math.min(MAX_BLOCK, 3 * sent)) {
    await link.send({ type: 'symbols', symbols: encodeSymbols(encoder.symbols(sent, block)) })
    const message = await link.expect('more', 'found')
    if (message.type === 'found') found = message
  }
  const { exact, wanted } = found
  const ids = Array.from({ length: Math.floor(wanted.length / 8) }, (_, i) => wanted.subarray(8 * i, 8 * i + 8))
  const theirs = itemsById(
    items.map(({ item }) => item),
    window,
    ids,
  )
  const clean = await talk(components, link, idsOf(items, theirs))
  return clean && exact
}

async function standOf({ memory, roster, onStand }: SessionComponents): Promise<Stand> {
  onStand()
  return memory.stand(roster.version)
}

function rosterMessage({ roster }: SessionComponents): Message {
  return { type: 'roster', records: roster.records.map(({ bytes }) => bytes) }
}

async function collect(items: AsyncIterable<Item>, memory: PeerMemory): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) if (memory.takesPart(item)) collected.push(item)
  return collected
}

async function* sharedIds({ replica, memory }: SessionComponents): AsyncGenerator<EntryId> {
  for await (const item of replica.items()) if (memory.takesPart(item)) yield item.id
}

/** The entries whose items are among `some`. */
function idsOf(items: readonly Item[], some: readonly Uint8Array[]): EntryId[] {
  const wanted = new Set(some.map((item) => Buffer.from(item).toString('base64')))
  return items.filter(({ item }) => wanted.has(Buffer.from(item).toString('base64'))).map(({ id }) => id)
}

const windowOf = (attempt: number) => (attempt % 4) as Window
