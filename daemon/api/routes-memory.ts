import { type EntryId, parseMemoryKey, parseNodeId, parseScope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { parseListQuery, searchUnavailable } from './list-query.ts'
import { routes } from './route-schemas.ts'
import { sendRow, sendRows } from './row-stream.ts'

/** Reads and writes of memory. */
export function addMemoryRoutes(app: ApiApp, { store, mesh }: RouteContext): void {
  app.get('/mesh/memory', { schema: routes.listMemory }, (request, reply) => {
    const query = parseListQuery(request.query)
    return sendRows(reply, (signal) => store.list('memory', { ...query, signal }))
  })

  app.get('/mesh/memory/:scope/*', { schema: routes.getMemory }, async ({ params }, reply) => {
    const id = memoryId(params)
    const row = await store.rowJson(id)
    if (row === undefined) throw noMemory(id)
    sendRow(reply, row)
  })

  app.put('/mesh/memory', { schema: routes.putMemory }, async ({ body }) => {
    const nodeId = body.node_id === undefined ? mesh.nodeId : parseNodeId(body.node_id)
    const put = { scope: parseScope(body.scope), key: parseMemoryKey(body.key), value: body.value, nodeId }
    return (await store.putMemory(put)).row
  })

  app.delete('/mesh/memory/:scope/*', { schema: routes.deleteMemory }, async (request) => {
    const id = memoryId(request.params)
    if (!(await store.remove(id, mesh.nodeId))) throw noMemory(id)
    return { deleted: true as const, scope: id.scope, key: id.key }
  })

  app.post('/mesh/query', { schema: routes.query }, () => {
    throw searchUnavailable('query')
  })
}

function memoryId(params: { scope: string; '*': string }): EntryId {
  return { kind: 'memory', scope: parseScope(params.scope), key: parseMemoryKey(params['*']) }
}

function noMemory({ scope, key }: EntryId): MeshError {
  return new MeshError('NOT_FOUND', `key: there is no memory ${JSON.stringify(key)} in scope ${scope}`, {
    field: 'key',
  })
}
