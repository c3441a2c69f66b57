import { randomBytes } from 'node:crypto'
import type { Item } from '../../crdt/replica/index.ts'
import {
  BLOOM_SEED_BYTES,
  type Bloom,
  createBloom,
  type Difference,
  decodeBloom,
  falsePositives,
  idOf,
  type SymbolPrefix,
  TAG_BYTES,
} from '../../crdt/summary/index.ts'
import { createWorkPacer } from './pacer.ts'
import type { Pass } from './pass.ts'
import { LISTED_BYTES } from './short-ids.ts'

/**
 * Where so much differs that a filter of everything pays: the initiator sends one, and the responder names its items
 * that are certainly not among the initiator's. With each falls the initiator's own version of that entry. Symbols then
 * have to find only what the filter passed over.
 *
 * Neither side's filter, items and symbols are of one moment. What is committed meanwhile may be named for nothing, or be
 * missed: so this proves nothing, and the next pass looks again.
 */

const MAX_BITS = 10
/** Ids in one message: half a megabyte. */
const MAX_IDS = 65_536

/**
 * The bits an item at which filter, ids and what is left for symbols are fewest, and how many bytes that takes in all.
 * @param items in the filter
 * @param perDifference bytes that symbols take for each difference
 */
export function cheapestSift(
  items: number,
  differences: number,
  perDifference: number,
): { readonly bits: number; readonly bytes: number; readonly left: number } {
  const all = Array.from({ length: MAX_BITS }, (_, i) => {
    const missed = falsePositives(i + 1)
    // Of most that differs each side has a version: half of the differences are the responder's.
    const named = (differences / 2) * (1 - missed)
    const left = differences * missed
    return { bits: i + 1, bytes: (items * (i + 1)) / 8 + named * LISTED_BYTES + left * perDifference, left }
  })
  return all.reduce((best, one) => (one.bytes < best.bytes ? one : best))
}

/**
 * The initiator's side: takes out of `local` what is known to differ then, and returns that. The responder's symbols of
 * what is left, `count` of them, come next.
 */
export async function sift(pass: Pass, local: SymbolPrefix, bits: number, count: number): Promise<Difference> {
  const { link, components, window } = pass
  const pause = createWorkPacer(link)
  const mine = newBloom(pass.mine.items, bits)
  for await (const items of allItems(pass)) {
    await pause()
    for (const { item } of items) mine.add(item)
  }
  await link.send({ type: 'sift', filter: mine.encode(), count })
  const onlyThere: Uint8Array[] = []
  for (let named = await link.answer('sifted'); ; named = await link.expect('sifted')) {
    for (const id of named.ids) onlyThere.push(id)
    if (!named.more) break
  }
  const onlyHere: Uint8Array[] = []
  const finder = await components.replica.openItemFinder()
  try {
    for (const [i, id] of onlyThere.entries()) {
      await pause()
      if (i > 0 && haveSameTag(id, onlyThere[i - 1] as Uint8Array)) continue
      for (const { item } of await finder.find(id.subarray(0, TAG_BYTES))) {
        const own = idOf(item, window)
        local.removeId(own)
        onlyHere.push(own)
      }
    }
  } finally {
    await finder.close()
  }
  return { onlyHere, onlyThere }
}

/** The responder's side: takes out of `symbols` what it names. */
export async function answerSift(pass: Pass, symbols: SymbolPrefix, filter: Uint8Array): Promise<void> {
  const { link, window } = pass
  const theirs = decodeBloom(filter)
  const pause = createWorkPacer(link)
  let ids: Uint8Array[] = []
  for await (const items of allItems(pass)) {
    await pause()
    for (const { item } of items) {
      if (theirs.has(item)) continue
      const id = idOf(item, window)
      symbols.removeId(id)
      ids.push(id)
    }
    if (ids.length < MAX_IDS) continue
    await link.send({ type: 'sifted', ids, more: true })
    ids = []
  }
  await link.send({ type: 'sifted', ids, more: false })
}

/** Items that take part in reconciling with the peer, in order of their tags. */
export async function* allItems({ components: { replica, memory } }: Pass): AsyncGenerator<readonly Item[]> {
  for await (const items of replica.items()) yield items.filter((item) => memory.takesPart(item))
}

export function newBloom(size: number, bitsPerItem: number): Bloom {
  return createBloom({ size, bitsPerItem, seed: randomBytes(BLOOM_SEED_BYTES) })
}

const haveSameTag = (a: Uint8Array, b: Uint8Array) => a.subarray(0, TAG_BYTES).every((byte, i) => byte === b[i])
