import { NODE_SCOPE, parseScope, type Scope } from '../../../crdt/entry/index.ts'
import { MeshError } from '../../../crdt/errors.ts'

/**
 * Which scopes a key may use: a scope as it is, or one whose ids are `*`, which stands for any one id: `user:*` is
 * `user:alice` and not `user:acme:alice`. `*` alone is every scope but `node`.
 */
export type ScopePattern = string & { readonly __brand: 'ScopePattern' }

/** @throws {MeshError} `SCOPE_INVALID` */
export function parseScopePattern(text: unknown, field: string): ScopePattern {
  if (text === '*') return text as ScopePattern
  if (typeof text !== 'string') throw new MeshError('SCOPE_INVALID', `${field}: a scope is text`, { field })
  // With ids in their place it must be a scope.
  parseScope(text.replaceAll(/(?<=:)\*(?=:|$)/g, 'any'), field)
  return text as ScopePattern
}

export function matchesScope(pattern: ScopePattern, scope: Scope): boolean {
  if (pattern === '*') return scope !== NODE_SCOPE
  if (!pattern.includes('*')) return scope === (pattern as string)
  const [wanted, parts] = [pattern.split(':'), scope.split(':')]
  return wanted.length === parts.length && wanted.every((part, i) => part === '*' || part === parts[i])
}

/** All that a tenant has. */
export function tenantPatterns(tenant: string): readonly ScopePattern[] {
  return [`tenant:${tenant}` as ScopePattern, `user:${tenant}:*` as ScopePattern]
}

/** Whether all that a pattern stands for is a tenant's. */
export function isOfTenant(pattern: ScopePattern, tenant: string): boolean {
  return pattern === `tenant:${tenant}` || (pattern.startsWith(`user:${tenant}:`) && tenant !== '*')
}
