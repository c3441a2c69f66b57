import { isIP } from 'node:net'
import { type TSchema, Type } from 'typebox'

/** What the daemon can be told. Every leaf says in `description` what it takes; errors show that text. */
export interface Config {
  /** The human name of this machine in its mesh. */
  readonly nodeId: string
  readonly log: { readonly level: LogLevel }
  /** The store API. Its unix socket is always there. */
  readonly api: {
    /** Whether it also listens on TCP. */
    readonly tcp: boolean
    readonly host: string
    readonly port: number
    /** Whether TCP callers need the token. False only on loopback. */
    readonly auth: boolean
    /** Further names that TCP callers may call this API by: behind a proxy, or a port that a container maps. */
    readonly allowedHosts: readonly string[]
    /** Most requests a minute of all keys of a tenant together; 0 for no limit. */
    readonly tenantRate: number
  }
  readonly p2p: {
    readonly host: readonly string[]
    readonly port: number
    /** Addresses that others reach this node under, where it cannot see them itself. */
    readonly announce: readonly string[]
  }
  readonly sync: {
    /** Seconds between reconciliations with every peer that repair what was missed, jittered. */
    readonly intervalSeconds: number
  }
  /** What may not enter a scope that others read. */
  readonly secrets: {
    readonly guard: boolean
    /** Fingerprints of what was taken for a secret and is none. */
    readonly allow: readonly string[]
  }
  readonly search: { readonly enabled: boolean }
  /** The view that agents read. */
  readonly files: {
    readonly enabled: boolean
    /** Also `mesh-memory.json`, for older tools. */
    readonly memoryJson: boolean
    /** Also `mesh/skills/<name>.md`, for older tools. */
    readonly flatSkills: boolean
  }
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Letters of a node id that is shown everywhere as it is: in rows, file names, logs, terminals. */
export const NODE_ID_PATTERN = '^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$'

const port = (fallback: number) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: fallback,
    description: 'a whole number from 0 (any free port) to 65535',
  })
const flag = (fallback: boolean) => Type.Boolean({ default: fallback, description: 'true or false' })

const Address = Type.Refine(Type.String(), (text) => isIP(text) !== 0)
const Announced = Type.String({ pattern: '^(?:/[a-z0-9-]+/[^/\\s]+(?:/[^/\\s]+)*|[^/\\s]+:\\d{1,5})$' })

const Host = Type.String({
  pattern: '^(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::\\d{1,5})?$',
})

/** The leaves, by group; `nodeId` alone has no group. Where there is no default the loader makes one. */
const ConfigSchema = Type.Object({
  nodeId: Type.String({
    pattern: NODE_ID_PATTERN,
    description: '1 to 64 letters, digits, ".", "_" or "-", with a letter or digit at both ends',
  }),
  log: Type.Object({
    level: Type.Enum([...LOG_LEVELS], { default: 'info', description: `one of ${LOG_LEVELS.join(', ')}` }),
  }),
  api: Type.Object({
    tcp: flag(true),
    host: Type.Refine(
      Type.String({ default: '127.0.0.1', description: 'an IP address of this machine, or localhost' }),
      (text) => text === 'localhost' || isIP(text) !== 0,
    ),
    port: port(4078),
    auth: flag(true),
    allowedHosts: Type.Array(Host, {
      maxItems: 16,
      default: [],
      description:
        'a list of at most 16 names or addresses, each with a port (nas.local:14078) or for any port (nas.local)',
    }),
    tenantRate: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 0,
      description: 'a whole number of requests a minute from 1 to 1000000, or 0 for no limit',
    }),
  }),
  p2p: Type.Object({
    host: Type.Array(Address, {
      minItems: 1,
      maxItems: 16,
      default: ['0.0.0.0', '::'],
      description: 'an IP address of this machine, or a list of 1 to 16',
    }),
    port: port(4079),
    announce: Type.Array(Announced, {
      maxItems: 16,
      default: [],
      description: 'a list of at most 16 multiaddrs (/ip4/203.0.113.7/tcp/4079) or host:port (ceo.example.org:4079)',
    }),
  }),
  sync: Type.Object({
    intervalSeconds: Type.Integer({
      minimum: 1,
      maximum: 86_400,
      default: 60,
      description: 'a whole number of seconds from 1 to 86400',
    }),
  }),
  secrets: Type.Object({
    guard: flag(true),
    allow: Type.Array(Type.String({ pattern: '^[0-9a-f]{20}$' }), {
      maxItems: 1_000,
      default: [],
      description: 'a list of at most 1000 fingerprints of 20 hex digits, as a refusal names them',
    }),
  }),
  search: Type.Object({ enabled: flag(true) }),
  files: Type.Object({ enabled: flag(true), memoryJson: flag(true), flatSkills: flag(false) }),
})

/** One thing that can be set: its dotted key, its environment variable and what it takes. */
export interface ConfigKey {
  readonly key: string
  readonly variable: string
  readonly schema: TSchema & { readonly type?: string; readonly default?: unknown; readonly description?: string }
}

/** All keys, in the schema's order. */
export const CONFIG_KEYS: readonly ConfigKey[] = leavesOf(ConfigSchema, '')

function leavesOf(schema: TSchema, key: string): ConfigKey[] {
  if (!('properties' in schema)) return [{ key, variable: variableOf(key), schema }]
  const properties = Object.entries(schema.properties as Record<string, TSchema>)
  return properties.flatMap(([name, member]) => leavesOf(member, key === '' ? name : `${key}.${name}`))
}

/** The one rule: `sync.intervalSeconds` is `MESH_SYNC_INTERVAL_SECONDS`. */
function variableOf(key: string): string {
  const words = key.replaceAll('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`)
  return `MESH_${words.toUpperCase()}`
}
