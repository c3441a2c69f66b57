import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TAG_BYTES } from '../../crdt/summary/index.ts'
import { decodeShortIds, encodeShortIds, equalShortIds, LISTED_BYTES, SHORT_ID_BYTES, sortByTag } from './short-ids.ts'

const ids = fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { maxLength: 200 })
const byTag = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a.subarray(0, TAG_BYTES), b.subarray(0, TAG_BYTES))
const asText = (list: readonly Uint8Array[]) => list.map((id) => Buffer.from(id).toString('hex'))

describe('short ids', () => {
  test('come back in order, cut to seven bytes', () => {
    fc.assert(
      fc.property(ids, (list) => {
        const short = list.map((id) => id.subarray(0, SHORT_ID_BYTES)).toSorted(Buffer.compare)
        expect(asText(decodeShortIds(encodeShortIds(list)))).toEqual(asText(short))
      }),
    )
  })

  test('hold the least and the greatest tag, and equal tags', () => {
    const list = ['0000000000000000', 'ffffffff00000000', 'ffffffff010000ff'].map((text) => Buffer.from(text, 'hex'))
    expect(asText(decodeShortIds(encodeShortIds(list)))).toEqual(['00000000000000', 'ffffffff000000', 'ffffffff010000'])
  })

  test('of a long list take six bytes each', () => {
    const list = Array.from({ length: 20_000 }, (_, i) => {
      const id = Buffer.alloc(8, 0xaa)
      id.writeUInt32BE(Math.imul(i, 0x9e3779b1) >>> 0)
      return id
    })
    expect(encodeShortIds(list).length / list.length).toBeLessThan(LISTED_BYTES * 1.05)
  })

  test('anything else is an error, and never an endless or huge list', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          expect(decodeShortIds(bytes).length).toBeLessThanOrEqual(bytes.length / 4)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      }),
    )
    expect(() => decodeShortIds(Buffer.alloc(4 * (2 ** 19 + 1)))).toThrow('too many ids')
    expect(() => decodeShortIds(Buffer.from('ffffffff1f000000', 'hex'))).toThrow('beyond 32 bits')
    expect(() => decodeShortIds(Buffer.from('00000', 'hex'))).toThrow('torn')
  })

  test('are equal by their first seven bytes', () => {
    const id = Buffer.from('0102030405060708', 'hex')
    expect(equalShortIds(id, Buffer.from('01020304050607', 'hex'))).toBe(true)
    expect(equalShortIds(id, Buffer.from('01020304050608', 'hex'))).toBe(false)
  })
})

test('ids are sorted by their tags, and those of one tag keep their order', () => {
  const id = fc.uint8Array({ minLength: 8, maxLength: 8 })
  const few = fc.uint8Array({ minLength: 8, maxLength: 8, max: 1 })
  fc.assert(
    fc.property(fc.array(fc.oneof(id, few)), (ids) => {
      expect(sortByTag(ids)).toEqual(ids.toSorted(byTag))
    }),
  )
})
