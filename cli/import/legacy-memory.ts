import { inputError } from '../errors.ts'
import type { Candidate, ImportSource } from './source.ts'

/** Where an older key ends up, or why it cannot: the first part of it is no scope. */
export type SplitKey =
  | { readonly scope: string; readonly key: string }
  | { readonly code: string; readonly fault: string }

const PLAIN_SCOPES = new Set(['node', 'mesh', 'federation'])

/**
 * Takes a key of an older `mesh-memory.json` apart: `scope:key`, where scope and key may both hold colons.
 *
 * - `node`, `mesh` and `federation` are scopes by themselves: what follows the first colon is the key.
 * - `tenant` takes one id: `tenant:acme:plan` is `plan` of `tenant:acme`.
 * - `user` takes one id too: `user:alice:notes:today` is `notes:today` of `user:alice`. Only where the id is a known
 *   tenant does it take a second one: with `acme` among `tenants`, `user:acme:alice:plan` is `plan` of `user:acme:alice`.
 */
export function splitLegacyKey(text: string, tenants: ReadonlySet<string>): SplitKey {
  const [head = '', ...parts] = text.split(':')
  const tenantUser = head === 'user' && parts.length > 2 && tenants.has(parts[0] ?? '')
  const ids = PLAIN_SCOPES.has(head) ? 0 : head === 'tenant' ? 1 : head === 'user' ? (tenantUser ? 2 : 1) : undefined
  if (ids === undefined) {
    return {
      code: 'SCOPE_INVALID',
      fault: 'does not begin with a scope: node, mesh, federation, user:<id>, user:<tenant>:<id> or tenant:<id>',
    }
  }
  const key = parts.slice(ids).join(':')
  if (parts.length <= ids || parts.slice(0, ids).includes('') || key === '') {
    return { code: 'KEY_INVALID', fault: `holds no key after its scope ${head}${':<id>'.repeat(ids)}` }
  }
  return { scope: [head, ...parts.slice(0, ids)].join(':'), key }
}

/** Tenants that a file names itself, by keys such as `tenant:acme:plan`. */
export function tenantsOf(keys: Iterable<string>): Set<string> {
  const tenants = new Set<string>()
  for (const key of keys) {
    const [head, tenant] = key.split(':', 2)
    if (head === 'tenant' && tenant) tenants.add(tenant)
  }
  return tenants
}

/**
 * Reads the text of an older `mesh-memory.json`: one object, keys `scope:key`, values `{value, nodeId, ts}`.
 * @param tenants more tenants than the file names itself
 * @throws {CliError} when it is not one JSON object; what is wrong with single entries is refused one by one
 */
export function readLegacyMemory(text: string, path: string, tenants: Iterable<string>): ImportSource {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw inputError(path, `${path} is not JSON: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
  if (!isObject(parsed)) {
    throw inputError(path, `${path} is not a mesh-memory.json: that is one object with keys such as "mesh:plan"`)
  }
  const entries = Object.entries(parsed)
  const known = new Set([...tenants, ...tenantsOf(Object.keys(parsed))])
  const candidates = entries.map(([name, entry]) => readEntry(name, entry, known))
  return { total: candidates.length, candidates, ignored: 0, notes: [] }
}

function readEntry(name: string, entry: unknown, tenants: ReadonlySet<string>): Candidate {
  const refuse = (code: string, message: string): Candidate => ({
    refused: { kind: 'memory', scope: '', key: name, code, message },
  })
  const split = splitLegacyKey(name, tenants)
  if ('fault' in split) return refuse(split.code, split.fault)
  if (!isObject(entry) || !Object.hasOwn(entry, 'value'))
    return refuse('VALUE_INVALID', 'is not of the form {"value", "nodeId", "ts"}')
  const { value, nodeId, ts } = entry
  if (nodeId !== undefined && typeof nodeId !== 'string') return refuse('NODE_ID_INVALID', 'nodeId is not text')
  if (ts !== undefined && (typeof ts !== 'number' || !Number.isFinite(ts) || ts < 0)) {
    return refuse('VALUE_INVALID', 'ts is not a time in Unix seconds')
  }
  return {
    memory: {
      ...split,
      value: value as never,
      ...(nodeId === undefined ? {} : { node_id: nodeId }),
      ...(ts === undefined ? {} : { ts }),
    },
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
