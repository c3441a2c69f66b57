import { checkItem, ITEM_BYTES } from './item.ts'

/**
 * A digest is the sum of items modulo 2^256: 32 bytes, the least significant first (both items and sums are read as
 * little-endian numbers). The order of adding does not matter, and what was added can be subtracted: a commit replaces
 * an entry's old item by its new one without looking at any other.
 */
export function zeroDigest(): Uint8Array {
  return new Uint8Array(ITEM_BYTES)
}

/** Adds an item, or another sum, to `sum` in place. */
export function addTo(sum: Uint8Array, item: Uint8Array): void {
  checkItem(sum)
  checkItem(item)
  let carry = 0
  for (let i = 0; i < ITEM_BYTES; i++) {
    carry += (sum[i] as number) + (item[i] as number)
    sum[i] = carry
    carry >>>= 8
  }
}

/** Takes an item, or another sum, out of `sum` in place. */
export function subtractFrom(sum: Uint8Array, item: Uint8Array): void {
  checkItem(sum)
  checkItem(item)
  let borrow = 0
  for (let i = 0; i < ITEM_BYTES; i++) {
    const difference = (sum[i] as number) - (item[i] as number) - borrow
    sum[i] = difference
    borrow = difference < 0 ? 1 : 0
  }
}

/** The sum of sums, as a new digest: of several scopes, or of everything. */
export function combine(sums: Iterable<Uint8Array>): Uint8Array {
  const total = zeroDigest()
  for (const sum of sums) addTo(total, sum)
  return total
}

/** Whether two digests are of equal sets of items. */
export function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  checkItem(a)
  checkItem(b)
  return a.every((byte, i) => byte === b[i])
}
