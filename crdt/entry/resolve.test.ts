import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow, type SkillRow } from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})

function node(n: number, id = MEMORY): EntryDocument {
  const document = EntryDocument.create(id, actorOf(n))
  opened.push(document)
  return document
}

function meet(a: EntryDocument, b: EntryDocument): void {
  a.apply(b.changesSince(a.heads))
  b.apply(a.changesSince(b.heads))
  expect(a.view()).toEqual(b.view())
}

/** A node that holds what two made of `base` at once. */
function apart(base: JsonValue, first: JsonValue, second: JsonValue): { a: EntryDocument; b: EntryDocument } {
  const [a, b] = [node(1), node(2)]
  a.put({ kind: 'memory', value: base }, { nodeId: 'ceo', at: 1 })
  b.apply(a.changesSince([]))
  a.put({ kind: 'memory', value: first }, { nodeId: 'ceo', at: 2 })
  b.put({ kind: 'memory', value: second }, { nodeId: 'sec', at: 3 })
  meet(a, b)
  return { a, b }
}

const resolve = (document: EntryDocument, choices: readonly (readonly [string, JsonValue])[]) =>
  document.resolve(new Map(choices), { nodeId: 'lab', at: 9 })
const shownBy = (document: EntryDocument) => (document.view().row as MemoryRow).value

describe('a conflict in a memory', () => {
  it('is ended by the value that is shown already', () => {
    const { a, b } = apart({ x: 1, y: 1 }, { x: 2, y: 1 }, { x: 3, y: 1 })
    const [conflict] = a.conflicts()
    const shown = conflict?.values[0]?.value as JsonValue
    resolve(a, [['/x', shown]])
    meet(a, b)
    expect(b.conflicts()).toEqual([])
    expect(shownBy(b)).toEqual({ x: shown, y: 1 })
    expect(b.view().row).toMatchObject({ node_id: 'lab', updated_at: 9 })
  })

  it('is ended by any other value, and what is in conflict elsewhere stays so', () => {
    const { a } = apart({ x: 1, y: 1 }, { x: 2, y: 2 }, { x: 3, y: 3 })
    resolve(a, [['/x', { both: [2, 3] }]])
    expect(a.conflicts().map(({ path }) => path)).toEqual(['/y'])
    expect(shownBy(a)).toMatchObject({ x: { both: [2, 3] } })
  })

  it('between a leaf and what lies below it is ended either way', () => {
    for (const chosen of [{ p: 1 }, 'text'] as const) {
      const { a } = apart({ x: 0 }, { x: 'text' }, { x: { p: 1 } })
      expect(a.conflicts().map(({ path }) => path)).toEqual(['/x'])
      resolve(a, [['/x', chosen]])
      expect(a.conflicts()).toEqual([])
      expect(shownBy(a)).toEqual({ x: chosen })
    }
  })

  it('of the whole value is ended', () => {
    const { a } = apart(0, 1, 2)
    resolve(a, [['', [1, 2]]])
    expect([a.conflicts(), shownBy(a)]).toEqual([[], [1, 2]])
  })

  it('keeps when the entry expires', () => {
    const { a } = apart({ x: 1 }, { x: 2 }, { x: 3 })
    a.put({ kind: 'memory', value: shownBy(a), expiresAt: 500 }, { nodeId: 'ceo', at: 5 })
    resolve(a, [['/x', 7]])
    expect(a.view().row).toMatchObject({ value: { x: 7 }, expires_at: 500 })
  })

  it('is ended everywhere by what is shown everywhere, which changes nothing that is shown', () => {
    const small = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>
    fc.assert(
      fc.property(small, small, small, (base, first, second) => {
        const { a } = apart(base, first, second)
        const before = shownBy(a)
        const choices = a.conflicts().map(({ path, values }) => [path, values[0]?.value as JsonValue] as const)
        if (choices.length > 0) resolve(a, choices)
        expect(a.conflicts()).toEqual([])
        expect(shownBy(a)).toEqual(before)
        for (const document of opened.splice(0)) document.free()
      }),
    )
  })
})

describe('a conflict in a skill', () => {
  const skills = () => {
    const [a, b] = [node(1, SKILL), node(2, SKILL)]
    a.put({ kind: 'skill', content: 'one\n', path: '/a' }, { nodeId: 'ceo', at: 1 })
    b.put({ kind: 'skill', content: 'two\n', path: '/b' }, { nodeId: 'sec', at: 1 })
    meet(a, b)
    expect(a.conflicts().map(({ path }) => path)).toEqual(['content', 'path'])
    return { a, b }
  }

  it('is ended by the text that is shown, or by the other, or by one that holds both', () => {
    for (const chosen of ['one\n', 'two\n', 'one\ntwo\n']) {
      const { a, b } = skills()
      resolve(a, [['content', chosen]])
      meet(a, b)
      expect(b.conflicts().map(({ path }) => path)).toEqual(['path'])
      expect((b.view().row as SkillRow).content).toBe(chosen)
    }
  })

  it('is ended for its path alone', () => {
    const { a } = skills()
    const { content, path } = a.view().row as SkillRow
    resolve(a, [['path', path]])
    expect(a.conflicts().map((one) => one.path)).toEqual(['content'])
    expect(a.view().row).toMatchObject({ content, path })
  })
})

describe('the row at a change', () => {
  it('is what the entry showed to whoever made it', () => {
    const { a } = apart({ x: 1 }, { x: 2 }, { x: 3 })
    a.remove({ nodeId: 'ceo', at: 4 })
    const rows = a.history().map(({ hash }) => (a.rowAt(hash) as MemoryRow | undefined)?.value)
    expect(rows).toEqual([{ x: 1 }, { x: 2 }, { x: 3 }, undefined])
  })
})
