import type { Scope } from '../../../crdt/entry/index.ts'
import { MeshError } from '../../../crdt/errors.ts'
import { matchesScope, type ScopePattern } from './scope-pattern.ts'

/**
 * What a call needs of its caller. `public`: nothing. `read`, `write`, `delete`: of entries, in the scopes that the
 * caller may use. `inspect`: the node and its mesh as a whole. `operate`: to change them, or who may do what.
 */
export type Right = 'public' | 'read' | 'write' | 'delete' | 'inspect' | 'operate'

/** What a caller may do. */
export interface Access {
  /** Who it is, for logs and messages: `operator`, `agent`, or the name of a key. */
  readonly name: string
  readonly rights: ReadonlySet<Right>
  readonly mayRead: (scope: Scope) => boolean
  readonly mayWrite: (scope: Scope) => boolean
  /** Aborted when the token or key is replaced or revoked: what is still being answered ends. */
  readonly ended?: AbortSignal
}

const everywhere = () => true

/** The operator's token, and the unix socket without any: everything. */
export const OPERATOR: Access = {
  name: 'operator',
  rights: new Set(['public', 'read', 'write', 'delete', 'inspect', 'operate']),
  mayRead: everywhere,
  mayWrite: everywhere,
}

/** The agents' token: reads all there is on this machine, and puts. It deletes nothing and changes nobody's rights. */
export const AGENT: Access = {
  name: 'agent',
  rights: new Set(['public', 'read', 'write', 'inspect']),
  mayRead: everywhere,
  mayWrite: everywhere,
}

/** Whoever calls what is open to all. */
export const PUBLIC: Access = {
  name: 'anybody',
  rights: new Set(['public']),
  mayRead: () => false,
  mayWrite: () => false,
}

/** A named key: entries of its scopes, and nothing else. */
export function keyAccess(
  name: string,
  { read, write, ended }: { read: readonly ScopePattern[]; write: readonly ScopePattern[]; ended: AbortSignal },
): Access {
  return {
    name,
    ended,
    rights: new Set(['public', 'read', 'write', 'delete']),
    mayRead: (scope) => read.some((pattern) => matchesScope(pattern, scope)),
    mayWrite: (scope) => write.some((pattern) => matchesScope(pattern, scope)),
  }
}

/** @throws {MeshError} `FORBIDDEN` */
export function requireRight({ name, rights }: Access, right: Right): void {
  if (rights.has(right)) return
  const hint = right === 'delete' ? 'ask an operator to delete it' : 'use the token of the operator: `mesh token show`'
  throw new MeshError('FORBIDDEN', `authorization: ${name} may not do this`, { field: 'authorization', hint })
}

/** Gives the scope back when it may be read. @throws {MeshError} `FORBIDDEN`, whether or not anything is there */
export function readable(access: Access, scope: Scope): Scope {
  if (access.mayRead(scope)) return scope
  throw outOfScope(access, scope, 'read')
}

/** Gives the scope back when it may be written. @throws {MeshError} `FORBIDDEN` */
export function writable(access: Access, scope: Scope): Scope {
  if (access.mayWrite(scope)) return scope
  throw outOfScope(access, scope, 'write')
}

function outOfScope({ name }: Access, scope: Scope, what: 'read' | 'write'): MeshError {
  return new MeshError('FORBIDDEN', `scope: ${name} may not ${what} ${scope}`, {
    field: 'scope',
    hint: `use a key that may ${what} it: \`mesh key create\` makes one`,
  })
}
