import { parseScope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ListOptions } from '../../crdt/replica/replica.ts'

/** What a list may be narrowed by, as it came. */
export interface RawListQuery {
  readonly scope?: string
  readonly prefix?: string
  readonly limit?: number
  readonly q?: string
}

/**
 * An empty parameter counts as none.
 * @throws {MeshError} `SCOPE_INVALID`, `SEARCH_UNAVAILABLE` for `q`
 */
export function parseListQuery({ scope, prefix, limit, q }: RawListQuery): ListOptions {
  if (q !== undefined && q !== '') throw searchUnavailable('q')
  return {
    ...(scope === undefined || scope === '' ? {} : { scope: parseScope(scope) }),
    ...(prefix === undefined || prefix === '' ? {} : { prefix }),
    ...(limit === undefined ? {} : { limit }),
  }
}

/** The answer to every search: there is no index yet. */
export function searchUnavailable(field: string): MeshError {
  const hint = 'list by scope and prefix, or search the files under <home>/mesh/memory'
  return new MeshError('SEARCH_UNAVAILABLE', `${field}: this version does not search`, { field, hint })
}
