import { deflateRawSync } from 'node:zlib'
import { applyChanges, from, getLastLocalChange, init } from '@automerge/automerge'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId } from '../../crdt/entry/index.ts'
import { withHeader, withoutHeader } from './chunk-header.ts'

const id: EntryId = { kind: 'memory', scope: 'mesh' as EntryId['scope'], key: 'plan' }

/** What travels of an entry: its changes, and the whole of it. */
function written(value: string): Uint8Array[] {
  const document = EntryDocument.create(id, 'ab'.repeat(16))
  document.put({ kind: 'memory', value }, { nodeId: 'ceo', at: 1 })
  const chunks = [...document.changesSince([]), document.save()]
  document.free()
  return chunks
}

describe('the header of a chunk', () => {
  it('is made again for changes and for documents, byte for byte', () => {
    const property = fc.property(fc.string({ maxLength: 600 }), (value) => {
      for (const chunk of written(value)) {
        const bare = withoutHeader(chunk)
        expect(bare).toHaveLength(chunk.length - 8)
        expect(Buffer.compare(withHeader(bare as Uint8Array), chunk)).toBe(0)
      }
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('stays where it is for all that is not one small chunk with the right checksum', () => {
    const [first, change] = written('x') as [Uint8Array, Uint8Array]
    expect(withoutHeader(Buffer.concat([first, change]))).toBeUndefined()
    for (let length = 0; length < change.length; length++) {
      expect(withoutHeader(change.subarray(0, length))).toBeUndefined()
    }
    for (const at of [0, 3, 4, 7, 8, change.length - 1]) {
      const other = change.slice()
      other[at] = (other[at] as number) ^ 1
      expect(withoutHeader(other)).toBeUndefined()
    }
  })

  it('of a deflated change is that of the inflated one, so it stays', () => {
    const change = getLastLocalChange(from({ text: 'a'.repeat(20) })) as Uint8Array
    const contents = deflateRawSync(change.subarray(10))
    expect([change[8], change[9]]).toEqual([1, change.length - 10])
    const deflated = Buffer.concat([change.subarray(0, 8), Buffer.of(2, contents.length), contents])
    const [loaded] = applyChanges(init<{ text: string }>(), [deflated])
    expect(loaded.text).toHaveLength(20)
    expect(withoutHeader(change)).toHaveLength(change.length - 8)
    expect(withoutHeader(deflated)).toBeUndefined()
  })
})
