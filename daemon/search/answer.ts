import { MeshError } from '../../crdt/errors.ts'
import type { Found } from './finder.ts'
import type { IndexThread } from './index-thread.ts'
import { type ParsedQuery, toExpression } from './query.ts'
import { DEFAULT_LIMIT, MAX_LIMIT, type SearchComponents, type SearchHit, type SearchQuery } from './search.ts'
import type { Snippet } from './snippet.ts'

/** So many more are asked for than wanted: some may be deleted before they are shown. */
const SPARE = 8
/** Characters of rows that go to the index's thread at once, for their snippets: copying them holds this one up. */
const SNIPPET_CHARACTERS = 1024 * 1024

interface Shown {
  readonly found: Found
  readonly json: string
}

/** Answers a query from the index, with what the entries hold now. @throws {IndexFailure} @throws {MeshError} of the store */
export async function answer(
  { store, now }: Pick<SearchComponents, 'store' | 'now'>,
  thread: IndexThread,
  { query, parsed }: { query: SearchQuery; parsed: ParsedQuery },
): Promise<SearchHit[]> {
  const limit = checkLimit(query.limit)
  const found = await thread.call('find', {
    expression: toExpression(parsed),
    ranked: parsed.isRanked,
    kind: query.kind,
    scopes: scopesOf(query),
    prefix: query.prefix ?? '',
    limit: limit + SPARE,
    now: Math.floor(now() / 1_000),
  })
  const shown: Shown[] = []
  for (const one of found) {
    if (shown.length === limit) break
    const row = await readable(store, one)
    // Deleted since it was indexed, or damaged: nothing to show.
    if (row !== undefined) shown.push({ found: one, json: row.json })
  }
  const snippets: Snippet[] = []
  for (const some of inParts(shown)) {
    const rows = some.map(({ found: { kind }, json }) => ({ kind, json }))
    snippets.push(...(await thread.call('snippets', parsed.wanted, rows)))
  }
  return shown.map(({ found: { kind, scope, key, score } }, i) => ({
    kind,
    scope,
    key,
    snippet: snippets[i] as Snippet,
    score,
  }))
}

/** @throws {MeshError} `REQUEST_INVALID` */
export function checkLimit(limit = DEFAULT_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new MeshError('REQUEST_INVALID', `limit: ${limit} is not 1 to ${MAX_LIMIT}`, { field: 'limit' })
}

function scopesOf({ scope, scopes }: SearchQuery): SearchQuery['scopes'] {
  if (scope === undefined) return scopes
  return scopes === undefined || scopes.includes(scope) ? [scope] : []
}

async function readable(store: SearchComponents['store'], id: Found) {
  try {
    return await store.rowJson({ kind: id.kind, scope: id.scope, key: id.key })
  } catch (error) {
    if (error instanceof MeshError && error.code === 'STORAGE_CORRUPT') return undefined
    throw error
  }
}

function* inParts(shown: readonly Shown[]): Generator<Shown[]> {
  let part: Shown[] = []
  let characters = 0
  for (const one of shown) {
    if (part.length > 0 && characters + one.json.length > SNIPPET_CHARACTERS) {
      yield part
      part = []
      characters = 0
    }
    part.push(one)
    characters += one.json.length
  }
  if (part.length > 0) yield part
}
