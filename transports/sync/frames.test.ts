import { randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, type Scope } from '../../crdt/entry/index.ts'
import { ColumnWriter } from './columns.ts'
import { decodeEntries, type EntryPart, encodeEntries, MAX_PARTS } from './frames.ts'

const MESH = 'mesh' as Scope
const memory = (key: string): EntryId => ({ kind: 'memory', scope: MESH, key })

const offered = (prefix: Uint8Array, key: number) =>
  Buffer.concat([prefix.subarray(0, 4), Buffer.alloc(32, key), randomBytes(64)])

const packed = (count: number, keys: number) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => offered(Buffer.alloc(4, i), i % keys)))

/** An entry with one edit: the changes since it was made, or the whole of it; and one signature. */
function edited(id: EntryId, value: string, as: 'changes' | 'document'): EntryPart {
  const document = EntryDocument.create(id, 'ab'.repeat(16))
  document.put({ kind: 'memory', value: 'before' }, { nodeId: 'ceo', at: 1 })
  const { heads } = document
  const hash = document.put({ kind: 'memory', value }, { nodeId: 'ceo', at: 2 })
  const chunks = as === 'changes' ? document.changesSince(heads) : [document.save()]
  document.free()
  return { id, chunks, signatures: offered(Buffer.from(hash, 'hex'), 1), more: false }
}

const keys = fc.oneof(
  fc.stringMatching(/^[a-zé€]{1,12}$/),
  fc.constantFrom('\ufeff', '\ufeffkey', 'key\ufeff', '\u{1f600}', 'k'.repeat(1_024)),
)
const ids: fc.Arbitrary<EntryId> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('memory' as const, 'skill' as const),
    scope: fc.constantFrom(MESH, 'user:ceo' as Scope, 'tenant:x' as Scope),
    key: fc.stringMatching(/^[a-zé€]{1,12}$/),
  }),
  keys.map(memory),
)
const arbitrary = fc.record({
  id: ids,
  chunks: fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 3 }),
  signatures: fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 3 })).map(([count, signers]) => packed(count, signers)),
  more: fc.boolean(),
})
const real = fc
  .tuple(keys, fc.string({ maxLength: 300 }), fc.constantFrom('changes' as const, 'document' as const))
  .map(([key, value, as]) => edited(memory(key), value, as))
const parts: fc.Arbitrary<EntryPart[]> = fc.array(fc.oneof(arbitrary, real), { maxLength: 40 })

const plain = (list: readonly EntryPart[]) =>
  list.map(({ id, chunks, signatures, more }) => ({
    id,
    chunks: chunks.map((one) => Buffer.from(one).toString('hex')),
    signatures: Buffer.from(signatures).toString('hex'),
    more,
  }))

/** Decodes what may be anything: the outcome is entries or an error, and memory stays within bounds. */
function outcome(bytes: Uint8Array): void {
  try {
    for (const part of decodeEntries(bytes)) expect(part.signatures.length % 100).toBe(0)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
}

/** The body of a frame of one memory, in the order of docs/protocol.md; each field may be another one. */
function body(other: Partial<Record<keyof typeof ONE, number[]>> = {}, names = NAMES, contents = 1, tail = 64) {
  const columns = new ColumnWriter()
  for (const column of Object.values({ ...ONE, ...other })) columns.numbers(column)
  columns.bytes([Buffer.concat(names)])
  const whole = new ColumnWriter()
  for (const section of [columns.end(), Buffer.alloc(contents)]) {
    whole.numbers([section.length * 2])
    whole.bytes([section])
  }
  whole.bytes([Buffer.alloc(tail)])
  return whole.end()
}
const ONE = {
  counts: [1, 1, 1],
  scopeSizes: [4],
  heads: [0],
  shared: [0],
  restSizes: [1],
  chunkCounts: [1],
  signatureCounts: [1],
  chunkSizes: [3],
  signers: [0],
  places: [1],
}
const NAMES = [Buffer.alloc(32), Buffer.from('mesh'), Buffer.from('k')]

describe('entries in a frame', () => {
  it('come out as they went in, each in memory of its own', () => {
    const property = fc.property(parts, (list) => {
      const decoded = decodeEntries(encodeEntries(list))
      expect(plain(decoded)).toEqual(plain(list))
      for (const bytes of decoded.flatMap(({ chunks, signatures }) => [...chunks, signatures])) {
        // What goes to a worker is copied with all the memory behind it.
        expect(bytes.buffer.byteLength).toBe(bytes.length)
      }
    })
    fc.assert(property)
  })

  it.each([
    ['changes', -2],
    ['document', 0],
  ] as const)('take hardly a byte beyond their compressed %s and signatures', (as, most) => {
    const list = Array.from({ length: 600 }, (_, i) => edited(memory(`entry/${400_000 + i}`), `value ${i}`, as))
    const payload = zstdCompressSync(
      Buffer.concat(list.flatMap(({ chunks, signatures }) => [...chunks, signatures.subarray(36)])),
    )
    expect((encodeEntries(list).length - payload.length) / list.length).toBeLessThan(most)
  })

  it('S-16: of mutated or random bytes are refused, or are entries, and never anything else', () => {
    const list = [edited(memory('a'), 'x', 'changes'), { ...edited(memory('ab'), 'y', 'document'), more: true }]
    const good = encodeEntries([...list, { ...list[0], signatures: packed(2, 2) } as EntryPart])
    const mutated = fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const bytes = Uint8Array.from(good)
      bytes[at] = byte
      outcome(bytes)
    })
    fc.assert(mutated, { numRuns: 2_000 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), outcome), { numRuns: 2_000 })
  })

  it('S-16: a number that is another one by any amount is refused, or says something else', () => {
    const columns = fc.constantFrom(...(Object.keys(ONE) as (keyof typeof ONE)[]))
    const numbers = fc.array(fc.oneof(fc.nat(5), fc.nat(2 ** 28 - 1)), { maxLength: 4 })
    const before = process.memoryUsage.rss()
    const property = fc.property(columns, numbers, (column, values) => outcome(body({ [column]: values })))
    fc.assert(property, { numRuns: 2_000 })
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
  })

  it('S-16: a frame is written as the protocol says', () => {
    const [one] = decodeEntries(body())
    expect(one).toMatchObject({ id: memory('k'), more: false })
    // The header that was left out: the prefix of the signature is its beginning.
    expect(one?.chunks[0]).toHaveLength(9)
    expect(Buffer.from(one?.signatures.subarray(0, 4) ?? []).toString('hex')).toBe('856f4a83')
  })

  it.each([
    ['a signature by a key that is not listed', body({ signers: [1] })],
    ['a torn signature', body({}, NAMES, 1, 63)],
    ['a signature too many', body({}, NAMES, 1, 128)],
    ['a prefix that is not there', body({ places: [0] })],
    ['a prefix beyond its chunk', body({ places: [7] })],
    ['a prefix in no chunk', body({ chunkCounts: [0], chunkSizes: [] }, NAMES, 0)],
    ['a scope that is not listed', body({ heads: [4] })],
    ['a scope that is none', body({}, [Buffer.alloc(32), Buffer.from('moon'), Buffer.from('k')])],
    ['a key that shares more than there is', body({ shared: [1] })],
    ['a key that is empty', body({ restSizes: [0] }, NAMES.slice(0, 2))],
    ['a key that is no text', body({}, [...NAMES.slice(0, 2), Buffer.of(0xff)])],
    ['a key that is too long', body({ restSizes: [1_025] }, [...NAMES.slice(0, 2), Buffer.alloc(1_025, 'k')])],
    ['a chunk that ends too early', body({ chunkSizes: [5] })],
    ['contents of no chunk', body({}, NAMES, 2)],
    ['names behind the last', body({}, [...NAMES, Buffer.of(0)])],
    ['chunks that are not counted', body({ chunkCounts: [2] })],
    ['more public keys than there are', body({ counts: [1, 2 ** 28 - 1, 1] })],
    ['more scopes than there are', body({ counts: [1, 1, 2 ** 28 - 1] })],
    [
      'a part that holds nothing',
      body(
        { heads: [1], chunkCounts: [0], chunkSizes: [], signatureCounts: [0], signers: [], places: [] },
        NAMES,
        0,
        0,
      ),
    ],
    ['too many entries', body({ counts: [MAX_PARTS + 1, 1, 1] })],
  ])('S-16: %s is refused', (_, bytes) => {
    expect(() => decodeEntries(bytes)).toThrow()
  })

  it('S-17: more chunks than a frame can need are refused before anything is made of them', () => {
    const sizes = Array.from({ length: 70_000 }, () => 0)
    expect(() => decodeEntries(body({ chunkCounts: [70_000], chunkSizes: sizes }, NAMES, 0))).toThrow('too many chunks')
  })

  it('S-17: that would be more than 4 MiB when they are not compressed are refused before they are', () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(10_000)
    const before = process.memoryUsage.rss()
    const compressed = new ColumnWriter()
    compressed.numbers([bomb.length * 2 + 1])
    compressed.bytes([bomb])
    expect(() => decodeEntries(compressed.end())).toThrow()
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * 1024 * 1024)
  })

  it('S-16: something behind the end of what is compressed is refused', () => {
    const section = zstdCompressSync(Buffer.of(0, 0, 0))
    const frame = (end: Uint8Array) => {
      const whole = new ColumnWriter()
      whole.numbers([(section.length + end.length) * 2 + 1])
      whole.bytes([section, end])
      whole.numbers([0])
      return whole.end()
    }
    expect(decodeEntries(frame(Buffer.of()))).toEqual([])
    expect(() => decodeEntries(frame(Buffer.of(0)))).toThrow('behind them')
  })
})
