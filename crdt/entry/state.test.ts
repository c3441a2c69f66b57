import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { newHandle } from './automerge.ts'
import { type EntryContent, EntryDocument, type EntryId, type JsonValue, MESH_SCOPE } from './index.ts'

/** What three nodes do to one entry, among them one whose changes were not made by this program. */
type Step =
  | { readonly act: 'put' | 'putDerived'; readonly node: number; readonly content: EntryContent; readonly at: number }
  | { readonly act: 'remove'; readonly node: number; readonly at: number }
  | { readonly act: 'merge'; readonly node: number; readonly from: number }
  | { readonly act: 'forge'; readonly node: number; readonly path: string; readonly odd: number; readonly at: number }

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const READER = 'ee'.repeat(16)
const NODES = 3

const actorOf = (n: number) => n.toString(16).padStart(32, '0')

// Members out of order, numbers at the edges and names that sort around a slash: a row must come out alike in text.
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<JsonValue>(null, true, 0, -0, 1.5, 2 ** 53, 1e300, -(2 ** 40), 'x', '', [], {}),
    fc.constantFrom<JsonValue>([1, [-0, 1e20]], [{ b: 1, a: [{}] }], [{ a: [{}], b: 1 }]),
    fc.dictionary(fc.constantFrom('b', 'a', 'a-', 'a/b', '~', ''), tie('value'), { maxKeys: 3 }),
  ),
}))
const memories = value.map((one): EntryContent => ({ kind: 'memory', value: one as JsonValue }))
const skills = fc
  .tuple(
    fc.option(fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', 'd'), { maxLength: 5 }), { nil: undefined }),
    fc.option(fc.constantFrom('/one', '/two'), { nil: undefined }),
  )
  .map(([lines, path]): EntryContent => ({ kind: 'skill', content: lines?.join(''), path }))

const node = fc.nat({ max: NODES - 1 })
const at = fc.nat({ max: 50 })
const path = fc.constantFrom('', '/a', '/a/b', '/b', '/a~1b', 'live', 'content', 'path', '/a~', 'else')

const stepsOf = (contents: fc.Arbitrary<EntryContent>): fc.Arbitrary<Step[]> => {
  const act = fc.constantFrom('put' as const, 'put', 'putDerived')
  const put = fc.record({ act, node, content: contents, at })
  const remove = fc.record({ act: fc.constant('remove' as const), node, at })
  const merge = fc.record({ act: fc.constant('merge' as const), node, from: node })
  const forge = fc.record({ act: fc.constant('forge' as const), node, path, odd: fc.nat({ max: ODD.length - 1 }), at })
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: put },
      { weight: 2, arbitrary: remove },
      { weight: 3, arbitrary: merge },
      { weight: 1, arbitrary: forge },
    ),
    { maxLength: 14 },
  )
}

/** Values of types that this format writes, and of some that it does not, or not so. */
const ODD = [
  ['x', 'str'],
  [1, 'int'],
  [2, 'uint'],
  [3, 'counter'],
  [4, 'timestamp'],
  [Number.NaN, 'f64'],
  [new TextEncoder().encode('{"a":1}'), 'bytes'],
  [new TextEncoder().encode('[ {"b":1, "a":-0} ]'), 'bytes'],
] as const

/** A change by hand over what the document holds, as a foreign program could make one. */
function forge(document: EntryDocument, { path, odd, at }: Extract<Step, { act: 'forge' }>, actor: string): void {
  const handle = newHandle(actor)
  handle.loadIncremental(document.save())
  const [value, datatype] = ODD[odd] as (typeof ODD)[number]
  handle.put('_root', path, value, datatype)
  handle.commit('else', Math.max(at, document.view().updatedAt))
  document.apply(handle.getChanges([...document.heads]))
  handle.free()
}

function take(documents: readonly EntryDocument[], step: Step, forger: string): void {
  const document = documents[step.node] as EntryDocument
  const author = { nodeId: `node-${step.node}`, at: 'at' in step ? step.at : 0 }
  if (step.act === 'merge') {
    const changes = (documents[step.from] as EntryDocument).changesSince(document.heads)
    if (changes.length > 0) document.apply(changes)
  } else if (step.act === 'forge') {
    if (document.heads.length > 0) forge(document, step, forger)
  } else if (step.act === 'remove') document.remove(author)
  else document[step.act](step.content, author)
}

/** Compared as text, so that the order of members counts. */
function expectAsReloaded(document: EntryDocument, before: readonly string[]): void {
  const reloaded = EntryDocument.load(document.id, document.save(), READER)
  expect(JSON.stringify(document.view())).toBe(JSON.stringify(reloaded.view()))
  expect(JSON.stringify(document.conflicts())).toBe(JSON.stringify(reloaded.conflicts()))
  expect(document.heads).toEqual(reloaded.heads)
  const hex = (changes: readonly Uint8Array[]) => changes.map((change) => Buffer.from(change).toString('hex'))
  expect(hex(document.changesSince(before))).toEqual(hex(reloaded.changesSince(before)))
  reloaded.free()
}

describe.each([
  ['memory', MEMORY, memories],
  ['skill', SKILL, skills],
] as const)('a %s that is written', (_, id, contents) => {
  it('says at every step of any history what its saved document says when it is loaded', () => {
    const run = (steps: readonly Step[]) => {
      const documents = Array.from({ length: NODES }, (_, n) => EntryDocument.create(id, actorOf(n + 1)))
      for (const [i, step] of steps.entries()) {
        const before = (documents[step.node] as EntryDocument).heads
        take(documents, step, actorOf(100 + i))
        if ((documents[step.node] as EntryDocument).heads.length > 0) {
          expectAsReloaded(documents[step.node] as EntryDocument, before)
        }
      }
      for (const document of documents) document.free()
    }
    fc.assert(fc.property(stepsOf(contents), run), { numRuns: LONG ? 10_000 : 300 })
  })

  it('says so also at a version of its past', () => {
    const run = (steps: readonly Step[]) => {
      const documents = Array.from({ length: NODES }, (_, n) => EntryDocument.create(id, actorOf(n + 1)))
      const [document] = documents as [EntryDocument]
      const versions: { readonly heads: readonly string[]; readonly said: string }[] = []
      for (const [i, step] of steps.entries()) {
        take(documents, step, actorOf(100 + i))
        versions.push({ heads: document.heads, said: JSON.stringify(document.view()) })
      }
      for (const { heads, said } of versions) {
        const past = document.at(heads, actorOf(99))
        expect(JSON.stringify(past.view())).toBe(said)
        past.free()
      }
      for (const one of documents) one.free()
    }
    fc.assert(fc.property(stepsOf(contents), run), { numRuns: LONG ? 3_000 : 100 })
  })
})
