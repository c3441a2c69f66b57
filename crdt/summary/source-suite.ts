/** What the tests of this folder share. */

import { createHash } from 'node:crypto'
import { MeshError } from '../errors.ts'
import {
  type CodedSymbols,
  createDecoder,
  type Decoder,
  type Difference,
  ID_BYTES,
  idOf,
  itemOf,
  MAX_SYMBOLS,
  SymbolPrefix,
  type SymbolSource,
  TAG_BYTES,
  type Window,
} from './index.ts'

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** `count` uniform values of 32 bytes, the same for the same label. */
export const hashes = (label: string, count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(createHash('sha256').update(`${label} ${i}`).digest()))

/** The items of entries 0 to `count` of a label, in the version that is named. */
export const versions = (label: string, count: number, version: string): Uint8Array[] =>
  hashes(`${label} ${version}`, count).map((head, i) =>
    itemOf('mesh-1', { kind: 'memory', scope: 'mesh', key: `${label} ${i}` }, [head]),
  )

/** A prefix of a whole set. */
export function prefixOf(items: Iterable<Uint8Array>, window: Window, length: number): SymbolPrefix {
  const prefix = new SymbolPrefix(window, length)
  for (const item of items) prefix.add(item)
  return prefix
}

/** All symbols of a set: a longer prefix is made where one is asked for. */
export function sourceOf(items: readonly Uint8Array[], window: Window): SymbolSource {
  let prefix = prefixOf(items, window, 64)
  return {
    symbols(from: number, count: number): CodedSymbols {
      const length = Math.min(MAX_SYMBOLS, from + count)
      if (length > prefix.length) prefix = prefixOf(items, window, Math.min(MAX_SYMBOLS, 2 * length))
      return prefix.symbols(from, count)
    },
  }
}

/** The items of these ids. */
export function itemsById(items: readonly Uint8Array[], window: Window, ids: readonly Uint8Array[]): Uint8Array[] {
  const wanted = new Set(ids.map(hex))
  return items.filter((item) => wanted.has(hex(idOf(item, window))))
}

/** Ids as texts, in an order of their own. */
export const idsOf = (items: readonly Uint8Array[], window: Window): string[] =>
  items.map((item) => hex(item.subarray(window * ID_BYTES, (window + 1) * ID_BYTES))).sort()

/** In what two sets differ. */
export interface Apart {
  /** Items of both. */
  readonly shared?: number
  readonly here?: number
  readonly there?: number
  /** Entries of which each side has a version of its own. */
  readonly edited?: number
}

/** Two sets of items of entries. */
export function twoSets(label: string, { shared = 0, here = 0, there = 0, edited = 0 }: Apart) {
  const common = versions(`${label} shared`, shared, 'one')
  const onlyHere = [...versions(`${label} here`, here, 'one'), ...versions(`${label} edited`, edited, 'ours')]
  const onlyThere = [...versions(`${label} there`, there, 'one'), ...versions(`${label} edited`, edited, 'theirs')]
  return { here: [...onlyHere, ...common], there: [...common, ...onlyThere], onlyHere, onlyThere }
}

/** How two sides differ in ids. */
export type Kind = 'only there' | 'only here' | 'balanced' | 'nine to one' | 'edited'

/**
 * Prefixes of two sides that differ in `d` ids, uniform and made at once: hundreds of thousands are needed. What sides
 * share cancels out, and is left away.
 */
export function sidesOf(kind: Kind, d: number, { label, length }: { label: string; length: number }) {
  const here = new SymbolPrefix(0, length)
  const there = new SymbolPrefix(0, length)
  const bytes = createHash('shake256', { outputLength: ID_BYTES * d })
    .update(`${kind} ${d} ${label}`)
    .digest()
  for (let i = 0; i < d; i++) {
    const id = bytes.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
    if (kind === 'only there') there.addId(id)
    else if (kind === 'only here') here.addId(id)
    else if (kind === 'balanced') (i % 2 === 0 ? here : there).addId(id)
    else if (kind === 'nine to one') (i % 10 === 0 ? here : there).addId(id)
    else if (i % 2 === 0) here.addId(id)
    // Another version of the entry whose id came before.
    else there.addId(Buffer.concat([bytes.subarray((i - 1) * ID_BYTES).subarray(0, TAG_BYTES), id.subarray(TAG_BYTES)]))
  }
  return { here, there }
}

export const decoderOf = (items: readonly Uint8Array[], window: Window): Decoder =>
  createDecoder(sourceOf(items, window), items.length)

export const oneByOne = (): number => 1
export const growing = (received: number): number => 32 + (received >> 2)

/** Pushes until the difference is known. */
export function run(decoder: Decoder, remote: SymbolSource, block: (received: number) => number): Difference {
  while (!decoder.push(remote.symbols(decoder.received, block(decoder.received))));
  if (decoder.difference === undefined) throw new Error('push says that the difference is known')
  return decoder.difference
}

/** The code of the MeshError that is thrown, another error as it is, undefined for none. */
export function faultOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error instanceof MeshError ? error.code : error
  }
  return undefined
}
