import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ITEM_BYTES, itemOf, itemOfVersion, subjectOf, TAG_BYTES, WINDOWS } from './index.ts'
import { hashes, hex } from './source-suite.ts'

const head = (fill: number) => new Uint8Array(32).fill(fill)

/** SHA-256 over parts behind their lengths, from what Node has had longest. */
function hashed(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest()
}

/** A subject by the description alone. */
const describedSubject = (meshId: string, names: readonly string[]) =>
  hashed(['openclaw-mesh entry 1', meshId, ...names].map((text) => Buffer.from(text, 'utf8')))

/** An item by the description alone: texts of hex, put together. */
function describedItem(meshId: string, names: readonly string[], heads: readonly Uint8Array[]): string {
  const subject = describedSubject(meshId, names)
  const sorted = heads.map(hex).sort()
  const parts = [Buffer.from('openclaw-mesh item 1'), subject, ...sorted.map((text) => Buffer.from(text, 'hex'))]
  const version = hashed(parts).toString('hex')
  const tag = subject.toString('hex').slice(0, 8)
  return [0, 8, 16, 24].map((at) => tag + version.slice(at, at + 8)).join('')
}

/** What each window holds, in hex: the tag, and the lane of the version. */
const windowsOf = (item: Uint8Array) =>
  WINDOWS.map((window) => ({
    tag: hex(item.subarray(8 * window, 8 * window + TAG_BYTES)),
    lane: hex(item.subarray(8 * window + TAG_BYTES, 8 * window + 8)),
  }))

const names = fc.record({
  kind: fc.string({ unit: 'grapheme' }),
  scope: fc.string({ unit: 'grapheme' }),
  key: fc.string({ unit: 'grapheme' }),
})
const heads = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 4 })

describe('itemOf', () => {
  it('keeps its format', () => {
    const entry = { kind: 'memory', scope: 'mesh', key: 'naïve/κλειδί' }
    expect(hex(subjectOf('mesh-1', entry))).toBe('0fcc184d28a44d211b0baad67ef721029e6f0533bd08d60cb5a719bc780464cd')
    expect(hex(itemOf('mesh-1', entry, [head(2), head(1)]))).toBe(
      '0fcc184d8d30005b0fcc184df737e02c0fcc184defb2237f0fcc184da28d0b42',
    )
  })

  it('is the keyed hash that it is said to be, whatever the order of heads', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), names, heads, (meshId, subject, unsorted) => {
        const { kind, scope, key } = subject
        const described = describedItem(meshId, [kind, scope, key], unsorted)
        expect(hex(subjectOf(meshId, subject))).toBe(describedSubject(meshId, [kind, scope, key]).toString('hex'))
        expect(hex(itemOf(meshId, subject, unsorted))).toBe(described)
        expect(hex(itemOf(meshId, subject, unsorted.toReversed()))).toBe(described)
        expect(hex(itemOfVersion(subjectOf(meshId, subject), unsorted))).toBe(described)
      }),
    )
  })

  it('leaves what it is given as it is', () => {
    const given = [head(2), head(1)]
    const subject = subjectOf('m', { kind: 'skill', scope: 'mesh', key: 'k' })
    const before = hex(subject)
    const item = itemOfVersion(subject, given)
    item.fill(0)
    expect(given).toEqual([head(2), head(1)])
    expect(hex(subject)).toBe(before)
  })

  it('differs where any part differs, also where parts run together to the same text', () => {
    const subjects = [
      ['m', 'memory', 'mesh', 'key', [head(1)]],
      ['n', 'memory', 'mesh', 'key', [head(1)]],
      ['m', 'skill', 'mesh', 'key', [head(1)]],
      ['m', 'memory', 'meshk', 'ey', [head(1)]],
      ['m', 'memory', 'mes', 'hkey', [head(1)]],
      ['m', 'memory', 'mesh', 'key', []],
      ['m', 'memory', 'mesh', 'key', [head(2)]],
      ['m', 'memory', 'mesh', 'key', [head(1), head(2)]],
    ] as const
    const items = subjects.map(([meshId, kind, scope, key, given]) => itemOf(meshId, { kind, scope, key }, given))
    for (const window of WINDOWS) {
      const ids = items.map((item) => hex(item.subarray(8 * window, 8 * window + 8)))
      expect(new Set(ids).size).toBe(subjects.length)
    }
    const tags = subjects.map(([meshId, kind, scope, key]) =>
      hex(subjectOf(meshId, { kind, scope, key }).subarray(0, 4)),
    )
    expect(new Set(tags).size).toBe(5)
  })

  it('has the tag of its entry in every window, whatever its version', () => {
    fc.assert(
      fc.property(names, heads, (entry, given) => {
        const item = itemOf('m', entry, given)
        const tag = hex(subjectOf('m', entry).subarray(0, TAG_BYTES))
        expect(item.length).toBe(ITEM_BYTES)
        expect(windowsOf(item).map((window) => window.tag)).toEqual([tag, tag, tag, tag])
      }),
    )
  })

  it('has a lane of its own in every window for each version of an entry', () => {
    const subject = subjectOf('m', { kind: 'memory', scope: 'mesh', key: 'key' })
    const lanes = hashes('version', 300).flatMap((one) =>
      windowsOf(itemOfVersion(subject, [one])).map(({ lane }) => lane),
    )
    expect(new Set(lanes).size).toBe(4 * 300)
  })

  it('has another tag, and other lanes for the same heads, where the entry is another', () => {
    const windows = Array.from({ length: 300 }, (_, i) =>
      windowsOf(itemOf('m', { kind: 'memory', scope: 'mesh', key: `key ${i}` }, [head(1)])),
    ).flat()
    expect(new Set(windows.map(({ tag }) => tag)).size).toBe(300)
    expect(new Set(windows.map(({ lane }) => lane)).size).toBe(4 * 300)
  })
})
