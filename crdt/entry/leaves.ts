import { canonicalJson, MAX_VALUE_LEVELS } from './json-value.ts'
import type { JsonValue } from './types.ts'

/**
 * A memory value as leaves under RFC 6901 paths: `{a:{b:1},c:[2]}` is `/a/b` → 1 and `/c` → [2]; `''` is the whole
 * value. Scalars, arrays and empty objects are leaves. So concurrent edits merge at every depth.
 */
export type Leaves = Map<string, JsonValue>

/** @see Leaves */
export function toLeaves(value: JsonValue): Leaves {
  const leaves: Leaves = new Map()
  collect(value, '', leaves)
  return leaves
}

function collect(value: JsonValue, path: string, leaves: Leaves): void {
  if (isLeaf(value)) {
    leaves.set(path, value)
    return
  }
  for (const [name, member] of Object.entries(value as { readonly [name: string]: JsonValue })) {
    collect(member, `${path}/${escapeToken(name)}`, leaves)
  }
}

function isLeaf(value: JsonValue): boolean {
  return typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0
}

/** Whether a leaf is the mark of an empty object, which deeper paths complete rather than contradict. */
export function isEmptyObject(value: JsonValue): boolean {
  return canonicalJson(value) === '{}'
}

/** Paths that have a deeper one of `paths` below them. */
export function shadowedPaths(paths: ReadonlyMap<string, unknown>): ReadonlySet<string> {
  const shadowed = new Set<string>()
  for (const path of paths.keys()) {
    for (const ancestor of ancestors(path)) if (paths.has(ancestor)) shadowed.add(ancestor)
  }
  return shadowed
}

/** Every proper ancestor of a path, nearest first: `/a/b` has `/a` and `''`. */
export function ancestors(path: string): string[] {
  const all: string[] = []
  for (let end = path.length; end > 0; all.push(path.slice(0, end))) end = path.lastIndexOf('/', end - 1)
  return all
}

/** The member names along a path: `/a~1b/c` is `a/b`, `c`. */
export function namesOf(path: string): string[] {
  const names = path.split('/')
  names.shift()
  // Most hold none.
  if (path.includes('~')) return names.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names
}

/**
 * Whether a document's root key is the path of a leaf that this format writes. One place has one path (`~` only as `~0`
 * or `~1`), and none is deeper than a value may be: a foreign document may hold any keys.
 */
export function isLeafPath(key: string): boolean {
  return LEAF_PATH.test(key) && key.split('/').length - 1 <= MAX_VALUE_LEVELS
}

const LEAF_PATH = /^(?:\/(?:[^~/]|~[01])*)*$/

/**
 * The value that leaves make together; where a leaf has deeper ones below it, the deeper ones show.
 * @param shadowed their {@link shadowedPaths}
 */
export function fromLeaves(leaves: ReadonlyMap<string, JsonValue>, shadowed: ReadonlySet<string>): JsonValue {
  const root: { value?: JsonValue } = {}
  // Sorted, so that the members of an object come in one order on every replica.
  for (const path of [...leaves.keys()].sort()) {
    if (!shadowed.has(path)) place(root, path, leaves.get(path) as JsonValue)
  }
  // No leaf is left where concurrent puts each removed the members that the other kept: an object without members.
  return root.value === undefined ? {} : root.value
}

/** A value with another in the place of what is at a path of it. */
export function withValueAt(whole: JsonValue, path: string, value: JsonValue): JsonValue {
  const [name, ...rest] = namesOf(path)
  if (name === undefined) return value
  const below = rest.map((token) => `/${escapeToken(token)}`).join('')
  const members = isLeaf(whole) ? [] : Object.entries(whole as Tree)
  const copy: Tree = {}
  for (const [member, old] of members) define(copy, member, old)
  const old = members.find(([member]) => member === name)?.[1]
  define(copy, name, withValueAt(old ?? {}, below, value))
  return copy
}

type Tree = { [name: string]: JsonValue }

function place(root: { value?: JsonValue }, path: string, leaf: JsonValue): void {
  const names = namesOf(path)
  const last = names.pop()
  if (last === undefined) {
    root.value = leaf
    return
  }
  root.value ??= {}
  let node = root.value as Tree
  for (const name of names) {
    if (!Object.hasOwn(node, name)) define(node, name, {})
    node = node[name] as Tree
  }
  define(node, last, leaf)
}

// A plain assignment of `__proto__`, which a foreign document may hold, would set the prototype instead.
function define(node: Tree, name: string, value: JsonValue): void {
  if (name !== '__proto__') node[name] = value
  else Object.defineProperty(node, name, { value, writable: true, enumerable: true, configurable: true })
}

const escapeToken = (name: string) => (/[~/]/.test(name) ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name)
