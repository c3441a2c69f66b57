import { MeshError } from '../../crdt/errors.ts'
import { type Item, type ItemFinder, keptSymbols, type News } from '../../crdt/replica/index.ts'
import {
  createDecoder,
  type Decoder,
  type Difference,
  decodeSymbols,
  encodeSymbols,
  idOf,
  type SymbolPrefix,
  TAG_BYTES,
  type Window,
} from '../../crdt/summary/index.ts'
import { exchangeSieve, exchangeSince, sinceBytes } from './filters.ts'
import { createPacer, createWorkPacer } from './pacer.ts'
import { inTurn, type Outcome, type Pass, type Reading, sortByName, talk } from './pass.ts'
import { equalShortIds, sortByTag, tagOf } from './short-ids.ts'
import { answerSift, cheapestSift, sift } from './sift.ts'
import type { Message, Stand } from './wire.ts'

/**
 * The exact difference, from coded symbols. The responder sends some; the initiator asks for as many more as it takes,
 * or, where something else is cheaper for so many differences, for that. What both have in two versions goes over as the
 * changes since the older one, which the side that is ahead knows by its id.
 */

/** The responder's first symbols: enough for 150 differences, and to estimate how many more there are. */
const FIRST_SYMBOLS = 256
const FEWEST_SYMBOLS = 32
/** Symbols for each difference, beyond what decoding needs on average (1.35 to 1.45): seldom is a further block due. */
const SYMBOLS_PER_DIFFERENCE = 1.65
/** From so many differences on, half as many symbols are asked for first: then the rest is known within two percent. */
const MANY_DIFFERENCES = 8_192
const SYMBOLS_PER_DIFFERENCE_OF_MANY = 1.4
/** Bytes of a symbol on the wire, about: 12 and a count. */
const SYMBOL_BYTES = 14
const MAX_BLOCK_SYMBOLS = 64 * 1024
/** Bytes that a filter must save: with it a talk takes a round trip more. */
const WORTH_A_ROUND_TRIP = 64 * 1024
/** Differences that are named one by one, for each symbol that is kept: those of more are too many to hold. */
const SIFTED_PER_SYMBOL = 2
/** How many versions back the one that the peer has is looked for. */
const REACH = 64
/** Changes that are kept between finding out who is ahead and sending them, in bytes; others are read once more. */
const KEPT_BYTES = 16 * 1024 * 1024

/** How many symbols the responder sends unasked; both know what has changed on either side at most. */
export function firstSymbols(mine: Stand, theirs: Stand): number {
  const changed = changedSince(mine) + changedSince(theirs)
  return isAgreed(mine, theirs) ? Math.min(FIRST_SYMBOLS, FEWEST_SYMBOLS + 4 * changed) : FIRST_SYMBOLS
}

/** Whether both name the same checkpoint, and neither has fallen behind it: then neither was restored or replaced. */
function isAgreed(mine: Stand, theirs: Stand): boolean {
  const [here, there] = mine.checkpoint
  const same = here > 0 && here === theirs.checkpoint[1] && there === theirs.checkpoint[0]
  return same && here <= mine.at && there <= theirs.at
}

const changedSince = ({ at, checkpoint: [since] }: Stand) => at - since

/** What a session tries once: what they leave is for symbols. */
export type Tried = Set<'since' | 'sift'>

/** The initiator's side. */
export async function findAndTalk(pass: Pass, tried: Tried): Promise<Outcome> {
  const { link } = pass
  const local = await symbolsOf(pass)
  let decoder = createDecoder(local, pass.mine.items)
  let sifted: Difference | undefined
  // The first symbols come unasked, behind the peer's stand.
  let { symbols } = await link.expect('symbols')
  for (;;) {
    const difference = await take(decoder, symbols)
    if (difference === 'undecodable') return sayUndecodable(pass)
    if (difference !== undefined) return talkOf(pass, difference, sifted)
    const next = nextStep(pass, decoder, tried)
    if (next.type === 'sift') {
      sifted = await sift(pass, local, next.bits, next.count)
      decoder = createDecoder(local, pass.mine.items)
      symbols = (await link.expect('symbols')).symbols
      continue
    }
    await link.send(next)
    if (next.type === 'since') return exchangeSince(pass)
    if (next.type === 'sieve') return exchangeSieve(pass, next.bits)
    symbols = (await link.answer('symbols')).symbols
  }
}

/** The responder's side. */
export async function encodeAndTalk(pass: Pass): Promise<Outcome> {
  const { link } = pass
  const symbols = await symbolsOf(pass)
  let sent = 0
  let count = firstSymbols(pass.mine, pass.theirs)
  for (;;) {
    const block = Math.min(count, MAX_BLOCK_SYMBOLS, symbols.length - sent)
    if (block <= 0) throw new MeshError('MESSAGE_UNEXPECTED', 'more symbols are asked for than there are')
    await link.send({ type: 'symbols', symbols: encodeSymbols(symbols.symbols(sent, block)) })
    sent += block
    const message = await link.expect('more', 'found', 'since', 'sift', 'sieve')
    if (message.type === 'since') return exchangeSince(pass)
    if (message.type === 'sieve') return exchangeSieve(pass, Math.min(32, Math.max(1, message.bits)))
    if (message.type === 'found') return answerFound(pass, message)
    if (message.type === 'sift') {
      await answerSift(pass, symbols, message.filter)
      sent = 0
    }
    count = message.count
  }
}

/** Symbols of what takes part in reconciling with the peer. */
async function symbolsOf({ components: { replica, memory }, window }: Pass): Promise<SymbolPrefix> {
  const symbols = await replica.symbols(window)
  for (const item of await memory.itemsLeftOut()) symbols.remove(item)
  return symbols
}

async function take(decoder: Decoder, symbols: Uint8Array): Promise<Difference | 'undecodable' | undefined> {
  const pause = createPacer()
  try {
    for (const _ of decoder.pushInSteps(decodeSymbols(symbols))) await pause()
    return decoder.difference
  } catch (error) {
    if (error instanceof MeshError && error.code === 'SYMBOLS_UNDECODABLE') return 'undecodable'
    throw error
  }
}

type Step = Extract<Message, { type: 'more' | 'since' | 'sieve' }> | { type: 'sift'; bits: number; count: number }

/** What is cheapest for as many differences as there seem to be. */
function nextStep({ mine, theirs }: Pass, decoder: Decoder, tried: Tried): Step {
  const { received, estimate } = decoder
  const isMany = estimate > MANY_DIFFERENCES
  const perDifference = isMany ? SYMBOLS_PER_DIFFERENCE_OF_MANY : SYMBOLS_PER_DIFFERENCE
  const missing = Math.max(0, Math.ceil(estimate * perDifference) - received) * SYMBOL_BYTES
  const cleaning = FIRST_SYMBOLS * SYMBOL_BYTES
  const filters = sinceBytes(changedSince(mine)) + sinceBytes(changedSince(theirs)) + cleaning
  if (!tried.has('since') && isAgreed(mine, theirs) && missing - filters > WORTH_A_ROUND_TRIP) {
    tried.add('since')
    return { type: 'since' }
  }
  const available = keptSymbols(Math.min(mine.items, theirs.items))
  const sifting = cheapestSift(mine.items, estimate, perDifference * SYMBOL_BYTES)
  const isNamed = estimate <= SIFTED_PER_SYMBOL * available
  if (!tried.has('sift') && isNamed && missing - sifting.bytes - cleaning > WORTH_A_ROUND_TRIP) {
    tried.add('sift')
    return { type: 'sift', bits: sifting.bits, count: Math.max(FIRST_SYMBOLS, Math.ceil(sifting.left / 2)) }
  }
  const aim = isMany && received < estimate / 2 ? estimate / 2 : estimate * perDifference
  const count = Math.max(Math.ceil(aim) - received, FEWEST_SYMBOLS, Math.ceil(received / (isMany ? 32 : 4)))
  if (Math.max(estimate * perDifference, received + count) > available) {
    return { type: 'sieve', bits: sieveBits(Math.max(mine.items, theirs.items), estimate) }
  }
  return { type: 'more', count }
}

/** Bits an item at which a filter and the symbols for what it passes over are fewest: log base 0.6185 of N/44d. */
function sieveBits(items: number, differences: number): number {
  return Math.min(10, Math.max(2, Math.round(Math.log(items / (44 * differences)) / Math.log(0.6185))))
}

async function sayUndecodable(pass: Pass): Promise<Outcome> {
  await pass.link.send({ type: 'found', exact: false, lacking: [], behind: [] })
  await talk(pass, inTurn([]))
  return 'undecodable'
}

/** Tells the responder what to send, and sends what it lacks. */
async function talkOf(pass: Pass, decoded: Difference, sifted: Difference | undefined): Promise<Outcome> {
  const difference = sifted === undefined ? decoded : await together(sifted, decoded)
  // Digests differ, so something does: two versions of one entry that share an id in this window.
  if (difference.onlyHere.length + difference.onlyThere.length === 0) return sayUndecodable(pass)
  const sorted = await withFinder(pass, (finder) => sortOut(pass, finder, difference))
  // This side has not what it is said to have: other items gave these symbols. What was sifted may have changed meanwhile.
  if (sorted.isStrange && sifted === undefined) return sayUndecodable(pass)
  const { readings, lacking, behind } = sorted
  const exact = sifted === undefined
  await pass.link.send({ type: 'found', exact, lacking, behind })
  const outcome = await talk(pass, inTurn(readings), { expected: readings.length + lacking.length + behind.length })
  return outcome === 'proven' && !exact ? 'closer' : outcome
}

/** What was sifted out and what symbols gave. What stands on both sides is in both sets, and shares its tag with another. */
async function together(sifted: Difference, decoded: Difference): Promise<Difference> {
  const pause = createPacer()
  return {
    onlyHere: [...(await without(sifted.onlyHere, decoded.onlyThere, pause)), ...decoded.onlyHere],
    onlyThere: [...sifted.onlyThere, ...(await without(decoded.onlyThere, sifted.onlyHere, pause))],
  }
}

async function without(
  ids: readonly Uint8Array[],
  others: readonly Uint8Array[],
  pause: () => Promise<void>,
): Promise<Uint8Array[]> {
  const byTag = await groupByTag(others, pause)
  const left: Uint8Array[] = []
  for (const id of ids) {
    await pause()
    if (!byTag.get(tagOf(id))?.some((other) => equalShortIds(id, other))) left.push(id)
  }
  return left
}

async function groupByTag(
  ids: readonly Uint8Array[],
  pause: () => Promise<void>,
): Promise<ReadonlyMap<number, readonly Uint8Array[]>> {
  const groups = new Map<number, Uint8Array[]>()
  for (const id of ids) {
    await pause()
    const group = groups.get(tagOf(id))
    if (group === undefined) groups.set(tagOf(id), [id])
    else group.push(id)
  }
  return groups
}

interface Sorted {
  /** Whether this side lacks something that it is said to have. */
  readonly isStrange: boolean
  readonly readings: readonly Reading[]
  /** Ids of the peer's items that this side has no version of, or that are to travel whole. */
  readonly lacking: readonly Uint8Array[]
  /** Ids of this side's items of which the peer has another version, and is not known to be behind. */
  readonly behind: readonly Uint8Array[]
}

/** Who is to send what. */
async function sortOut(pass: Pass, finder: ItemFinder, { onlyHere, onlyThere }: Difference): Promise<Sorted> {
  const { replica } = pass.components
  const pause = createWorkPacer(pass.link)
  const keep = createKeeper(pass)
  const theirs = await groupByTag(onlyThere, pause)
  const readings: { id: Item['id']; read: Reading }[] = []
  const covered = new Set<Uint8Array>()
  const behind: Uint8Array[] = []
  let isStrange = false
  // In order of tags: what lies together is read together.
  for (const id of sortByTag(onlyHere)) {
    await pause()
    const items = await itemsById(finder, pass.window, id)
    isStrange ||= items.length === 0
    const others = theirs.get(tagOf(id)) ?? []
    const isKnown = (past: Uint8Array) => others.some((other) => equalShortIds(other, idOf(past, pass.window)))
    for (const item of items) {
      if (others.length === 0 || pass.whole) {
        readings.push({ id: item.id, read: () => replica.transfer(item.id) })
        continue
      }
      // Of several entries that share a tag one covers all: the next pass finds what is left.
      for (const other of others) covered.add(other)
      const news = await replica.news(item.id, isKnown, REACH)
      if (news?.isPartial) readings.push({ id: item.id, read: keep(news, isKnown) })
      else behind.push(id)
    }
  }
  const lacking = onlyThere.filter((id) => !covered.has(id))
  return { isStrange, readings: await readingsByName(readings, pause), lacking, behind }
}

/** The responder sends what the initiator lacks, and what is new in entries that it is behind with. */
async function answerFound(pass: Pass, found: Found): Promise<Outcome> {
  const { readings, unfit } = await withFinder(pass, (finder) => lookUp(pass, finder, found))
  const outcome = await talk(pass, inTurn(readings), { unfit })
  return found.exact ? outcome : 'undecodable'
}

type Found = Extract<Message, { type: 'found' }>

async function lookUp(
  pass: Pass,
  finder: ItemFinder,
  found: Found,
): Promise<{ readings: readonly Reading[]; unfit: number }> {
  const { replica } = pass.components
  const pause = createWorkPacer(pass.link)
  const keep = createKeeper(pass)
  const readings: { id: Item['id']; read: Reading }[] = []
  let unfit = 0
  for (const id of found.lacking) {
    await pause()
    for (const { id: entry } of await itemsById(finder, pass.window, id)) {
      readings.push({ id: entry, read: () => replica.transfer(entry) })
    }
  }
  for (const id of found.behind) {
    await pause()
    for (const item of await finder.find(id.subarray(0, TAG_BYTES))) {
      const isKnown = (past: Uint8Array) => equalShortIds(id, idOf(past, pass.window))
      const news = await replica.news(item.id, isKnown, REACH)
      if (news === undefined) continue
      // Both have what the other has not: this side's goes over whole now, the other's in the next pass.
      if (!news.isPartial) unfit++
      readings.push({ id: item.id, read: keep(news, isKnown) })
    }
  }
  return { readings: await readingsByName(readings, pause), unfit }
}

async function readingsByName(
  readings: readonly { readonly id: Item['id']; readonly read: Reading }[],
  pause: () => Promise<void>,
): Promise<readonly Reading[]> {
  return (await sortByName(readings, pause)).map(({ read }) => read)
}

async function withFinder<T>(pass: Pass, use: (finder: ItemFinder) => Promise<T>): Promise<T> {
  const finder = await pass.components.replica.openItemFinder()
  try {
    return await use(finder)
  } finally {
    await finder.close()
  }
}

/** This side's items with an id: one but for chance. One that was changed meanwhile is found by its tag. */
async function itemsById(finder: ItemFinder, window: Window, id: Uint8Array): Promise<readonly Item[]> {
  const items = await finder.find(id.subarray(0, TAG_BYTES))
  const exact = items.filter(({ item }) => equalShortIds(id, idOf(item, window)))
  return exact.length > 0 ? exact : items
}

type IsKnown = (item: Uint8Array) => boolean

/** Keeps what was read until it is sent, as long as that is not too much; the rest is read once more then. */
function createKeeper({ components: { replica } }: Pass): (news: News, isKnown: IsKnown) => Reading {
  let left = KEPT_BYTES
  return ({ transfer }, isKnown) => {
    left -= transfer.chunks.reduce((sum, chunk) => sum + chunk.length, transfer.signatures.length)
    if (left >= 0) return async () => transfer
    return async () => (await replica.news(transfer.id, isKnown, REACH))?.transfer
  }
}
