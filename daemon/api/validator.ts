import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Value } from 'typebox/value'
import { MeshError } from '../../crdt/errors.ts'

/**
 * Fastify's validator over TypeBox. Query strings, which are all text, are read as the numbers that the schema wants, and
 * an empty one counts as none; a missing body is an empty object, so that what it lacks is named. Nothing else is removed
 * and no default filled in.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = compileCheck(schema)
  return (value: unknown) => {
    const part = httpPart === 'querystring' ? Value.Convert(schema, withoutEmpty(schema, value)) : (value ?? {})
    try {
      check(part)
      return { value: part }
    } catch (error) {
      return { error: error as MeshError }
    }
  }
}

/** What an empty text says is for the route to judge; as a number or a choice it says nothing. */
function withoutEmpty(schema: TSchema, query: unknown): unknown {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, { readonly type?: string }>> }
  const given = Object.entries(query as Record<string, unknown>)
  return Object.fromEntries(given.filter(([name, value]) => value !== '' || properties[name]?.type === 'string'))
}

/**
 * Compiles a schema into a check that throws.
 * @returns a function that throws {MeshError} `REQUEST_INVALID`, with the path of the first fault as `field`
 */
export function compileCheck(schema: TSchema): (value: unknown, at?: string) => void {
  const compiled = Compile(schema)
  return (value, at = '') => {
    if (compiled.Check(value)) return
    const [first] = compiled.Errors(value)
    throw describeFault(first, at)
  }
}

function describeFault(fault: TLocalizedValidationError | undefined, at: string): MeshError {
  const steps = (fault?.instancePath ?? '').split('/').slice(1)
  if (fault?.keyword === 'required') steps.push(fault.params.requiredProperties[0] ?? '')
  const path = steps.reduce((left, step) => {
    if (/^\d+$/.test(step)) return `${left}[${step}]`
    return left === '' ? step : `${left}.${step}`
  }, at)
  const field = path === '' ? 'body' : path
  const what = fault?.keyword === 'required' ? 'is missing' : (fault?.message ?? 'is not valid')
  return new MeshError('REQUEST_INVALID', `${field}: ${what}`, { field })
}
