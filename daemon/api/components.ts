import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Logger } from 'pino'
import type { BackupStore, EntryStore, Replica } from '../../crdt/replica/replica.ts'
import type { Finding, Mesh } from '../../transports/mesh.ts'
import type { LoadedConfig } from '../config/index.ts'
import type { HomeLayout } from '../home.ts'
import type { Search } from '../search/index.ts'
import type { Access, Credentials, Right } from './access/index.ts'
import type { RouteStats } from './metrics.ts'
import type { RouteNotes } from './openapi.ts'

/** What the store API reads, writes and steers. It owns none of these: it neither opens nor closes them. */
export interface ApiComponents {
  readonly store: EntryStore & BackupStore & Pick<Replica, 'databaseId'>
  readonly mesh: Mesh
  /** All that `mesh doctor` shows, the mesh's own findings included. */
  readonly findings: () => Promise<readonly Finding[]>
  readonly credentials: Credentials
  /** Undefined where search is off. */
  readonly search?: Search | undefined
  readonly config: LoadedConfig
  readonly log: Logger
}

export interface ApiInit {
  readonly layout: HomeLayout
  /** Of the package. */
  readonly version: string
  /** Unix milliseconds at which the daemon started. */
  readonly startedAt: number
  readonly limits?: Partial<ApiLimits>
}

/** Bounds that keep a slow, idle or greedy caller from costing the others anything. Times in milliseconds. */
export interface ApiLimits {
  /** Connections per listener, each; above it the longest idle one is cut. */
  readonly maxConnections: number
  /** Requests being served at once; above it 429. And of one key, or of all who show none: operator and agents have no own bound. */
  readonly maxRequests: number
  readonly maxRequestsOfKey: number
  /** From a connection's first moment to the end of a request's headers. */
  readonly headersMs: number
  /** From there to the end of the request's body. */
  readonly requestMs: number
  /** How long a connection may wait for its next request. */
  readonly keepAliveMs: number
  /** How long a caller may leave an answer unread. A person reads through a pager. */
  readonly unreadMs: number
  /** Watchers of events at once, and of one key. They are not counted as requests. */
  readonly maxWatchers: number
  readonly maxWatchersOfKey: number
  /** How often watchers hear something while nothing happens. */
  readonly heartbeatMs: number
  /** How long `stop` waits for requests that are being served. */
  readonly drainMs: number
}

export const DEFAULT_LIMITS: ApiLimits = {
  // 50 agents with a few connections each, and far below the usual 1,024 file descriptors.
  maxConnections: 256,
  // With bodies of 2 MiB at most 256 MiB are held.
  maxRequests: 128,
  // Half of them: one key whose answers nobody reads keeps no other out.
  maxRequestsOfKey: 64,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 10_000,
  // Half of the connections, so that they keep nobody out.
  maxWatchers: 128,
  maxWatchersOfKey: 32,
  // Proxies cut what is silent for a minute, or half of one.
  heartbeatMs: 15_000,
  unreadMs: 600_000,
  // Whoever stops a service waits; what is acknowledged is durable already.
  drainMs: 1_500,
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route needs of its caller. Without it the route is the operator's. */
    readonly right?: Right
    /** What the description of the API says of the route. */
    readonly notes?: RouteNotes
  }
  interface FastifyRequest {
    /** What its caller may do. */
    access: Access
    /** Where it is counted; undefined until it has been let in to a route. */
    stats: RouteStats | undefined
  }
}

/** What the routes are made with. */
export interface RouteContext extends ApiComponents, ApiInit {
  /** Where TCP listens, or undefined while it does not. */
  readonly url: () => string | undefined
  /** Aborted when the API stops. */
  readonly stopping: AbortSignal
}

/** Fastify, with requests and answers typed by their schemas. */
export type ApiApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
