import { type EntryId, parseMemoryKey, parseNodeId, parseScope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { MemoryPut } from '../../crdt/replica/replica.ts'
import { readable, writable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf, expectationOf } from './etag.ts'
import { routes } from './route-schemas.ts'
import { searchRows } from './routes-search.ts'
import { sendJson, sendList, sendRow } from './row-stream.ts'
import type { PutMemory } from './schemas.ts'

/** Reads and writes of memory. */
export function addMemoryRoutes(app: ApiApp, context: RouteContext): void {
  const { store, mesh } = context

  app.get('/mesh/memory', routes.listMemory, async (request, reply) => {
    const { q, scope, prefix, limit, mode } = request.query
    if (q === undefined) return sendList(request, reply, { store, kind: 'memory' })
    const search = { text: q, field: 'q', scope, prefix, limit, mode } as const
    sendJson(reply, JSON.stringify(await searchRows(context, request.access, search)))
  })

  app.get('/mesh/memory/:scope/*', routes.getMemory, async ({ params, headers, access }, reply) => {
    const id = memoryId(params)
    readable(access, id.scope)
    const row = await store.rowJson(id)
    if (row === undefined) throw noMemory(id)
    sendRow(headers, reply, row)
  })

  app.put('/mesh/memory', routes.putMemory, async ({ body, headers, access }, reply) => {
    const put = memoryPutOf(body, mesh.nodeId)
    writable(access, put.scope)
    const { row, version } = await store.putMemory({ ...put, expect: expectationOf(headers) })
    reply.header('etag', etagOf(version))
    return row
  })

  app.delete('/mesh/memory/:scope/*', routes.deleteMemory, async ({ params, headers, access }) => {
    const id = memoryId(params)
    writable(access, id.scope)
    if (!(await store.remove(id, mesh.nodeId, expectationOf(headers)))) throw noMemory(id)
    return { deleted: true as const, scope: id.scope, key: id.key }
  })
}

function memoryId(params: { scope: string; '*': string }): EntryId {
  return { kind: 'memory', scope: parseScope(params.scope), key: parseMemoryKey(params['*']) }
}

/**
 * What a body says, for the store.
 * @param at where it stands in a larger body, for errors
 */
export function memoryPutOf(body: PutMemory, self: string, at?: string): MemoryPut {
  const field = (name: string) => (at === undefined ? name : `${at}.${name}`)
  return {
    scope: parseScope(body.scope, field('scope')),
    key: parseMemoryKey(body.key, field('key')),
    value: body.value,
    // A script whose node has no name sends an empty one.
    nodeId: body.node_id ? parseNodeId(body.node_id, field('node_id')) : self,
    expiresAt: body.expires_at,
  }
}

export function noMemory({ scope, key }: EntryId): MeshError {
  return new MeshError('NOT_FOUND', `key: there is no memory ${JSON.stringify(key)} in scope ${scope}`, {
    field: 'key',
  })
}
