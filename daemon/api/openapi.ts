import type { FastifySchema, RouteOptions } from 'fastify'
import type { Right } from './access/index.ts'
import { MAX_BODY_BYTES } from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

/** What a route says of itself beside its schema, for the description of the API. */
export interface RouteNotes {
  readonly summary: string
  readonly description?: string | undefined
  /** Schema of the answer, where the route sends it by itself. */
  readonly answer?: unknown
  /** Media type of the answer; JSON unless it says otherwise. */
  readonly answerType?: string | undefined
  /** Schema of the body, where the route checks parts of it by itself. */
  readonly body?: unknown
  /** Media type of the body, where it is no JSON. */
  readonly bodyType?: string | undefined
  /** Whether `If-Match` and `If-None-Match` are looked at. */
  readonly conditional?: 'read' | 'write' | undefined
}

/** One route, as Fastify knows it. */
export interface DescribedRoute {
  readonly method: string
  readonly url: string
  readonly schema: FastifySchema
  readonly right: Right
  readonly notes: RouteNotes
}

export function describedRoute({ method, url, schema, config }: RouteOptions): DescribedRoute[] {
  if (config?.notes === undefined) throw new Error(`impossible: ${String(method)} ${url} is described nowhere`)
  const { notes, right = 'operate' } = config
  return [method].flat().map((one) => ({ method: one, url, schema: schema ?? {}, right, notes }))
}

const BEARER = { type: 'http', scheme: 'bearer', description: 'A token or a key.' }
const HEADER = { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same, in a header of its own.' }

const NEEDS: Readonly<Record<Right, string>> = {
  public: 'Needs no token.',
  read: 'For whoever may read the scope.',
  write: 'For whoever may write the scope.',
  delete: 'For whoever may write the scope, but for agents.',
  inspect: 'For the operator and agents.',
  operate: 'For the operator.',
}

/** The API as an OpenAPI 3.1 document, made of the very schemas that the routes validate and serialise with. */
export function openApiDocument(routes: readonly DescribedRoute[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.url.replace('*', ':key').replaceAll(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operationOf(route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'openclaw-meshd',
      version,
      summary: 'The store API of a node.',
      description: `JSON in and out; bodies of up to ${MAX_BODY_BYTES / 1024 ** 2} MiB. Times in rows are Unix seconds.`,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: { bearer: BEARER, key: HEADER },
      responses: { Problem: { description: 'What went wrong, as RFC 9457 has it.', content: problemContent(routes) } },
    },
  }
}

function operationOf({ method, url, schema, right, notes }: DescribedRoute): Json {
  const parameters = [
    ...parametersOf('path', schema.params),
    ...parametersOf('query', schema.querystring),
    ...preconditionsOf(notes),
  ]
  return {
    operationId: operationIdOf(method, url),
    summary: notes.summary,
    description: [notes.description, NEEDS[right]].filter(Boolean).join(' '),
    security: right === 'public' ? [] : [{ bearer: [] }, { key: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(schema, notes),
    responses: responsesOf(schema, notes),
  }
}

function bodyOf({ body: checked }: FastifySchema, { body = checked, bodyType }: RouteNotes): Json {
  if (bodyType !== undefined) return { requestBody: { required: true, content: { [bodyType]: { schema: {} } } } }
  return body === undefined
    ? {}
    : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }
}

function operationIdOf(method: string, url: string): string {
  const words = url.split(/[^A-Za-z]+/).filter((word) => word !== '')
  return [method.toLowerCase(), ...words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)].join('')
}

function parametersOf(place: 'path' | 'query', schema: unknown): Json[] {
  if (schema === undefined) return []
  const { properties, required = [] } = schema as { properties: Record<string, unknown>; required?: string[] }
  return Object.entries(properties).map(([name, member]) => ({
    name: name === '*' ? 'key' : name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: member,
  }))
}

function preconditionsOf({ conditional }: RouteNotes): Json[] {
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })
  if (conditional === undefined) return []
  if (conditional === 'read')
    return [header('If-None-Match', 'ETags of versions that the caller has: 304 for one of them.')]
  return [
    header('If-Match', 'ETags of versions that may be overwritten, or *; else 412.'),
    header('If-None-Match', '* where there must be no entry; else 412.'),
  ]
}

function responsesOf({ response }: FastifySchema, { answer, answerType, conditional }: RouteNotes): Json {
  const schema = answer ?? (response as Record<string, unknown> | undefined)?.['200'] ?? {}
  const problem = { $ref: '#/components/responses/Problem' }
  const etag = { ETag: { description: 'Names the version of the row.', schema: { type: 'string' } } }
  return {
    200: {
      description: 'Done.',
      ...(conditional === undefined ? {} : { headers: etag }),
      content: { [answerType ?? 'application/json']: { schema } },
    },
    ...(conditional === 'read' ? { 304: { description: 'The caller has this version.' } } : {}),
    '4XX': problem,
    '5XX': problem,
  }
}

function problemContent(routes: readonly DescribedRoute[]): Json {
  const responses = routes.map(({ schema }) => schema.response as Record<string, unknown> | undefined)
  const schema = responses.find((one) => one?.['4xx'] !== undefined)?.['4xx']
  return { 'application/problem+json': { schema } }
}
