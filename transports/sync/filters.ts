import type { ChangedItem, Transfer } from '../../crdt/replica/index.ts'
import { type Bloom, decodeBloom, idOf } from '../../crdt/summary/index.ts'
import { createPacer } from './pacer.ts'
import { inTurn, type Outcome, type Pass, sortByName, talk } from './pass.ts'
import { allItems, newBloom } from './sift.ts'

/** Changed items up to which a filter is so exact that the pass after it is likely to find both equal. */
const FEW_ITEMS = 4_096
const BITS_FOR_FEW = 24
/** One in three hundred is passed over, and found in the next pass: cheaper than more bits for all. */
const BITS_FOR_MANY = 12
/** How many versions back one is looked for that the peer has: of changed entries, and of all. */
const REACH_SINCE = 16
const REACH_SIEVE = 2

/** Bytes of a filter of this many changed items. */
export function sinceBytes(items: number): number {
  return (items * bitsFor(items)) / 8
}

/**
 * Both know each other: each sends a Bloom filter of what changed since their checkpoint, and gets what is not in it.
 * What the peer changed itself, or got from this side, is not offered back.
 */
export async function exchangeSince(pass: Pass): Promise<Outcome> {
  const { replica, memory } = pass.components
  const [since] = pass.mine.checkpoint
  const changed: ChangedItem[] = []
  for await (const item of replica.itemsSince(since, pass.link.peer)) if (memory.takesPart(item)) changed.push(item)
  const mine = newBloom(changed.length, bitsFor(changed.length))
  const pause = createPacer()
  for (const { item } of changed) {
    await pause()
    mine.add(item)
  }
  const theirs = await swap(pass, mine)
  const lacking = changed.filter(({ item, isTheirs }) => !isTheirs && !theirs.has(item))
  const readings = (await sortByName(lacking, pause)).map(({ id, base }) => async () => {
    const isKnown = (item: Uint8Array) =>
      (base !== undefined && idOf(item, 0).every((b, i) => b === base[i])) || theirs.has(item)
    return (await replica.news(id, isKnown, REACH_SINCE))?.transfer
  })
  return atMostCloser(await talk(pass, inTurn(readings)))
}

/** So much differs that a filter of everything pays: each sends one, and gets most of what is not in it. */
export async function exchangeSieve(pass: Pass, bits: number): Promise<Outcome> {
  const mine = newBloom(pass.mine.items, bits)
  for await (const items of allItems(pass)) for (const { item } of items) mine.add(item)
  const theirs = await swap(pass, mine)
  return atMostCloser(await talk(pass, sieved(pass, theirs)))
}

async function* sieved(pass: Pass, theirs: Bloom): AsyncGenerator<Transfer> {
  const { replica } = pass.components
  const pause = createPacer()
  for await (const items of allItems(pass)) {
    const lacking = items.filter(({ item }) => !theirs.has(item))
    for (const { id } of await sortByName(lacking, pause)) {
      await pause()
      const news = await replica.news(id, (item) => theirs.has(item), REACH_SIEVE)
      if (news !== undefined) yield news.transfer
    }
  }
}

/** A filter passes something over, and what it takes for known may not be: the next pass finds both. */
const atMostCloser = (outcome: Outcome): Outcome => (outcome === 'undecodable' ? outcome : 'closer')

const bitsFor = (items: number) => (items <= FEW_ITEMS ? BITS_FOR_FEW : BITS_FOR_MANY)

/** Both send at once: neither may wait for the other to read before it reads itself. */
async function swap({ link }: Pass, mine: Bloom): Promise<Bloom> {
  const [answer] = await Promise.all([link.answer('filter'), link.send({ type: 'filter', filter: mine.encode() })])
  return decodeBloom(answer.filter)
}
