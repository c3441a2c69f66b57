import {
  type EntryId,
  MESH_SCOPE,
  parseNodeId,
  parseScope,
  parseSkillName,
  type Scope,
} from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { parseListQuery } from './list-query.ts'
import { routes } from './route-schemas.ts'
import { sendRow, sendRows } from './row-stream.ts'

/** Reads and writes of skills. What a skill's `path` or a URL names is never opened. */
export function addSkillRoutes(app: ApiApp, { store, mesh }: RouteContext): void {
  app.get('/mesh/skills', { schema: routes.listSkills }, (request, reply) => {
    const query = parseListQuery(request.query)
    return sendRows(reply, (signal) => store.list('skill', { ...query, signal }))
  })

  app.get('/mesh/skills/:name', { schema: routes.getSkill }, async ({ params, query }, reply) => {
    const id = skillId(params.name, query.scope)
    const row = await store.rowJson(id)
    if (row === undefined) throw noSkill(id)
    sendRow(reply, row)
  })

  app.put('/mesh/skills', { schema: routes.putSkill }, async ({ body }) => {
    if (typeof body.content !== 'string' && typeof body.path !== 'string') {
      const hint = 'send the text of SKILL.md as content, or where it lies as path'
      throw new MeshError('REQUEST_INVALID', 'content: is missing, and so is path', { field: 'content', hint })
    }
    const put = {
      scope: scopeOf(body.scope),
      name: parseSkillName(body.name),
      nodeId: body.source_node === undefined ? mesh.nodeId : parseNodeId(body.source_node, 'source_node'),
      content: body.content ?? undefined,
      path: body.path ?? undefined,
    }
    return (await store.putSkill(put)).row
  })

  app.delete('/mesh/skills/:name', { schema: routes.deleteSkill }, async ({ params, query }) => {
    const id = skillId(params.name, query.scope)
    if (!(await store.remove(id, mesh.nodeId))) throw noSkill(id)
    return { deleted: true as const, scope: id.scope, name: id.key }
  })
}

function scopeOf(text: string | undefined): Scope {
  return text === undefined || text === '' ? MESH_SCOPE : parseScope(text)
}

function skillId(name: string, scope: string | undefined): EntryId {
  return { kind: 'skill', scope: scopeOf(scope), key: parseSkillName(name) }
}

function noSkill({ scope, key }: EntryId): MeshError {
  return new MeshError('NOT_FOUND', `name: there is no skill ${JSON.stringify(key)} in scope ${scope}`, {
    field: 'name',
  })
}
