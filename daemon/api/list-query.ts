import { type Kind, parseMemoryKey, parseScope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ListOptions } from '../../crdt/replica/replica.ts'

/** What a list may be narrowed by, as it came. */
export interface RawListQuery {
  readonly scope?: string
  readonly prefix?: string
  readonly limit?: number
  readonly cursor?: string
  readonly updated_since?: number
}

/**
 * An empty parameter counts as none.
 * @throws {MeshError} `SCOPE_INVALID`, `CURSOR_INVALID`
 */
export function parseListQuery(query: RawListQuery): ListOptions {
  const { scope, prefix, limit, cursor, updated_since: updatedSince } = query
  return {
    scopes: isGiven(scope) ? [parseScope(scope)] : undefined,
    prefix: isGiven(prefix) ? prefix : undefined,
    after: isGiven(cursor) ? parseCursor(cursor) : undefined,
    limit,
    updatedSince,
  }
}

const isGiven = (text: string | undefined): text is string => text !== undefined && text !== ''

type Place = NonNullable<ListOptions['after']>

/** The place behind which the next page begins, as opaque text; with the kind where a list is of both. */
export function cursorOf({ scope, key }: Place, kind?: Kind): string {
  return Buffer.from(JSON.stringify(kind === undefined ? [scope, key] : [scope, key, kind])).toString('base64url')
}

/** @throws {MeshError} `CURSOR_INVALID` */
export function parseCursor(text: string): Place & { readonly kind: Kind } {
  try {
    const [scope, key, kind] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[]
    return { scope: parseScope(scope), key: parseMemoryKey(key), kind: kind === 'skill' ? 'skill' : 'memory' }
  } catch (cause) {
    const hint = 'take it from the Link of the page before, and leave it out for the first page'
    throw new MeshError('CURSOR_INVALID', 'cursor: is none that a list gave', { field: 'cursor', hint, cause })
  }
}
