/**
 * The daemon's configuration: `meshd/config.json5`, over it the environment, under it the defaults; verified as a
 * whole, then frozen.
 */
import { isIPv4 } from 'node:net'
import { hostname } from 'node:os'
import { Value } from 'typebox/value'
import { MeshError } from '../../crdt/errors.ts'
import { type Environment, layoutOf } from '../home.ts'
import { type GivenValue, readConfigFile, readEnvironment, shown } from './read.ts'
import { CONFIG_KEYS, type Config, type ConfigKey, NODE_ID_PATTERN } from './schema.ts'

export { CONFIG_KEYS, type Config, type ConfigKey, type LogLevel } from './schema.ts'

export type ConfigSource = 'default' | 'file' | 'environment'

/** A verified configuration; deeply frozen. */
export interface LoadedConfig {
  readonly config: Config
  /** By dotted key. */
  readonly sources: Readonly<Record<string, ConfigSource>>
  /** The file that was read, or would be. */
  readonly path: string
}

export interface LoadConfigInit {
  /** OpenClaw's state folder. */
  readonly home: string
  readonly env?: Environment
  /** The machine's name, of which the default node id is made. */
  readonly hostname?: string
}

/**
 * Loads and verifies the configuration. Every error names the key or variable, what is wrong with its value and the
 * way out.
 * @throws {MeshError} `CONFIG_UNREADABLE`, `CONFIG_UNKNOWN_KEY`, `CONFIG_INVALID`
 */
export async function loadConfig(init: LoadConfigInit): Promise<LoadedConfig> {
  const path = layoutOf(init.home).configPath
  const given = new Map([...(await readConfigFile(path)), ...readEnvironment(init.env ?? process.env)])

  const config: Record<string, unknown> = {}
  const sources: Record<string, ConfigSource> = {}
  for (const key of CONFIG_KEYS) {
    const set = given.get(key.key)
    const value = set === undefined ? defaultOf(key, init.hostname ?? hostname()) : verify(key, set)
    assign(config, key.key, value)
    sources[key.key] = set?.source ?? 'default'
  }
  checkTogether(config as unknown as Config, given)
  return deepFreeze({ config: config as unknown as Config, sources, path })
}

function defaultOf({ key, schema }: ConfigKey, host: string): unknown {
  return key === 'nodeId' ? nodeIdFrom(host) : structuredClone(schema.default)
}

/** The host name's first label with what no node id may hold made into hyphens; `node` where nothing is left. */
function nodeIdFrom(host: string): string {
  const label = host.split('.')[0] ?? ''
  const clean = label.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64)
  const id = clean.replace(/^[_-]+|[_-]+$/g, '')
  return new RegExp(NODE_ID_PATTERN).test(id) ? id : 'node'
}

function verify({ key, schema }: ConfigKey, { value, place }: GivenValue): unknown {
  // A single address may stand for a list of one.
  const whole = schema.type === 'array' && typeof value === 'string' ? [value] : value
  if (Value.Check(schema, whole)) return whole
  const hint = `set it to ${schema.description}, or remove it for the default`
  throw new MeshError('CONFIG_INVALID', `${place}: must be ${schema.description}, and is ${shown(value)}`, {
    field: key,
    hint,
  })
}

function checkTogether(config: Config, given: ReadonlyMap<string, GivenValue>): void {
  const { tcp, host, auth } = config.api
  if (tcp && !auth && !isLoopback(host)) {
    const place = given.get('api.auth')?.place ?? 'api.auth'
    const message = `${place}: must be true, because api.host is ${host} and every machine that reaches it could read and write`
    const hint = 'remove api.auth, or set api.host to 127.0.0.1'
    throw new MeshError('CONFIG_INVALID', message, { field: 'api.auth', hint })
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

function assign(config: Record<string, unknown>, key: string, value: unknown): void {
  const [group, name] = key.split('.')
  if (group === undefined) return
  if (name === undefined) {
    config[group] = value
    return
  }
  config[group] ??= {}
  Object.assign(config[group] as object, { [name]: value })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
