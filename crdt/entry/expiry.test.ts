import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, MESH_SCOPE } from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')
const BY = { nodeId: 'ceo', at: 100 }

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})

function node(n: number, id = MEMORY): EntryDocument {
  const document = EntryDocument.create(id, actorOf(n))
  opened.push(document)
  return document
}

function put(document: EntryDocument, value: number, expiresAt?: number): void {
  const what = document.id.kind === 'memory' ? { kind: 'memory', value } : { kind: 'skill', content: String(value) }
  document.put({ ...what, expiresAt } as Parameters<EntryDocument['put']>[0], BY)
}

function meet(a: EntryDocument, b: EntryDocument): void {
  a.apply(b.changesSince(a.heads))
  b.apply(a.changesSince(b.heads))
  expect(a.view()).toEqual(b.view())
}

function expiryOf(document: EntryDocument): number | undefined {
  const loaded = EntryDocument.load(document.id, document.save(), actorOf(99))
  opened.push(loaded)
  expect(loaded.view()).toEqual(document.view())
  return document.view().row?.expires_at
}

describe.each([MEMORY, SKILL])('when a $kind expires', (id) => {
  it('is said by its latest put, for ever where that says nothing', () => {
    const a = node(1, id)
    const said = [undefined, 500, 500, 600, undefined, undefined, 700]
    const shown = said.map((expiresAt) => {
      put(a, 1, expiresAt)
      return expiryOf(a)
    })
    expect(shown).toEqual(said)
    expect(a.history()).toHaveLength(said.length)
  })

  it('is forgotten by a delete', () => {
    const a = node(1, id)
    put(a, 1, 500)
    a.remove(BY)
    put(a, 1)
    expect(expiryOf(a)).toBeUndefined()
  })

  it.each([
    ['the later of two', 500, 900, 900],
    ['never, if one of them is to stay', 500, undefined, undefined],
    ['never, in whatever order they come', undefined, 500, undefined],
  ])('is, of puts that knew nothing of each other, %s', (_, first, second, expected) => {
    const [a, b] = [node(1, id), node(2, id)]
    put(a, 1)
    b.apply(a.changesSince([]))
    put(a, 2, first)
    put(b, 3, second)
    meet(a, b)
    expect(expiryOf(a)).toBe(expected)
    put(a, 4, 650)
    meet(a, b)
    expect(expiryOf(b)).toBe(650)
  })
})

it('a mark that no put writes means that the entry does not expire', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (expiresAt) => {
      const a = node(1)
      put(a, 1, expiresAt)
      const isTime = expiresAt > 0 && expiresAt <= 253_402_300_799
      if (isTime) expect(expiryOf(a)).toBe(expiresAt)
      else expect(EntryDocument.load(MEMORY, a.save(), actorOf(9)).view().row?.expires_at).toBeUndefined()
    }),
    { examples: [[253_402_300_799], [253_402_300_800], [0], [-1]] },
  )
})
