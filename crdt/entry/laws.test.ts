import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EntryContent, EntryDocument, type EntryId, MESH_SCOPE } from './index.ts'

/** What three nodes do to one entry, and when they meet. */
type Step =
  | { readonly act: 'put' | 'putDerived'; readonly node: number; readonly content: EntryContent; readonly at: number }
  | { readonly act: 'remove'; readonly node: number; readonly at: number }
  | { readonly act: 'merge'; readonly node: number; readonly from: number }

const NAMES = ['ceo', 'sec', 'lab'] as const
const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }

const actorOf = (n: number) => n.toString(16).padStart(32, '0')

// Few names and leaves, so that nodes meet at the same places.
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, false, 0, 1, 'x', [], [1], {}),
    fc.dictionary(fc.constantFrom('a', 'b'), tie('value'), { maxKeys: 2 }),
  ),
}))
const memories = value.map((one): EntryContent => ({ kind: 'memory', value: one as never }))
const lines = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', 'd\n', 'e'), { maxLength: 6 })
const skills = fc
  .tuple(lines, fc.option(fc.constantFrom('/one', '/two'), { nil: undefined }))
  .map(([text, path]): EntryContent => ({ kind: 'skill', content: text.join(''), path }))

const stepsOf = (contents: fc.Arbitrary<EntryContent>) => {
  const node = fc.nat({ max: 2 })
  // A clock that jumps: nothing may depend on it but what people are shown.
  const at = fc.nat({ max: 50 })
  const put = fc.record({
    act: fc.constantFrom('put' as const, 'put', 'put', 'putDerived'),
    node,
    content: contents,
    at,
  })
  const remove = fc.record({ act: fc.constant('remove' as const), node, at })
  const merge = fc.record({ act: fc.constant('merge' as const), node, from: node })
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: put },
    { weight: 2, arbitrary: remove },
    { weight: 3, arbitrary: merge },
  )
  return fc.array(step, { maxLength: 14 })
}

function live(id: EntryId, steps: readonly Step[]): EntryDocument[] {
  const nodes = NAMES.map((_, n) => EntryDocument.create(id, actorOf(n + 1)))
  for (const step of steps) {
    const document = nodes[step.node] as EntryDocument
    const nodeId = NAMES[step.node] as string
    if (step.act === 'merge') document.apply((nodes[step.from] as EntryDocument).changesSince(document.heads))
    else if (step.act === 'remove') document.remove({ nodeId, at: step.at })
    // What is imported is alike on every node, its author too.
    else if (step.act === 'putDerived') document.putDerived(step.content, { nodeId: 'older', at: step.at })
    else document.put(step.content, { nodeId, at: step.at })
  }
  return nodes
}

/** A new document with the changes of others, taken in one after the other. */
function merged(id: EntryId, ...sources: readonly EntryDocument[]): EntryDocument {
  const document = EntryDocument.create(id, actorOf(99))
  for (const source of sources) document.apply(source.changesSince([]))
  return document
}

/** All that can be seen of a document. */
function seen(document: EntryDocument) {
  return {
    heads: document.heads,
    view: document.view(),
    conflicts: document.conflicts(),
    history: document.history().toSorted((a, b) => (a.hash < b.hash ? -1 : 1)),
    authored: document.authoredHashes().toSorted(),
  }
}

/** Runs `check` on documents and frees all of them, whatever happens. */
function freeing(check: (keep: (document: EntryDocument) => EntryDocument) => void): void {
  const documents: EntryDocument[] = []
  try {
    check((document) => {
      documents.push(document)
      return document
    })
  } finally {
    for (const document of documents) document.free()
  }
}

describe.each([
  ['memory', MEMORY, memories],
  ['skill', SKILL, skills],
] as const)('merging, for any history of three nodes: %s', (_, id, contents) => {
  const check = (law: (nodes: readonly EntryDocument[], keep: (document: EntryDocument) => EntryDocument) => void) =>
    fc.assert(
      fc.property(stepsOf(contents), (steps) => {
        freeing((keep) => law(live(id, steps).map(keep), keep))
      }),
      { numRuns: 60 },
    )

  it('is commutative', () => {
    check(([a, b], keep) => {
      expect(seen(keep(merged(id, a as EntryDocument, b as EntryDocument)))).toEqual(
        seen(keep(merged(id, b as EntryDocument, a as EntryDocument))),
      )
    })
  })

  it('is associative', () => {
    check(([a, b, c], keep) => {
      const left = keep(merged(id, keep(merged(id, a as EntryDocument, b as EntryDocument)), c as EntryDocument))
      const right = keep(merged(id, a as EntryDocument, keep(merged(id, b as EntryDocument, c as EntryDocument))))
      expect(seen(left)).toEqual(seen(right))
    })
  })

  it('is idempotent', () => {
    check(([a], keep) => {
      const before = seen(a as EntryDocument)
      const twice = keep(merged(id, a as EntryDocument, a as EntryDocument))
      expect(seen(twice)).toEqual(before)
      ;(a as EntryDocument).apply(twice.changesSince([]))
      expect(seen(a as EntryDocument)).toEqual(before)
    })
  })

  it('takes changes doubled and in any order (S-09), and from a saved document', () => {
    const shuffles = fc.infiniteStream(fc.nat())
    fc.assert(
      fc.property(stepsOf(contents), shuffles, (steps, random) => {
        freeing((keep) => {
          const nodes = live(id, steps).map(keep)
          const all = nodes.flatMap((node) => node.changesSince([]))
          const keys = new Map(all.map((change) => [change, random.next().value as number]))
          const shuffled = all.toSorted((a, b) => (keys.get(a) as number) - (keys.get(b) as number))
          const expected = seen(keep(merged(id, ...nodes)))
          const document = keep(EntryDocument.create(id, actorOf(98)))
          document.apply(shuffled)
          expect(seen(document)).toEqual(expected)
          expect(seen(keep(EntryDocument.load(id, document.save(), actorOf(97))))).toEqual(expected)
        })
      }),
      { numRuns: 60 },
    )
  })

  it('only ever adds: what was merged in can be merged back, and the view counts what conflicts() lists', () => {
    check((nodes, keep) => {
      const all = keep(merged(id, ...nodes))
      for (const node of nodes) {
        node.apply(all.changesSince(node.heads))
        expect(seen(node)).toEqual(seen(all))
        expect(node.changesSince(all.heads)).toEqual([])
        expect(node.view().conflicts).toBe(node.conflicts().length)
        expect(node.view().heads.map((head) => Buffer.from(head).toString('hex'))).toEqual(node.heads)
      }
    })
  })

  it('never lets updated_at run backwards, on no node, whatever the clocks do (S-08)', () => {
    fc.assert(
      fc.property(stepsOf(contents), (steps) => {
        for (let taken = 1; taken <= steps.length; taken++) {
          freeing((keep) => {
            const before = live(id, steps.slice(0, taken - 1)).map((node) => keep(node).view().updatedAt)
            const after = live(id, steps.slice(0, taken)).map((node) => keep(node).view().updatedAt)
            for (const [n, updatedAt] of after.entries()) expect(updatedAt).toBeGreaterThanOrEqual(before[n] as number)
          })
        }
      }),
      { numRuns: 20 },
    )
  })
})
