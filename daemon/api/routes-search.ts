import { type Kind, parseScope, type Scope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { Search, SearchHit, SearchQuery, SearchResult } from '../search/index.ts'
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
  readonly scope?: string | null | undefined
  readonly prefix?: string | null | undefined
  readonly limit?: number | null | undefined
  readonly mode?: string | null | undefined
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
    const { query, q } = body
    const field = typeof query === 'string' ? 'query' : 'q'
    const text = query ?? q
    if (typeof text !== 'string') throw new MeshError('REQUEST_INVALID', 'query: is missing', { field: 'query' })
    return searchRows(context, access, { ...body, text, field })
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
async function runSearch(context: SearchContext, access: Access, raw: RawSearch): Promise<SearchResult> {
  const { search, query } = parseSearch(context, access, raw)
  return search.search(query)
}

/**
 * A search as earlier tools ask, of memory alone. Their empty question is one, to which nothing is the answer.
 * @throws {MeshError} as {@link runSearch}
 */
export async function searchRows(context: SearchContext, access: Access, raw: RawSearch): Promise<SearchRow[]> {
  const { search, query } = parseSearch(context, access, { ...raw, kind: 'memory' })
  if (query.text.trim() === '') return []
  return (await search.search(query)).hits.map(rowOf)
}

type SearchContext = Pick<RouteContext, 'search' | 'store'>

function parseSearch(
  { search, store }: SearchContext,
  access: Access,
  { text, field, kind, scope, prefix, limit, mode }: RawSearch,
): { readonly search: Search; readonly query: SearchQuery } {
  if (mode === 'semantic') {
    const hint = 'search by words: leave mode out, or say fts'
    throw new MeshError('SEARCH_UNAVAILABLE', 'mode: there is no search by meaning', { field: 'mode', hint })
  }
  if (mode && mode !== 'fts') {
    throw new MeshError('REQUEST_INVALID', 'mode: is neither fts nor semantic', { field: 'mode' })
  }
  const query = {
    text,
    ...(kind && { kind }),
    ...scopesOf(store, access, scope),
    ...(prefix && { prefix }),
    ...(limit && { limit: Math.min(limit, MAX_RESULTS) }),
  }
  return { search: available(search, field), query }
}

/** A result as earlier tools have it. */
function rowOf({ scope, key, snippet }: SearchHit): SearchRow {
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

function scopesOf(store: Pick<EntryStore, 'scopes'>, access: Access, scope: string | null | undefined) {
  if (scope) return { scope: readable(access, parseScope(scope)) }
  const all = store.scopes()
  const scopes: readonly Scope[] = all.filter(access.mayRead)
  return scopes.length === all.length && access.rights.has('inspect') ? {} : { scopes }
}
