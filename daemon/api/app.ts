import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import fastify, {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type onRequestHookHandler,
} from 'fastify'
import { MeshError } from '../../crdt/errors.ts'
import type { Right } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf } from './etag.ts'
import type { EventHub } from './events/index.ts'
import { describeError } from './http-errors.ts'
import type { Metrics, RouteStats } from './metrics.ts'
import { type DescribedRoute, describedRoute, openApiDocument } from './openapi.ts'
import { addBackupRoutes } from './routes-backup.ts'
import { addBulkRoute } from './routes-bulk.ts'
import { addDocsRoutes } from './routes-docs.ts'
import { addEntryRoutes } from './routes-entries.ts'
import { addEventRoutes } from './routes-events.ts'
import { addImportRoute } from './routes-import.ts'
import { addKeyRoutes } from './routes-keys.ts'
import { addMemoryRoutes } from './routes-memory.ts'
import { addMeshRoutes } from './routes-mesh.ts'
import { addMetricsRoute } from './routes-metrics.ts'
import { addNodeRoutes } from './routes-node.ts'
import { addOverviewRoutes } from './routes-overview.ts'
import { addSearchRoutes } from './routes-search.ts'
import { addSkillRoutes } from './routes-skills.ts'
import { MAX_BODY_BYTES } from './schemas.ts'
import { parseStrictJson } from './strict-json.ts'
import { validatorCompiler } from './validator.ts'

/** Of an answer that does not end by itself. */
const EVENT_STREAM = 'text/event-stream'
/** The media type of problem details (RFC 9457). */
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'
/** Longest path parameter that is looked at, in characters: the parsers say what is too long, not the router. */
const MAX_PARAMETER_CHARACTERS = 16 * 1024

/** The caller's own id where it is harmless in a log, else one that no other request of this process has. */
function requestIds(): (request: IncomingMessage) => string {
  const boot = randomBytes(4).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : `${boot}-${++count}`
  }
}

/** What stands before a route: whose requests are let in, and where they are counted. */
export type Admission = (stats: RouteStats, right: Right, isStream: boolean) => onRequestHookHandler

/** Looks at who calls. @throws {MeshError} as the guard */
export type Entrance = (request: FastifyRequest, reply: FastifyReply) => void

interface AppParts {
  readonly hub: EventHub
  readonly metrics: Metrics
  readonly enter: Entrance
  readonly admit: Admission
}

/** All routes with parsing, validation and error answers; it listens nowhere by itself. */
export function createApp(
  context: RouteContext,
  { hub, metrics, enter, admit }: AppParts,
  log: FastifyBaseLogger,
): ApiApp {
  const app: ApiApp = fastify({
    // Requests share the API's logger: a child of its own for each would cost as much as reading a row.
    childLoggerFactory: () => log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    genReqId: requestIds(),
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: MAX_PARAMETER_CHARACTERS },
    frameworkErrors: (error, _request, reply) => {
      const { status, answer } = describeError(error)
      ;(reply as FastifyReply).status(status).type(PROBLEM_TYPE).send(answer)
    },
  })
  app.setValidatorCompiler(validatorCompiler)
  app.removeAllContentTypeParsers()
  // The guard has seen to it that whatever comes here calls itself JSON, or nothing.
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body.length === 0 ? undefined : parseStrictJson(body)),
  )
  // What comes as a file is for its route to read, piece by piece: it may be of any length.
  app.addContentTypeParser('application/octet-stream', (_request, body, done) => done(null, body))
  app.setErrorHandler((error, request, reply) => {
    const { status, answer, unexpected, current, retryAfter } = describeError(error)
    metrics.failed(answer.code)
    // Whoever is refused before the route has none.
    if (request.stats === undefined) metrics.route('refused').record(status, 0)
    const place = { requestId: request.id, method: request.method, route: request.routeOptions.url }
    // A caller that breaks off a list ends it: that is no fault.
    if (unexpected && !reply.raw.destroyed) request.log.error({ err: error, ...place }, 'request failed')
    reply.header('x-request-id', request.id)
    if (status === 401) reply.header('www-authenticate', 'Bearer')
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
    if (current !== undefined) reply.header('etag', etagOf(current.version))
    return reply.status(status).type(PROBLEM_TYPE).send(answer)
  })
  app.setNotFoundHandler((request, reply) => {
    enter(request, reply)
    const { method, url } = request
    // Whoever asks for the head alone is told the length of the answer to GET.
    const message = `url: there is no call ${method === 'HEAD' ? 'GET' : method} ${url.split('?')[0]}`
    throw new MeshError('ROUTE_UNKNOWN', message, { field: 'url', hint: 'see docs/api.md for the calls' })
  })
  const described: DescribedRoute[] = []
  app.addHook('onRoute', (route) => {
    const routes = describedRoute(route)
    for (const one of routes) {
      const { method, url, right, notes } = one
      // A HEAD is a GET of which the caller wants the head alone: it needs the same right, and is counted with it.
      const isHead = method === 'HEAD'
      if (!isHead) described.push(one)
      route.onRequest = admit(
        metrics.route(`${isHead ? 'GET' : method} ${url}`),
        right,
        notes.answerType === EVENT_STREAM,
      )
    }
  })
  addNodeRoutes(app, context)
  addMemoryRoutes(app, context)
  addSearchRoutes(app, context)
  addEventRoutes(app, context, hub)
  addSkillRoutes(app, context)
  addEntryRoutes(app, context)
  addOverviewRoutes(app, context)
  addBulkRoute(app, context)
  addImportRoute(app, context)
  addMeshRoutes(app, context)
  addBackupRoutes(app, context)
  addKeyRoutes(app, context)
  addMetricsRoute(app, metrics)
  addDocsRoutes(app, () => openApiDocument(described, context.version))
  return app
}
