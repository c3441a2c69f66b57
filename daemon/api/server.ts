import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { MeshError } from '../../crdt/errors.ts'
import { requireRight } from './access/index.ts'
import { type Admission, createApp, type Entrance } from './app.ts'
import { type ApiComponents, type ApiInit, type ApiLimits, DEFAULT_LIMITS } from './components.ts'
import { EventHub } from './events/index.ts'
import { createGuard } from './guard.ts'
import { createBoundedServer, listenOnSocket, listenOnTcp } from './listeners.ts'
import { Metrics, type RouteStats } from './metrics.ts'

/** The store API on a unix socket and, where the config says so, on TCP. */
export interface Api {
  /**
   * Listens. Nothing listens after a failure.
   * @throws {MeshError} `ALREADY_RUNNING`, `SOCKET_UNSAFE`, `API_PORT_IN_USE`, `API_LISTEN_FAILED`
   */
  start(): Promise<void>
  /** Takes no more requests, lets those under way finish within a bound, then cuts what is left. Idempotent. */
  stop(): Promise<void>
  /** `http://127.0.0.1:4078`, or undefined while TCP does not listen. */
  url(): string | undefined
}

/** A request that is being served. */
interface Served {
  readonly request: FastifyRequest
  readonly stats: RouteStats
  readonly at: number
}

/** Makes the API; nothing listens before `start`. It can be started once. */
export function createApi(components: ApiComponents, init: ApiInit): Api {
  const limits: ApiLimits = { ...DEFAULT_LIMITS, ...init.limits }
  const { tcp, host, port, auth, allowedHosts } = components.config.config.api
  const { socketPath } = init.layout
  const log = components.log.child({ component: 'api' })
  const stopping = new AbortController()
  const localSockets = new WeakSet<Socket>()
  let boundPort: number | undefined
  let listening = false
  const serving = new Map<ServerResponse, Served>()
  /** Of these, how many are whose; of keys alone. */
  const ofKeys = new Map<string, number>()
  let stopped: Promise<void> | undefined

  const url = () =>
    boundPort === undefined ? undefined : `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`
  const guard = createGuard(components.credentials, { host, port: () => boundPort, auth, allowedHosts })
  const hub = new EventHub(components.store, limits)
  const metrics = new Metrics({ ...components, search: components.search, hub })

  /** What stands before all that is answered here. */
  const enter: Entrance = (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    request.access = guard(request.raw, localSockets.has(request.raw.socket))
  }

  /**
   * What stands before one route. Made once for each: to ask a request for its route, and to go through a hook more, would
   * cost as much as reading a row. It waits for nothing, so it is no async function: that would cost a turn of the queue.
   */
  const admit: Admission = (stats, right, isStream) => (request, reply, done) => {
    enter(request, reply)
    requireRight(request.access, right)
    if (stopping.signal.aborted) throw new MeshError('STOPPING', 'the daemon is stopping', { hint: 'try again soon' })
    request.stats = stats
    // Watchers have a bound of their own, and how long somebody watched says nothing of this node.
    if (isStream) return done()
    if (serving.size >= limits.maxRequests) {
      throw new MeshError('TOO_MANY_REQUESTS', `more than ${limits.maxRequests} requests at once`, {
        hint: 'send fewer at once',
      })
    }
    const { access } = request
    if (!access.rights.has('inspect')) takeOfKey(access.name)
    serving.set(reply.raw, { request, stats, at: performance.now() })
    done()
  }
  /** @throws {MeshError} `TOO_MANY_REQUESTS` */
  const takeOfKey = (name: string) => {
    const count = ofKeys.get(name) ?? 0
    if (count >= limits.maxRequestsOfKey) {
      throw new MeshError('TOO_MANY_REQUESTS', `more than ${limits.maxRequestsOfKey} requests of ${name} at once`, {
        hint: 'send fewer at once',
      })
    }
    ofKeys.set(name, count + 1)
  }
  const giveBack = ({ request: { access } }: Served) => {
    if (access.rights.has('inspect')) return
    const left = (ofKeys.get(access.name) ?? 1) - 1
    if (left > 0) ofKeys.set(access.name, left)
    else ofKeys.delete(access.name)
  }
  const context = { ...components, ...init, url, stopping: stopping.signal }
  const app = createApp(context, { hub, metrics, enter, admit }, log)

  app.decorateRequest('access')
  app.decorateRequest('stats')

  const route = (request: IncomingMessage, response: ServerResponse) => {
    // Some tools send it with nothing in it: to Fastify that is a type that there is not, also where nothing follows.
    if (request.headers['content-type'] === '') delete request.headers['content-type']
    app.routing(request, response)
  }
  const onError = (err: Error) => {
    // What goes wrong while it begins to listen is thrown by `start`.
    if (listening) log.error({ err }, 'a listener failed to take a connection')
  }
  const onAnswered = (response: ServerResponse) => {
    const served = serving.get(response)
    if (served !== undefined) {
      giveBack(served)
      count(served, response)
    }
    serving.delete(response)
    if (stopping.signal.aborted) setImmediate(closeIdle)
  }
  const count = ({ request, stats, at }: Served, { statusCode: status }: ServerResponse) => {
    const ms = performance.now() - at
    stats.record(status, ms / 1000)
    if (!log.isLevelEnabled('debug')) return
    log.debug({ requestId: request.id, route: stats.route, status, ms, caller: request.access.name }, 'answered')
  }
  const local = createBoundedServer(route, limits, { onError, onAnswered })
  const remote = createBoundedServer(route, limits, { onError, onAnswered })
  const closeIdle = () => {
    for (const { connections } of [local, remote]) connections.closeIdle()
  }
  local.server.on('connection', (socket: Socket) => localSockets.add(socket))

  async function start(): Promise<void> {
    await app.ready()
    await using undo = new AsyncDisposableStack()
    undo.defer(stop)
    await listenOnSocket(local.server, socketPath)
    if (tcp) boundPort = await listenOnTcp(remote.server, host, port)
    undo.move()
    listening = true
    log.info({ socket: socketPath, url: url() }, 'the API listens')
  }

  function stop(): Promise<void> {
    stopped ??= stopOnce()
    return stopped
  }

  async function stopOnce(): Promise<void> {
    stopping.abort(new MeshError('STOPPING', 'the daemon is stopping'))
    const drained = Promise.all([local, remote].map(({ server }) => drain(server, limits.drainMs)))
    closeIdle()
    await drained
    boundPort = undefined
    hub.close()
    await app.close()
  }

  return { start, stop, url }
}

/** Closes a server when its last connection is gone; after `ms` those that are left are cut. */
function drain(server: Server, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), ms)
    server.close(() => {
      clearTimeout(deadline)
      resolve()
    })
  })
}
