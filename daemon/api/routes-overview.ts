import type { FastifyRequest } from 'fastify'
import type { Kind, Scope } from '../../crdt/entry/index.ts'
import { versionOf } from '../../crdt/replica/index.ts'
import type { EntryStore, ListOptions, StoredEntry } from '../../crdt/replica/replica.ts'
import { nextTurn } from '../../crdt/turns.ts'
import { readable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf } from './etag.ts'
import { cursorOf, parseCursor, parseListQuery, type RawListQuery } from './list-query.ts'
import type { Conflicted, ScopeCounts, Scopes } from './overview-schemas.ts'
import { routes } from './route-schemas.ts'
import { sendPages } from './row-stream.ts'
import { callerGone } from './streams.ts'

const KINDS: readonly Kind[] = ['memory', 'skill']
/** Entries are counted in runs of so many, about a millisecond: then others have their turn. */
const BREATH = 64

/** What there is as a whole, as far as the caller may read it. No document is opened for it. */
export function addOverviewRoutes(app: ApiApp, { store }: RouteContext): void {
  app.get('/conflicts', routes.conflicted, (request, reply) => {
    const { kind, ...query } = request.query
    const entries = conflicted(store, kind === undefined ? KINDS : [kind], {
      ...optionsFor(request, store, query),
      signal: callerGone(reply),
    })
    return sendPages(request, reply, { limit: query.limit, entries, render, cursorOf: (id) => cursorOf(id, id.kind) })
  })

  app.get('/scopes', routes.scopes, async (request, reply): Promise<Scopes> => {
    const signal = callerGone(reply)
    const scopes = store.scopes().filter(request.access.mayRead)
    const counts = new Map<Scope, ScopeCounts>()
    let counted = 0
    for (const kind of KINDS) {
      for await (const { id, conflicts } of store.list(kind, { scopes, signal })) {
        const sums = counts.get(id.scope) ?? { scope: id.scope, memory: 0, skills: 0, conflicts: 0 }
        counts.set(id.scope, sums)
        sums[kind === 'memory' ? 'memory' : 'skills']++
        if (conflicts > 0) sums.conflicts++
        if (++counted % BREATH === 0) await nextTurn()
      }
    }
    return { scopes: [...counts.values()].sort((a, b) => (a.scope < b.scope ? -1 : 1)) }
  })
}

type Narrowed = ListOptions & { readonly afterKind: Kind | undefined }

/** @throws {MeshError} `FORBIDDEN`, `SCOPE_INVALID`, `CURSOR_INVALID` */
function optionsFor({ access }: FastifyRequest, store: EntryStore, { cursor, ...query }: RawListQuery): Narrowed {
  const { scopes: asked, prefix } = parseListQuery(query)
  const scopes = asked?.map((scope) => readable(access, scope)) ?? store.scopes().filter(access.mayRead)
  const place = cursor ? parseCursor(cursor) : undefined
  return { scopes, prefix, after: place, afterKind: place?.kind }
}

/** Memory first. What is behind a place of one kind is the rest of that kind, and the kinds behind it. */
async function* conflicted(
  store: EntryStore,
  kinds: readonly Kind[],
  { after, afterKind, ...options }: Narrowed,
): AsyncGenerator<StoredEntry> {
  // As a rule there are none, and no entry need be looked at to know that.
  if (store.counts().conflicts === 0) return
  const first = afterKind === undefined ? 0 : KINDS.indexOf(afterKind)
  for (const kind of kinds.filter((one) => KINDS.indexOf(one) >= first)) {
    yield* store.list(kind, { ...options, inConflict: true, after: kind === afterKind ? after : undefined })
  }
}

function render({ id: { kind, scope, key }, conflicts, row, heads }: StoredEntry): string {
  if (row === undefined) throw new Error('impossible: a list holds live entries')
  const shown: Conflicted = {
    kind,
    scope,
    key,
    conflicts,
    updated_at: row.updated_at,
    etag: etagOf(versionOf(heads)),
  }
  return JSON.stringify(shown)
}
