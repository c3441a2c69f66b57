import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { itemOf } from './index.ts'

const head = (fill: number) => new Uint8Array(32).fill(fill)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** The same by the description alone, from what Node has had longest. */
function described(meshId: string, texts: readonly string[], heads: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  const sorted = heads.map(hex).sort()
  const parts = ['openclaw-mesh item 1', meshId, ...texts].map((text) => Buffer.from(text, 'utf8'))
  for (const part of [...parts, ...sorted.map((text) => Buffer.from(text, 'hex'))]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest('hex')
}

describe('itemOf', () => {
  it('keeps its format', () => {
    const item = itemOf('mesh-1', { kind: 'memory', scope: 'mesh', key: 'naïve/κλειδί' }, [head(2), head(1)])
    expect(hex(item)).toBe('2985b0f5b671ecaf15f363196b834884a29e3713d0f02e1a6fa323ee8d06b759')
  })

  it('is the keyed hash that it is said to be, whatever the order of heads', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 4, maxLength: 4 })
    const heads = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 4 })
    fc.assert(
      fc.property(texts, heads, ([meshId, kind, scope, key], unsorted) => {
        const names = [kind, scope, key] as [string, string, string]
        const item = itemOf(meshId as string, { kind: names[0], scope: names[1], key: names[2] }, unsorted)
        expect(hex(item)).toBe(described(meshId as string, names, unsorted))
        expect(
          hex(itemOf(meshId as string, { kind: names[0], scope: names[1], key: names[2] }, unsorted.toReversed())),
        ).toBe(hex(item))
      }),
    )
  })

  it('leaves the heads that it is given in their order', () => {
    const heads = [head(2), head(1)]
    itemOf('m', { kind: 'skill', scope: 'mesh', key: 'k' }, heads)
    expect(heads).toEqual([head(2), head(1)])
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
    const items = subjects.map(([meshId, kind, scope, key, heads]) => hex(itemOf(meshId, { kind, scope, key }, heads)))
    expect(new Set(items).size).toBe(subjects.length)
  })
})
