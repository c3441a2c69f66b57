import { type Kind, parseScope, type Scope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { Search, SearchHit, SearchResult } from '../search/index.ts'
import { type Access, readable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { routes } from './route-schemas.ts'
import type { SearchAnswer, SearchRow } from './schemas.ts'

/** What is searched for, as it came. */
export interface RawSearch {
  readonly text: string
  /** How the caller named the text, for errors. */
  readonly field: 'q' | 'query'
  readonly kind?: Kind | undefined
  readonly scope?: string | undefined
  readonly prefix?: string | undefined
  readonly limit?: number | undefined
  readonly mode?: string | undefined
}

/** Most results; a caller that asks for more gets these. */
const MAX_RESULTS = 100

/** Search over memory and skills, and as earlier tools call it. */
export function addSearchRoutes(app: ApiApp, context: RouteContext): void {
  const { search } = context

  app.get('/search', routes.search, async ({ query, access }): Promise<SearchAnswer> => {
    const { hits, isComplete } = await runSearch(context, access, { ...query, text: query.q, field: 'q' })
    return { results: hits.map(hitOf), complete: isComplete }
  })

  app.post('/mesh/query', routes.query, async ({ body, access }) => {
    const field = body.query === undefined ? 'q' : 'query'
    const text = body.query ?? body.q
    if (text === undefined) throw new MeshError('REQUEST_INVALID', 'query: is missing', { field: 'query' })
    return (await runSearch(context, access, { ...body, kind: 'memory', text, field })).hits.map(rowOf)
  })

  app.post('/search/rebuild', routes.rebuildSearch, async () => {
    await available(search, 'q').rebuild()
    return { entries: available(search, 'q').status().entries }
  })
}

/**
 * Searches what the caller may read.
 * @throws {MeshError} `SEARCH_UNAVAILABLE`, `FORBIDDEN`, `QUERY_INVALID`, `SEARCH_NOT_READY`
 */
export async function runSearch(
  { search, store }: Pick<RouteContext, 'search' | 'store'>,
  access: Access,
  { text, field, kind, scope, prefix, limit, mode }: RawSearch,
): Promise<SearchResult> {
  if (mode === 'semantic') {
    const hint = 'search by words: leave mode out, or say fts'
    throw new MeshError('SEARCH_UNAVAILABLE', 'mode: there is no search by meaning', { field: 'mode', hint })
  }
  if (mode !== undefined && mode !== '' && mode !== 'fts') {
    throw new MeshError('REQUEST_INVALID', 'mode: is neither fts nor semantic', { field: 'mode' })
  }
  return available(search, field).search({
    text,
    ...(kind && { kind }),
    ...scopesOf(store, access, scope),
    ...(prefix && { prefix }),
    ...(limit !== undefined && { limit: Math.min(limit, MAX_RESULTS) }),
  })
}

/** A result as earlier tools have it. */
export function rowOf({ scope, key, snippet }: SearchHit): SearchRow {
  return { scope, key, snippet: snippet.text }
}

function hitOf({ kind, scope, key, snippet, score }: SearchHit): SearchAnswer['results'][0] {
  const marks = snippet.marks.map(([start, end]) => [start, end])
  return { kind, scope, key, snippet: snippet.text, marks, score }
}

function available(search: Search | undefined, field: string): Search {
  if (search !== undefined) return search
  const hint = 'set search.enabled (MESH_SEARCH_ENABLED) to true'
  throw new MeshError('SEARCH_UNAVAILABLE', `${field}: search is switched off on this node`, { field, hint })
}

function scopesOf(store: Pick<EntryStore, 'scopes'>, access: Access, scope: string | undefined) {
  if (scope !== undefined && scope !== '') return { scope: readable(access, parseScope(scope)) }
  const all = store.scopes()
  const scopes: readonly Scope[] = all.filter(access.mayRead)
  return scopes.length === all.length && access.rights.has('inspect') ? {} : { scopes }
}
