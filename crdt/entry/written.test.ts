import { expect, it } from 'vitest'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, writtenBy } from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const BY = { nodeId: 'ceo', at: 1 }

/** What each change of a document writes, the first one included. */
function writtenIn(document: EntryDocument) {
  const found = document.changesSince([]).map((change) => writtenBy(document.id.kind, change))
  document.free()
  return found
}

it('a change of a memory tells the leaves that it writes, where they belong', () => {
  const document = EntryDocument.create(MEMORY, '01'.repeat(16))
  const put = (value: JsonValue) => document.put({ kind: 'memory', value }, BY)
  put({ a: { b: 'x' }, 'c/d': true, list: ['y', 1] })
  put({ a: { b: 'x', e: 'z' }, list: [] })
  put('whole')
  document.remove(BY)
  expect(writtenIn(document).map((one) => 'value' in one && one.value)).toEqual([
    {},
    { a: { b: 'x' }, 'c/d': true, list: '["y",1]' },
    { a: { e: 'z' }, list: '[]' },
    'whole',
    {},
  ])
})

it('a change of a skill tells the lines that it adds, and the path', () => {
  const document = EntryDocument.create(SKILL, '01'.repeat(16))
  document.put({ kind: 'skill', content: 'one\ntwo\n', path: '/x' }, BY)
  document.put({ kind: 'skill', content: 'one\n2\n3\ntwo\n', path: '/x' }, BY)
  expect(writtenIn(document)).toEqual([
    { kind: 'skill', content: 'one\ntwo\n', path: null },
    { kind: 'skill', content: null, path: '/x' },
    { kind: 'skill', content: '2\n3\n', path: null },
  ])
})
