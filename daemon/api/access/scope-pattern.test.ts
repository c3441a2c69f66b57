import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseScope } from '../../../crdt/entry/index.ts'
import { isOfTenant, matchesScope, parseScopePattern, tenantPatterns } from './scope-pattern.ts'

const SCOPES = [
  'node',
  'mesh',
  'federation',
  'user:alice',
  'user:acme:alice',
  'user:acme:bob',
  'tenant:acme',
  'tenant:b',
]

const matched = (pattern: string) =>
  SCOPES.filter((scope) => matchesScope(parseScopePattern(pattern, 'read'), parseScope(scope)))

test.each([
  ['mesh', ['mesh']],
  ['node', ['node']],
  ['*', SCOPES.slice(1)],
  ['user:*', ['user:alice']],
  ['user:acme:*', ['user:acme:alice', 'user:acme:bob']],
  ['user:*:alice', ['user:acme:alice']],
  ['user:*:*', ['user:acme:alice', 'user:acme:bob']],
  ['tenant:*', ['tenant:acme', 'tenant:b']],
])('%s stands for %j', (pattern, scopes) => {
  expect(matched(pattern)).toEqual(scopes)
})

test.each(['', 'mesh:*', 'user', 'user:', 'user:**', '**', 'node:*', 'user:*:*:*', 'x', '*:a', 7, null, 'tenant:a*'])(
  '%j is no pattern, or stands for nothing but itself',
  (pattern) => {
    if (pattern === 'user:**' || pattern === 'tenant:a*') expect(matched(pattern)).toEqual([])
    else expect(() => parseScopePattern(pattern, 'read')).toThrow(/^read: /)
  },
)

const id = fc.stringMatching(/^[a-z*.]{1,4}$/)
const scope = fc.oneof(
  fc.constantFrom('mesh', 'node', 'federation', '*'),
  id.map((a) => `tenant:${a}`),
  id.map((a) => `user:${a}`),
  fc.tuple(id, id).map(([a, b]) => `user:${a}:${b}`),
)

test('whatever a pattern of a tenant stands for is the tenant’s', () => {
  fc.assert(
    fc.property(id, scope, scope, (tenant, pattern, other) => {
      fc.pre(tenant !== '*' && other !== '*')
      const parsed = parseScopePattern(pattern, 'read')
      if (!isOfTenant(parsed, tenant) || !matchesScope(parsed, parseScope(other))) return
      expect(tenantPatterns(tenant).some((one) => matchesScope(one, parseScope(other)))).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
