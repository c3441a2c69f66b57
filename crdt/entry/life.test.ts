import { afterEach, describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow, type SkillRow } from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')
const by = (nodeId: string, at = 100) => ({ nodeId, at })

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})

function nodes(count: number, id: EntryId = MEMORY): EntryDocument[] {
  const created = Array.from({ length: count }, (_, n) => EntryDocument.create(id, actorOf(n + 1)))
  opened.push(...created)
  return created
}

function put(document: EntryDocument, value: JsonValue, author = by('ceo')): string {
  return document.put({ kind: 'memory', value }, author)
}

/** Every document takes in what every other holds. */
function meet(...documents: readonly EntryDocument[]): void {
  for (const to of documents) for (const from of documents) to.apply(from.changesSince(to.heads))
  for (const document of documents) expect(document.view()).toEqual((documents[0] as EntryDocument).view())
}

const shownBy = (document: EntryDocument | undefined) => (document?.view().row as MemoryRow | undefined)?.value

describe('a delete', () => {
  it('takes the row away, and is a change like others', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, { x: 1 })
    const hash = a.remove(by('sec', 200))
    meet(a, b)
    expect(b.heads).toEqual([hash])
    expect(b.view()).toMatchObject({ row: undefined, updatedAt: 200, conflicts: 0 })
    expect(b.authoredHashes()).toContain(hash)
  })

  it('of what is not live writes nothing', () => {
    const [a] = nodes(1) as [EntryDocument]
    expect(a.remove(by('ceo'))).toBeUndefined()
    expect(a.heads).toEqual([])
    put(a, 1)
    a.remove(by('ceo'))
    const { heads } = a
    expect(a.remove(by('ceo'))).toBeUndefined()
    expect(a.heads).toEqual(heads)
  })

  it('on two nodes at once is a delete', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 1)
    meet(a, b)
    a.remove(by('ceo'))
    b.remove(by('sec'))
    meet(a, b)
    expect(a.view().row).toBeUndefined()
  })

  it('wins over a put that it had seen, also when it arrives first', () => {
    const [a, b, c] = nodes(3) as [EntryDocument, EntryDocument, EntryDocument]
    put(a, 1)
    b.apply(a.changesSince([]))
    b.remove(by('sec'))
    c.apply(b.changesSince([]).toReversed())
    expect(c.view().row).toBeUndefined()
  })
})

describe('a put beside a concurrent delete', () => {
  it.each<[string, JsonValue]>([
    ['of another value', { a: 9, b: { c: 2, d: 3 } }],
    ['of the very same value', { a: 1, b: { c: 2, d: 3 } }],
    ['of a smaller value', { b: { d: 3 } }],
  ])('wins, whole: %s', (_, value) => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, { a: 1, b: { c: 2, d: 3 } })
    meet(a, b)
    a.remove(by('ceo', 999))
    put(b, value, by('sec', 1))
    meet(a, b)
    expect(shownBy(a)).toEqual(value)
    expect(a.conflicts()).toEqual([])
  })

  it('wins in a skill too, with all of its text', () => {
    const [a, b] = nodes(2, SKILL) as [EntryDocument, EntryDocument]
    const content = '# Deploy\n\nfirst\nsecond\n'
    a.put({ kind: 'skill', content }, by('ceo'))
    meet(a, b)
    a.remove(by('ceo'))
    b.put({ kind: 'skill', content }, by('sec'))
    meet(a, b)
    expect((a.view().row as SkillRow).content).toBe(content)
  })

  it('wins over any number of deletes, and after any number of puts', () => {
    for (let puts = 1; puts <= 4; puts++) {
      const [a, b, c] = nodes(3) as [EntryDocument, EntryDocument, EntryDocument]
      put(a, 'x')
      meet(a, b, c)
      for (let n = 0; n < puts; n++) put(b, 'x', by('sec'))
      a.remove(by('ceo'))
      c.remove(by('lab'))
      meet(a, b, c)
      expect(shownBy(c)).toBe('x')
    }
  })

  it('leaves nothing of it: a later delete is one again, and a later put is only what it says', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, { a: 1 })
    meet(a, b)
    put(a, { a: 1 })
    put(b, { a: 1, b: 2 }, by('sec'))
    meet(a, b)
    a.remove(by('ceo'))
    meet(a, b)
    expect(b.view().row).toBeUndefined()
    put(b, { c: 3 }, by('sec'))
    meet(a, b)
    expect(shownBy(a)).toEqual({ c: 3 })
  })

  it('of one of two who put: both puts survive', () => {
    const [a, b, c] = nodes(3) as [EntryDocument, EntryDocument, EntryDocument]
    put(a, { k: 0 })
    meet(a, b, c)
    a.remove(by('ceo'))
    put(b, { k: 0, b: 1 }, by('sec'))
    put(c, { k: 0, c: 1 }, by('lab'))
    meet(a, b, c)
    expect(shownBy(a)).toEqual({ k: 0, b: 1, c: 1 })
  })
})

describe('a put after a delete', () => {
  it('is only what it says: what was hidden does not come back', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, { a: 1, b: 2 })
    a.remove(by('ceo'))
    put(a, { b: 3 })
    meet(a, b)
    expect(shownBy(b)).toEqual({ b: 3 })
  })

  it('is diffed against the hidden leaves: what is equal is not written again', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    const long = 'x'.repeat(20_000)
    put(a, { long, n: 1 })
    const before = a.save().length
    a.remove(by('ceo'))
    meet(a, b)
    put(a, { long, n: 2 })
    expect(a.save().length - before).toBeLessThan(500)
    // And so a change of a hidden leaf by somebody who had not heard of the delete is kept, not contradicted.
    put(b, { long: 'other', n: 1 }, by('sec'))
    meet(a, b)
    expect(shownBy(a)).toMatchObject({ long: 'other' })
  })

  it('in a skill is diffed against the hidden text', () => {
    const [a] = nodes(1, SKILL) as [EntryDocument]
    const content = Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('')
    a.put({ kind: 'skill', content }, by('ceo'))
    const before = a.save().length
    a.remove(by('ceo'))
    a.put({ kind: 'skill', content: `${content}more\n` }, by('ceo'))
    expect((a.view().row as SkillRow).content).toBe(`${content}more\n`)
    expect(a.save().length - before).toBeLessThan(500)
  })
})

describe('who and when', () => {
  it('are said by the document alone: the latest head by time, then by hash', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    const first = put(a, { a: 1 }, by('ceo', 100))
    const second = put(b, { b: 1 }, by('sec', 100))
    meet(a, b)
    expect(a.view().row).toMatchObject({ node_id: first > second ? 'ceo' : 'sec', updated_at: 100 })
    put(a, { c: 1 }, by('ceo', 300))
    put(b, { d: 1 }, by('sec', 200))
    meet(a, b)
    expect(b.view().row).toMatchObject({ node_id: 'ceo', updated_at: 300 })
  })

  it('are those of a delete as well', () => {
    const [a] = nodes(1) as [EntryDocument]
    put(a, 1, by('ceo', 100))
    a.remove(by('sec', 150))
    expect(a.view().updatedAt).toBe(150)
    put(a, 2, by('ceo', 120))
    expect(a.view().row).toMatchObject({ node_id: 'ceo', updated_at: 150 })
  })

  it('never run backwards under a clock that jumps (S-08)', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    const tenYears = 10 * 365 * 86_400
    let before = 0
    for (const [n, at] of [2e9, 2e9 - tenYears, 0, 2e9 + tenYears, 5, -7].entries()) {
      const [writer, reader] = n % 2 === 0 ? [a, b] : [b, a]
      writer.put({ kind: 'memory', value: n }, by('ceo', at))
      meet(writer, reader)
      expect(reader.view().updatedAt).toBeGreaterThanOrEqual(before)
      before = reader.view().updatedAt
    }
    expect(before).toBe(2e9 + tenYears)
    expect(a.history().map(({ at }) => at)).toEqual([2e9, 2e9, 2e9, 2e9 + tenYears, 2e9 + tenYears, 2e9 + tenYears])
  })
})

describe('history', () => {
  it('tells every put and delete with author and time, oldest first', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    const hashes = [
      put(a, 1, by('ceo', 10)),
      a.remove(by('sec', 20)),
      put(a, 1, by('ceo', 30)),
      put(a, 1, by('lab', 40)),
    ]
    meet(a, b)
    expect(b.history()).toEqual([
      { hash: hashes[0], nodeId: 'ceo', at: 10, action: 'put' },
      { hash: hashes[1], nodeId: 'sec', at: 20, action: 'delete' },
      { hash: hashes[2], nodeId: 'ceo', at: 30, action: 'put' },
      { hash: hashes[3], nodeId: 'lab', at: 40, action: 'put' },
    ])
    expect(b.authoredHashes()).toEqual(hashes)
  })

  it('holds no change without an author, in either kind', () => {
    const [a] = nodes(1) as [EntryDocument]
    const [s] = nodes(1, SKILL) as [EntryDocument]
    for (const n of [1, 2, 3]) {
      put(a, { n }, by('ceo', n))
      s.put({ kind: 'skill', content: `a\nb${n}\nc\n`, path: `/p${n}` }, by('ceo', n))
      s.putDerived({ kind: 'skill', content: `a\nb${n}\nc${n}\n` }, by('ceo', n))
    }
    a.remove(by('ceo', 4))
    s.remove(by('ceo', 4))
    for (const { nodeId, at } of [...a.history(), ...s.history()]) expect([nodeId, at > 0]).toEqual(['ceo', true])
    expect([a.history().length, s.history().length]).toEqual([4, 7])
    // One change each, beside the first.
    expect([a.changesSince([]).length, s.changesSince([]).length]).toEqual([5, 8])
  })

  it('is told in one order on every node', () => {
    const [a, b, c] = nodes(3) as [EntryDocument, EntryDocument, EntryDocument]
    put(a, { a: 1 }, by('ceo', 10))
    put(b, { b: 1 }, by('sec', 10))
    put(c, { c: 1 }, by('lab', 10))
    meet(a, b, c)
    expect(a.history()).toEqual(b.history())
    expect(b.history()).toEqual(c.history())
  })

  it('of nothing is empty', () => {
    const [a] = nodes(1) as [EntryDocument]
    expect(a.history()).toEqual([])
    expect(a.view()).toEqual({ row: undefined, updatedAt: 0, heads: [], conflicts: 0 })
    expect(a.conflicts()).toEqual([])
  })
})
