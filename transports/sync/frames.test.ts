import { zstdCompressSync } from 'node:zlib'
import { encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntryId, Scope } from '../../crdt/entry/index.ts'
import { decodeEntries, type EntryPart, encodeEntries } from './frames.ts'

const packed = (count: number, keys: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      Buffer.concat([Buffer.alloc(4, i), Buffer.alloc(32, i % keys), Buffer.alloc(64, i + 1)]),
    ),
  )

const ids: fc.Arbitrary<EntryId> = fc.record({
  kind: fc.constantFrom('memory' as const, 'skill' as const),
  scope: fc.constantFrom('mesh' as Scope, 'user:ceo' as Scope, 'tenant:x' as Scope),
  key: fc.stringMatching(/^[a-z\u00e9\u20ac]{1,12}$/),
})
const parts: fc.Arbitrary<EntryPart[]> = fc.array(
  fc.record({
    id: ids,
    chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
    signatures: fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 3 })).map(([count, keys]) => packed(count, keys)),
    more: fc.boolean(),
  }),
  { maxLength: 40 },
)

const plain = (list: readonly EntryPart[]) =>
  list.map(({ id, chunks, signatures, more }) => ({
    id,
    chunks: chunks.map((one) => Buffer.from(one).toString('hex')),
    signatures: Buffer.from(signatures).toString('hex'),
    more,
  }))

describe('entries in a frame', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(parts, (list) => {
        expect(plain(decodeEntries(encodeEntries(list)))).toEqual(plain(list))
      }),
    )
  })

  it('take few bytes beyond what they hold where keys follow each other', () => {
    const list = Array.from({ length: 1_000 }, (_, i) => ({
      id: { kind: 'memory' as const, scope: 'mesh' as Scope, key: `bench/key-${String(i * 997).padStart(7, '0')}` },
      chunks: [crypto.getRandomValues(new Uint8Array(250))],
      signatures: Buffer.concat([
        crypto.getRandomValues(new Uint8Array(4)),
        Buffer.alloc(32, 1),
        crypto.getRandomValues(new Uint8Array(64)),
      ]),
      more: false,
    }))
    const beyond = encodeEntries(list).length - 1_000 * (250 + 64)
    expect(beyond / 1_000).toBeLessThan(20)
  })

  it('S-16: of mutated or random bytes are refused, or are entries, and never anything else', () => {
    const good = encodeEntries([
      {
        id: { kind: 'memory', scope: 'mesh' as Scope, key: 'key' },
        chunks: [new Uint8Array(9)],
        signatures: packed(2, 2),
        more: false,
      },
    ])
    const outcome = (bytes: Uint8Array) => {
      try {
        for (const part of decodeEntries(bytes)) expect(part.signatures.length % 100).toBe(0)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Uint8Array.from(good)
        bytes[at] = byte
        outcome(bytes)
      }),
      { numRuns: 2_000 },
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), outcome), { numRuns: 2_000 })
  })

  it.each([
    [
      'a signature by a key that is not listed',
      encode([[], [Buffer.from('mesh')], [[0, 0, Buffer.from('k'), [], new Uint8Array(70)]]]),
    ],
    [
      'a torn signature',
      encode([[new Uint8Array(32)], [Buffer.from('mesh')], [[0, 0, Buffer.from('k'), [], new Uint8Array(69)]]]),
    ],
    ['a scope that is not listed', encode([[], [], [[0, 0, Buffer.from('k'), [], new Uint8Array()]]])],
    [
      'a key that shares more than there is',
      encode([[], [Buffer.from('mesh')], [[0, 9, Buffer.from('k'), [], new Uint8Array()]]]),
    ],
    [
      'a part that holds nothing',
      encode([[], [Buffer.from('mesh')], [[1, 0, Buffer.from('k'), [], new Uint8Array()]]]),
    ],
    ['too many entries', encode([[], [], Array.from({ length: 5_000 }, () => 0)])],
  ])('S-16: %s is refused', (_, body) => {
    expect(() => decodeEntries(Buffer.concat([Buffer.of(0), body]))).toThrow()
  })

  it('S-17: that would be more than 4 MiB when they are not compressed are refused before they are', () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(10_000)
    const before = process.memoryUsage.rss()
    expect(() => decodeEntries(Buffer.concat([Buffer.of(1), bomb]))).toThrow()
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * 1024 * 1024)
  })
})
