import { MeshError } from '../errors.ts'
import type { JsonValue } from './types.ts'

/** Largest memory value, in bytes of its JSON text. */
export const MAX_VALUE_BYTES = 256 * 1024
/** Deepest nesting of a memory value; the value itself is level 1 when it is an array or object. */
export const MAX_VALUE_LEVELS = 64

/**
 * Most characters of all leaf paths of a value together. Each leaf carries its whole path, so many leaves under long
 * names grow far beyond the value itself: 20 KB of JSON can make a change of 6 MB, which every peer would refuse.
 */
export const MAX_PATHS_LENGTH = 512 * 1024

const utf8 = new TextEncoder()

/**
 * Checks that a value is JSON that every replica can keep, byte for byte alike: finite numbers, well-formed strings,
 * plain arrays and objects, within depth and size. −0 counts as 0.
 *
 * @param field how the caller names this input; the fault's path is appended (`value.prefs[2]`)
 * @throws {MeshError} `VALUE_INVALID` with the path of the fault as `field`, `VALUE_TOO_LARGE`
 */
export function parseJsonValue(value: unknown, field = 'value'): JsonValue {
  check(value, field, 0)
  const paths = pathsLength(value as JsonValue, 0)
  if (paths > MAX_PATHS_LENGTH) {
    const hint = 'shorten the names of its objects, make arrays of them, or split it over several keys'
    const message = `${field}: the paths to its values make ${paths} characters, at most ${MAX_PATHS_LENGTH}`
    throw new MeshError('VALUE_TOO_LARGE', message, { field, hint })
  }
  const bytes = utf8.encode(JSON.stringify(value)).length
  if (bytes > MAX_VALUE_BYTES) {
    const hint = 'split it over several keys, or keep the bulk in a file and its path here'
    throw new MeshError('VALUE_TOO_LARGE', `${field}: ${bytes} bytes of JSON, at most ${MAX_VALUE_BYTES}`, {
      field,
      hint,
    })
  }
  return value as JsonValue
}

function check(value: unknown, path: string, level: number): void {
  switch (typeof value) {
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) throw fault(path, `${value} is no JSON number`)
      return
    case 'string':
      if (!value.isWellFormed()) throw fault(path, 'holds a lone surrogate, which is no Unicode text')
      return
    case 'object':
      if (value !== null) checkNested(value, path, level + 1)
      return
    default:
      throw fault(path, `a ${typeof value} is no JSON value`)
  }
}

function checkNested(value: object, path: string, level: number): void {
  if (level > MAX_VALUE_LEVELS) throw fault(path, `nested deeper than ${MAX_VALUE_LEVELS} levels`)
  if (Array.isArray(value)) {
    // Not forEach: holes must be met too.
    for (let i = 0; i < value.length; i++) check(value[i], `${path}[${i}]`, level)
    return
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw fault(path, 'only plain objects are JSON')
  for (const [name, member] of Object.entries(value)) {
    const at = /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`
    if (name === '__proto__') throw fault(at, '"__proto__" is not allowed as a name')
    if (!name.isWellFormed()) throw fault(at, 'the name holds a lone surrogate')
    check(member, at, level)
  }
}

/** Length of all leaf paths below a path of `length` characters; see `leaves.ts`. */
function pathsLength(value: JsonValue, length: number): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return length
  const members = Object.entries(value)
  return members.reduce(
    (sum, [name, member]) => sum + pathsLength(member, length + 1 + name.length),
    members.length ? 0 : length,
  )
}

function fault(path: string, what: string): MeshError {
  return new MeshError('VALUE_INVALID', `${path}: ${what}`, { field: path })
}

/**
 * JSON text with object names in code-unit order and −0 as 0, so that equal values have equal texts. (The form of
 * RFC 8785 for what {@link parseJsonValue} lets through.)
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value as { readonly [name: string]: JsonValue }).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
}
