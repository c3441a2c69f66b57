/** What tests that walk every route of the API's own description share. */
import fc from 'fast-check'
import type { RawCall } from './lab-suite.ts'

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
}

export interface Operation {
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  readonly body: Schema | undefined
  readonly security: readonly unknown[]
  readonly responses: Readonly<Record<string, unknown>>
}

interface Described {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: { readonly 'application/json'?: { readonly schema: Schema } } }
  readonly security: readonly unknown[]
  readonly responses: Readonly<Record<string, unknown>>
}

export function operationsOf(document: unknown): Operation[] {
  const { paths } = document as { paths: Readonly<Record<string, Readonly<Record<string, Described>>>> }
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [], requestBody, security, responses }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      security,
      responses,
    })),
  )
}

/** A request of an operation with these parameters and this body. */
export function requestOf(
  { method, path, parameters }: Operation,
  values: Readonly<Record<string, string>>,
  body?: unknown,
): { path: string; call: RawCall } {
  const used = parameters.filter(({ name }) => values[name] !== undefined)
  const value = ({ name }: Parameter) => encodeURIComponent(values[name] as string)
  const filled = used.reduce((at, one) => (one.in === 'path' ? at.replace(`{${one.name}}`, value(one)) : at), path)
  const query = used.filter((one) => one.in === 'query').map((one) => `${one.name}=${value(one)}`)
  const headers = Object.fromEntries(
    used.filter((one) => one.in === 'header').map((one) => [one.name.toLowerCase(), values[one.name] as string]),
  )
  return {
    path: query.length === 0 ? filled : `${filled}?${query.join('&')}`,
    call: {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  }
}

const nasty = fc.constantFrom(
  '',
  'mesh',
  'node',
  'user:a',
  'tenant:*',
  'user:a:b:c',
  '*',
  'k',
  'a/b',
  '../x',
  '\0',
  '%00',
  '%ff',
  '__proto__',
  'constructor',
  '"x"',
  'W/"x"',
  '\u202e',
  '🙂',
  'é\r\nx: y',
  '-1',
  '1e309',
  'true',
  'x'.repeat(1_100),
)
const text = fc.oneof(
  nasty,
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
)

/** Values of a schema, mostly; now and then anything at all. */
function wildly(schema: Schema): fc.Arbitrary<unknown> {
  const anything = fc.oneof(
    text,
    fc.jsonValue({ maxDepth: 3 }),
    fc.double(),
    fc.constantFrom(0, -1, 1e308, 2 ** 53, null),
  )
  return fc.oneof({ weight: 5, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything })
}

function fitting({ type, properties, items, anyOf, const: only }: Schema): fc.Arbitrary<unknown> {
  if (only !== undefined) return fc.constant(only)
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(wildly))
  if (properties !== undefined) {
    const members = Object.entries(properties).map(([name, schema]) => [name, wildly(schema)] as const)
    return fc.record(Object.fromEntries(members), { requiredKeys: [] })
  }
  switch ([type].flat()[0]) {
    case 'string':
      return text
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer(), fc.double(), fc.nat(2_000))
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(wildly(items ?? {}), { maxLength: 6 })
    default:
      return fc.oneof(fc.jsonValue({ maxDepth: 4 }), anyPut)
  }
}

/** What items of open lists mostly are. */
const anyPut = fc.record(
  {
    kind: fc.constantFrom('memory', 'skill', 'x'),
    scope: text,
    key: text,
    name: text,
    value: fc.jsonValue(),
    content: text,
  },
  { requiredKeys: [] },
)

/** Requests of an operation, as wild as a caller may send them. */
export function requestsOf(operation: Operation): fc.Arbitrary<{ path: string; call: RawCall }> {
  const values = fc.record(
    Object.fromEntries(
      operation.parameters.map(({ name, in: place }) => [name, place === 'header' ? headerText : text]),
    ),
    { requiredKeys: operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name) },
  ) as fc.Arbitrary<Record<string, string>>
  const body =
    operation.body === undefined ? fc.constant(undefined) : fc.option(wildly(operation.body), { nil: undefined })
  const raw = fc.option(
    fc.oneof(fc.string({ maxLength: 30 }), fc.constantFrom('{', '[', '{"a":1,"a":2}', '"\\ud800"', '1e999')),
    {
      freq: 8,
      nil: undefined,
    },
  )
  return fc.tuple(values, body, raw).map(([given, sent, instead]) => {
    const wellFormed = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value.toWellFormed()]))
    const request = requestOf(operation, wellFormed, sent)
    return instead === undefined ? request : { ...request, call: { ...request.call, body: instead } }
  })
}

/** What Node lets into a header. */
const headerText = fc.oneof(
  fc.constantFrom('*', '"x"', 'W/"x"', '', '"', '"a","b"', 'x'.repeat(9_000)),
  fc.stringMatching(/^[ -~]{0,20}$/),
)
