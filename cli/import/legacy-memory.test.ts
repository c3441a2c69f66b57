import { describe, expect, test } from 'vitest'
import { readLegacyMemory, splitLegacyKey, tenantsOf } from './legacy-memory.ts'
import type { Candidate } from './source.ts'

const read = (object: object, tenants: string[] = []) =>
  readLegacyMemory(JSON.stringify(object), 'm.json', tenants).candidates as Candidate[]

describe('a key of an older mesh-memory.json', () => {
  const none = new Set<string>()
  const acme = new Set(['acme'])
  test.each([
    ['mesh:plan', none, 'mesh', 'plan'],
    ['mesh:a:b:c', none, 'mesh', 'a:b:c'],
    ['mesh::x', none, 'mesh', ':x'],
    ['node:note', none, 'node', 'note'],
    ['federation:x', none, 'federation', 'x'],
    ['tenant:acme:plan', none, 'tenant:acme', 'plan'],
    ['user:alice:key', none, 'user:alice', 'key'],
    ['user:alice:notes:today', none, 'user:alice', 'notes:today'],
    ['user:acme:alice:key', acme, 'user:acme:alice', 'key'],
    ['user:acme:alice:a:b', acme, 'user:acme:alice', 'a:b'],
    // Two parts behind `user` leave none for a key, were the first one a tenant.
    ['user:acme:key', acme, 'user:acme', 'key'],
  ])('%s', (text, tenants, scope, key) => {
    expect(splitLegacyKey(text, tenants)).toEqual({ scope, key })
  })

  test.each(['plan', 'global:x', '', ':x', 'Mesh:x', '__proto__'])('%j begins with no scope', (text) => {
    expect(splitLegacyKey(text, none)).toMatchObject({ code: 'SCOPE_INVALID' })
  })

  test.each(['mesh', 'mesh:', 'user:alice', 'user::key', 'tenant:acme', 'tenant:acme:'])('%j holds no key', (text) => {
    expect(splitLegacyKey(text, none)).toMatchObject({ code: 'KEY_INVALID' })
  })

  test('a file names its tenants itself', () => {
    expect(tenantsOf(['tenant:acme:k', 'mesh:tenant:no:k', 'tenant::x'])).toEqual(new Set(['acme']))
    expect(read({ 'tenant:acme:k': { value: 1 }, 'user:acme:bob:k': { value: 2 } })[1]).toMatchObject({
      memory: { scope: 'user:acme:bob', key: 'k' },
    })
  })
})

test('entries are taken with author and time, and each bad one is refused alone', () => {
  const candidates = read({
    'mesh:plan': { value: { a: [1, null] }, nodeId: 'ceo', ts: 1_700_000_000 },
    'mesh:bare': { value: null },
    'mesh:no-value': { nodeId: 'ceo' },
    'mesh:list': [1],
    'mesh:ts': { value: 1, ts: 'yesterday' },
    'mesh:author': { value: 1, nodeId: 7 },
    'global:x': { value: 1 },
  })
  expect(candidates.slice(0, 2)).toEqual([
    { memory: { scope: 'mesh', key: 'plan', value: { a: [1, null] }, node_id: 'ceo', ts: 1_700_000_000 } },
    { memory: { scope: 'mesh', key: 'bare', value: null } },
  ])
  const refused = candidates.slice(2).map((each) => ('refused' in each ? [each.refused.key, each.refused.code] : each))
  expect(refused).toEqual([
    ['mesh:no-value', 'VALUE_INVALID'],
    ['mesh:list', 'VALUE_INVALID'],
    ['mesh:ts', 'VALUE_INVALID'],
    ['mesh:author', 'NODE_ID_INVALID'],
    ['global:x', 'SCOPE_INVALID'],
  ])
})

test('`__proto__` as a key is an entry like any other (S-21)', () => {
  const source = readLegacyMemory('{"mesh:__proto__":{"value":1},"__proto__":{"value":2}}', 'm.json', [])
  expect(source.candidates).toMatchObject([{ memory: { key: '__proto__' } }, { refused: { key: '__proto__' } }])
})

test.each(['[]', '"x"', 'null', '{', ''])('%j is no such file', (text) => {
  expect(() => readLegacyMemory(text, 'm.json', [])).toThrow(/^m\.json is not/)
})
