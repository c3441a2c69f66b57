import { readFile } from 'node:fs/promises'
import JSON5 from 'json5'
import type { TSchema } from 'typebox'
import { MeshError } from '../../crdt/errors.ts'
import type { Environment } from '../home.ts'
import { nearest } from './nearest.ts'
import { CONFIG_KEYS, type ConfigKey } from './schema.ts'

/** A value that somebody set, and how to name the place in an error. */
export interface GivenValue {
  readonly value: unknown
  readonly source: 'file' | 'environment'
  /** `api.port in /…/config.json5` or `MESH_API_PORT`. */
  readonly place: string
}

/** Variables of this prefix that are no config keys: the home is where the config lies. */
const OTHER_VARIABLES = ['MESH_HOME']

/**
 * Reads the config file's leaves by their dotted keys; none where there is no file.
 * @throws {MeshError} `CONFIG_UNREADABLE`, `HOME_UNWRITABLE` (a file in a folder's place), `CONFIG_UNKNOWN_KEY`,
 * `CONFIG_INVALID` (a group that is no object)
 */
export async function readConfigFile(path: string): Promise<Map<string, GivenValue>> {
  const found = new Map<string, GivenValue>()
  const document = parseFile(path, await readText(path))
  if (document !== undefined) collect(document, '', path, found)
  return found
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT') return ''
    if (code === 'ENOTDIR') {
      const hint = 'move that file away, or set MESH_HOME to another folder'
      throw new MeshError('HOME_UNWRITABLE', `a file is where a folder must be, above ${path}`, {
        field: path,
        hint,
        cause,
      })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    const hint = 'make it a file that the user who runs the daemon may read, or remove it'
    throw new MeshError('CONFIG_UNREADABLE', `cannot read ${path}: ${why}`, { field: path, hint, cause })
  }
}

function parseFile(path: string, text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON5.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^JSON5: /, '') : String(cause)
    const hint = 'mend the file; it is JSON5: { api: { port: 4078 } }'
    throw new MeshError('CONFIG_UNREADABLE', `${path} is not JSON5: ${why}`, { field: path, hint, cause })
  }
}

function collect(value: unknown, key: string, path: string, found: Map<string, GivenValue>): void {
  const place = key === '' ? path : `${key} in ${path}`
  if (CONFIG_KEYS.some((known) => known.key === key)) {
    found.set(key, { value, source: 'file', place })
    return
  }
  const group = key === '' ? '' : `${key}.`
  if (!CONFIG_KEYS.some((known) => known.key.startsWith(group))) throw unknownKey(key, path)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const members = CONFIG_KEYS.filter((known) => known.key.startsWith(group)).map((known) => known.key)
    throw new MeshError('CONFIG_INVALID', `${place}: must be an object, and is ${shown(value)}`, {
      field: key === '' ? path : key,
      hint: `it may hold ${members.join(', ')}`,
    })
  }
  for (const [name, member] of Object.entries(value)) collect(member, group + name, path, found)
}

function unknownKey(key: string, path: string): MeshError {
  const near = nearest(
    key,
    CONFIG_KEYS.map((known) => known.key),
  )
  const hint =
    near === undefined ? `known are ${CONFIG_KEYS.map((known) => known.key).join(', ')}` : `did you mean ${near}?`
  return new MeshError('CONFIG_UNKNOWN_KEY', `${path}: no key is called ${JSON.stringify(key)}`, {
    field: key,
    hint,
  })
}

/**
 * Reads the keys that the environment sets. An empty variable sets nothing. Lists are separated by commas.
 * @throws {MeshError} `CONFIG_UNKNOWN_KEY` for a variable that begins with `MESH_` and means nothing
 */
export function readEnvironment(env: Environment): Map<string, GivenValue> {
  const found = new Map<string, GivenValue>()
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('MESH_') || OTHER_VARIABLES.includes(variable)) continue
    const known = CONFIG_KEYS.find((candidate) => candidate.variable === variable)
    if (known === undefined) throw unknownVariable(variable)
    if (text === undefined || text.trim() === '') continue
    found.set(known.key, { value: fromText(text.trim(), known), source: 'environment', place: variable })
  }
  return found
}

function unknownVariable(variable: string): MeshError {
  const near = nearest(variable, [...CONFIG_KEYS.map((known) => known.variable), ...OTHER_VARIABLES])
  const hint = near === undefined ? 'unset it, or see `mesh config show` for the known keys' : `did you mean ${near}?`
  const message = `the environment variable ${variable} sets nothing`
  return new MeshError('CONFIG_UNKNOWN_KEY', message, { field: variable, hint })
}

/** Text as the schema's type; what does not fit stays text, for the schema to refuse. */
function fromText(text: string, { schema }: ConfigKey): unknown {
  switch ((schema as TSchema & { type?: string }).type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    case 'array':
      return text.split(',').map((item) => item.trim())
    default:
      return text
  }
}

/** A value as errors show it: short, on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
