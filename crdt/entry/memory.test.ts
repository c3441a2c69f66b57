import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow } from './index.ts'

const ID: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})
function keep(document: EntryDocument): EntryDocument {
  opened.push(document)
  return document
}

/** Two nodes that both hold `value`, or each nothing. */
function twoNodes(value?: JsonValue) {
  const [a, b] = [keep(EntryDocument.create(ID, actorOf(1))), keep(EntryDocument.create(ID, actorOf(2)))]
  if (value !== undefined) {
    put(a, value)
    b.apply(a.changesSince([]))
  }
  return { a, b }
}

function put(document: EntryDocument, value: JsonValue, nodeId = 'ceo', at = 100): void {
  document.put({ kind: 'memory', value }, { nodeId, at })
}

function meet(a: EntryDocument, b: EntryDocument): void {
  a.apply(b.changesSince(a.heads))
  b.apply(a.changesSince(b.heads))
  expect(a.view()).toEqual(b.view())
}

const shownBy = (document: EntryDocument) => (document.view().row as MemoryRow | undefined)?.value
const placesOf = (document: EntryDocument) =>
  document.conflicts().map(({ path, values }) => [path, values.map(({ value }) => value)])

/** What both nodes show after concurrent puts over `base` (nothing where that is undefined), and where they disagree. */
function together(base: JsonValue | undefined, first: JsonValue, second: JsonValue) {
  const { a, b } = twoNodes(base)
  put(a, first, 'ceo')
  put(b, second, 'sec')
  meet(a, b)
  expect(a.view().conflicts).toBe(a.conflicts().length)
  return { value: shownBy(a), conflicts: placesOf(a), a, b }
}

describe('concurrent puts', () => {
  it.each<[string, JsonValue | undefined, JsonValue, JsonValue, JsonValue]>([
    ['at the top, both creating', undefined, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['one level down, both creating', undefined, { p: { a: 1 } }, { p: { b: 2 } }, { p: { a: 1, b: 2 } }],
    [
      'four down, both creating',
      undefined,
      { a: { b: { c: { d: 1 } } } },
      { a: { b: { c: { e: 2 } } } },
      { a: { b: { c: { d: 1, e: 2 } } } },
    ],
    ['over a scalar', 5, { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['over an array', [1], { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['over an empty object', {}, { a: 1 }, { b: { c: 2 } }, { a: 1, b: { c: 2 } }],
    ['adding and removing', { a: 1, b: 2 }, { a: 1 }, { a: 1, b: 2, c: 3 }, { a: 1, c: 3 }],
    ['removing one place and changing another', { a: 1, b: 2 }, { b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ])('at different places both survive: %s', (_, base, first, second, expected) => {
    expect(together(base, first, second)).toMatchObject({ value: expected, conflicts: [] })
  })

  it('at different places both survive at every depth, for any values', () => {
    const names = fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 4 }), { minLength: 2, maxLength: 6 })
    const leaf = fc.constantFrom<JsonValue>(0, 'x', null, [1, 2], {}, true)
    fc.assert(
      fc.property(names, fc.nat({ max: 3 }), leaf, leaf, fc.boolean(), (path, depth, mine, theirs, fresh) => {
        fc.pre(!path.includes('__proto__'))
        const [here, there] = path.slice(-2) as [string, string]
        const trunk = path.slice(0, Math.min(depth, path.length - 2))
        const within = (member: JsonValue) => trunk.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), member)
        const { a, b } = twoNodes(fresh ? undefined : within({ [here]: 'old', [there]: 'old' }))
        put(a, within(fresh ? { [here]: mine } : { [here]: mine, [there]: 'old' }))
        put(b, within(fresh ? { [there]: theirs } : { [here]: 'old', [there]: theirs }))
        meet(a, b)
        expect(shownBy(a)).toEqual(within({ [here]: mine, [there]: theirs }))
        expect(a.conflicts()).toEqual([])
        for (const document of opened.splice(0)) document.free()
      }),
      { numRuns: 150 },
    )
  })

  it.each<[JsonValue | undefined, JsonValue]>([
    [undefined, 'x'],
    [undefined, { a: { b: [1, { c: 1e20 }] } }],
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, {}],
    [1, { a: {} }],
  ])('of one value over %j are no conflict: %j', (base, value) => {
    expect(together(base, value, structuredClone(value))).toMatchObject({ value, conflicts: [] })
  })

  it('of different values at one leaf are a conflict that names both, the shown one first', () => {
    const { a, conflicts, value } = together({ a: 0, b: 0 }, { a: 1, b: 0 }, { a: 2, b: 0 })
    const shown = (value as { a: number }).a
    expect(conflicts).toEqual([['/a', [shown, 3 - shown]]])
    const said = a.conflicts()[0]?.values ?? []
    expect(said.map(({ value, nodeId, updatedAt }) => [value, nodeId, updatedAt]).sort()).toEqual([
      [1, 'ceo', 100],
      [2, 'sec', 100],
    ])
  })

  it('of arrays replace them whole', () => {
    const { conflicts, value } = together([1], [1, 2], [1, 3])
    expect([
      [1, 2],
      [1, 3],
    ]).toContainEqual(value)
    expect(conflicts).toHaveLength(1)
  })

  it('of three nodes can disagree in three ways', () => {
    const { a, b } = together({ k: 0 }, { k: 1 }, { k: 2 })
    const c = keep(EntryDocument.create(ID, actorOf(3)))
    put(c, { k: 3 }, 'lab')
    meet(a, c)
    meet(b, c)
    expect(b.conflicts().map(({ values }) => values.map(({ value }) => value).sort())).toEqual([[1, 2, 3]])
  })

  it('need not lose an object of which each node removes the members that the other keeps', () => {
    // No leaf is left. What is shown is still an object: nobody ever wrote null.
    expect(together({ a: 1, b: 2 }, { a: 1 }, { b: 2 }).value).toEqual({})
  })
})

describe('a leaf above deeper ones', () => {
  it('shows the deeper ones and is reported, with what is shown in its place', () => {
    const { value, conflicts, a } = together({ p: 0 }, { p: 5 }, { p: { q: 1 } })
    expect(value).toEqual({ p: { q: 1 } })
    expect(conflicts).toEqual([['/p', [{ q: 1 }, 5]]])
    expect(a.conflicts()[0]?.values[1]).toEqual({ value: 5, nodeId: 'ceo', updatedAt: 100 })
  })

  it('can be the whole value', () => {
    const { value, conflicts } = together(0, 'text', { a: 1, b: 2 })
    expect(value).toEqual({ a: 1, b: 2 })
    expect(conflicts).toEqual([['', [{ a: 1, b: 2 }, 'text']]])
  })

  it('is found over any distance', () => {
    expect(together({ p: 0 }, { p: 5 }, { p: { q: { r: { s: 1 } } } }).conflicts).toEqual([
      ['/p', [{ q: { r: { s: 1 } } }, 5]],
    ])
  })

  it('is no conflict where it is the empty object, at any place', () => {
    expect(together(undefined, {}, { a: 1 })).toMatchObject({ value: { a: 1 }, conflicts: [] })
    expect(together({ p: 0 }, { p: {} }, { p: { q: { r: 1 } } })).toMatchObject({
      value: { p: { q: { r: 1 } } },
      conflicts: [],
    })
  })

  it('is not one because its path begins alike', () => {
    expect(together({ x: 0 }, { x: 0, a: 1 }, { x: 0, ab: { c: 2 }, 'a/b': 3 })).toMatchObject({
      value: { x: 0, a: 1, ab: { c: 2 }, 'a/b': 3 },
      conflicts: [],
    })
  })

  it('stays when something else is written, and goes when it is written itself', () => {
    const { a, b } = together({ p: 0, z: 0 }, { p: 5, z: 0 }, { p: { q: 1 }, z: 0 })
    put(a, { p: { q: 1 }, z: 1 })
    expect(placesOf(a)).toEqual([['/p', [{ q: 1 }, 5]]])
    put(a, { p: 5, z: 1 })
    meet(a, b)
    expect(shownBy(a)).toEqual({ p: 5, z: 1 })
    expect(a.conflicts()).toEqual([])
  })

  it('goes with the whole place, and when the place gets other members', () => {
    const gone = together({ p: 0, z: 0 }, { p: 5, z: 0 }, { p: { q: 1 }, z: 0 }).a
    put(gone, { z: 0 })
    expect(shownBy(gone)).toEqual({ z: 0 })
    expect(gone.conflicts()).toEqual([])
    const other = together({ p: 0 }, { p: 5 }, { p: { q: 1 } }).a
    put(other, { p: { r: 2 } })
    expect(shownBy(other)).toEqual({ p: { r: 2 } })
    expect(other.conflicts()).toEqual([])
  })
})

describe('a conflict', () => {
  it('stays when another place is written, also by reading, changing and writing the whole value', () => {
    const { a, b, conflicts, value } = together({ k: 0, z: 0 }, { k: 1, z: 0 }, { k: 2, z: 0 })
    put(a, { ...(value as object), z: 9 })
    meet(a, b)
    expect(placesOf(b)).toEqual(conflicts)
    expect(shownBy(b)).toEqual({ ...(value as object), z: 9 })
  })

  it('is resolved by writing another value at its place, or none', () => {
    const { a, b } = together({ k: 0, z: 0 }, { k: 1, z: 0 }, { k: 2, z: 0 })
    put(a, { k: 3, z: 0 })
    meet(a, b)
    expect(b.conflicts()).toEqual([])
    expect(shownBy(b)).toEqual({ k: 3, z: 0 })
    const { a: c, b: d } = together({ k: 0, z: 0 }, { k: 1, z: 0 }, { k: 2, z: 0 })
    put(c, { z: 0 })
    meet(c, d)
    expect(d.conflicts()).toEqual([])
    expect(shownBy(d)).toEqual({ z: 0 })
  })

  it('is resolved by writing the value that was not shown', () => {
    const { a, value } = together({ k: 0 }, { k: 1 }, { k: 2 })
    const hidden = 3 - (value as { k: number }).k
    put(a, { k: hidden })
    expect(shownBy(a)).toEqual({ k: hidden })
    expect(a.conflicts()).toEqual([])
  })

  it('is none while the entry is deleted', () => {
    const { a } = together({ k: 0 }, { k: 1 }, { k: 2 })
    a.remove({ nodeId: 'ceo', at: 200 })
    expect(a.conflicts()).toEqual([])
    expect(a.view().conflicts).toBe(0)
  })
})
