import { MeshError } from '../errors.ts'
import type { EntryId, Kind, Scope } from './types.ts'

/** Longest memory key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024
/** Longest scope, in bytes of UTF-8. */
export const MAX_SCOPE_BYTES = 256
/** Longest skill name, in bytes of UTF-8: it must fit a file name with room for an ending. */
export const MAX_NAME_BYTES = 200
/** Longest node id, in bytes of UTF-8; `external:<mesh>:<node>` must fit. */
export const MAX_NODE_ID_BYTES = 256

/** The scope that never leaves its machine. */
export const NODE_SCOPE = 'node' as Scope
/** The scope that is meant where none is said. */
export const MESH_SCOPE = 'mesh' as Scope

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const SCOPE_WAY_OUT = 'use node, mesh, federation, user:<id>, user:<tenant>:<id> or tenant:<id>'

/** Whether two ids name the same entry. */
export function sameEntry(a: EntryId, b: EntryId): boolean {
  return a.kind === b.kind && a.scope === b.scope && a.key === b.key
}

/** A text that no two entries share, for keys of maps: no part of an id holds a NUL. */
export function entryName(id: EntryId): string {
  return `${id.kind}\0${id.scope}\0${id.key}`
}

/** `memory mesh/project-plan`: for messages and logs. Not escaped for terminals. */
export function describeEntry(id: EntryId): string {
  return `${id.kind} ${id.scope}/${id.key}`
}

/**
 * @param field how the caller names this input, for the error
 * @throws {MeshError} `SCOPE_INVALID`, `SCOPE_TOO_LARGE`
 */
export function parseScope(text: unknown, field = 'scope'): Scope {
  const fault = (what: string) => new MeshError('SCOPE_INVALID', `${field}: ${what}; ${SCOPE_WAY_OUT}`, { field })
  if (typeof text !== 'string') throw fault('a scope is text')
  if (Buffer.byteLength(text) > MAX_SCOPE_BYTES) {
    throw new MeshError('SCOPE_TOO_LARGE', `${field}: longer than ${MAX_SCOPE_BYTES} bytes of UTF-8`, { field })
  }
  if (!text.isWellFormed() || CONTROL.test(text)) throw fault('holds a control character or a lone surrogate')
  const [head, ...ids] = text.split(':')
  const counts: Record<string, readonly number[]> = { node: [0], mesh: [0], federation: [0], user: [1, 2], tenant: [1] }
  const allowed = head !== undefined && Object.hasOwn(counts, head) ? counts[head] : undefined
  if (!allowed?.includes(ids.length) || ids.includes('')) throw fault(`${JSON.stringify(text)} is no scope`)
  return text as Scope
}

/** @throws {MeshError} `KEY_INVALID` (empty, not text, NUL, lone surrogate), `KEY_TOO_LARGE` */
export function parseMemoryKey(text: unknown, field = 'key'): string {
  const fault = (what: string) => new MeshError('KEY_INVALID', `${field}: ${what}`, { field })
  if (typeof text !== 'string' || text === '') throw fault('a key is text of at least one character')
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) {
    throw new MeshError('KEY_TOO_LARGE', `${field}: longer than ${MAX_KEY_BYTES} bytes of UTF-8; shorten it`, { field })
  }
  if (!text.isWellFormed()) throw fault('holds a lone surrogate, which no file or peer can keep')
  if (text.includes('\0')) throw fault('holds a NUL character')
  return text
}

/** @throws {MeshError} `NAME_INVALID` */
export function parseSkillName(text: unknown, field = 'name'): string {
  const fault = (what: string) => {
    const hint = 'best are lower-case letters, digits and hyphens (at most 64), which OpenClaw lists'
    return new MeshError('NAME_INVALID', `${field}: ${what}`, { field, hint })
  }
  if (typeof text !== 'string' || text === '') throw fault('a skill name is text of at least one character')
  if (Buffer.byteLength(text) > MAX_NAME_BYTES) throw fault(`longer than ${MAX_NAME_BYTES} bytes of UTF-8`)
  if (!text.isWellFormed() || CONTROL.test(text)) throw fault('holds a control character or a lone surrogate')
  if (/[/\\]/.test(text) || text.startsWith('.')) throw fault('holds a slash or backslash, or begins with a dot')
  return text
}

/** A human name of a node, as rows carry it. @throws {MeshError} `NODE_ID_INVALID` */
export function parseNodeId(text: unknown, field = 'node_id'): string {
  const fault = (what: string) => new MeshError('NODE_ID_INVALID', `${field}: ${what}`, { field })
  if (typeof text !== 'string' || text === '') throw fault('a node id is text of at least one character')
  if (Buffer.byteLength(text) > MAX_NODE_ID_BYTES) throw fault(`longer than ${MAX_NODE_ID_BYTES} bytes of UTF-8`)
  if (!text.isWellFormed() || CONTROL.test(text)) throw fault('holds a control character or a lone surrogate')
  return text
}

/** Checks what a peer or file claims to be an entry's id. @throws {MeshError} as the parsers of its parts */
export function parseEntryId(kind: Kind, scope: unknown, key: unknown): EntryId {
  return { kind, scope: parseScope(scope), key: kind === 'memory' ? parseMemoryKey(key) : parseSkillName(key) }
}
