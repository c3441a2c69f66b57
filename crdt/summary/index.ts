/**
 * Summaries of sets of items: how two replicas find out whether, and in what, they differ. A digest says whether; a
 * Bloom filter says roughly; coded symbols say exactly. Pure: no I/O, clock, randomness or logging.
 */
export type { Bloom, BloomInit } from './bloom.ts'
export { BLOOM_SEED_BYTES, createBloom, decodeBloom, falsePositives, MAX_BLOOM_BYTES } from './bloom.ts'
export type { Decoder, Difference } from './decoder.ts'
export { createDecoder } from './decoder.ts'
export { addTo, combine, equalDigests, subtractFrom, zeroDigest } from './digest.ts'
export type { ItemSubject } from './item.ts'
export { ITEM_BYTES, itemOf, itemOfVersion, subjectOf, TAG_BYTES } from './item.ts'
export type { Window } from './mapping.ts'
export { ID_BYTES, idOf, WINDOWS } from './mapping.ts'
export type { SymbolSource } from './prefix.ts'
export { SymbolPrefix } from './prefix.ts'
export type { CodedSymbols } from './symbols.ts'
export { decodeSymbols, encodeSymbols, MAX_BLOCK_SYMBOLS, MAX_SYMBOLS } from './symbols.ts'
