import {
  type EntryId,
  MESH_SCOPE,
  parseNodeId,
  parseScope,
  parseSkillName,
  type Scope,
} from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { SkillPut } from '../../crdt/replica/replica.ts'
import { readable, writable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf, expectationOf } from './etag.ts'
import { routes } from './route-schemas.ts'
import { sendList, sendRow } from './row-stream.ts'
import type { PutSkill } from './schemas.ts'

/** Reads and writes of skills. What a skill's `path` or a URL names is never opened. */
export function addSkillRoutes(app: ApiApp, { store, mesh }: RouteContext): void {
  app.get('/mesh/skills', routes.listSkills, (request, reply) => sendList(request, reply, { store, kind: 'skill' }))

  app.get('/mesh/skills/:name', routes.getSkill, async ({ params, query, headers, access }, reply) => {
    const id = skillId(params.name, query.scope)
    readable(access, id.scope)
    const row = await store.rowJson(id)
    if (row === undefined) throw noSkill(id)
    sendRow(headers, reply, row)
  })

  app.put('/mesh/skills', routes.putSkill, async ({ body, headers, access }, reply) => {
    const put = skillPutOf(body, mesh.nodeId)
    writable(access, put.scope)
    const { row, version } = await store.putSkill({ ...put, expect: expectationOf(headers) })
    reply.header('etag', etagOf(version))
    return row
  })

  app.delete('/mesh/skills/:name', routes.deleteSkill, async ({ params, query, headers, access }) => {
    const id = skillId(params.name, query.scope)
    writable(access, id.scope)
    if (!(await store.remove(id, mesh.nodeId, expectationOf(headers)))) throw noSkill(id)
    return { deleted: true as const, scope: id.scope, name: id.key }
  })
}

/**
 * What a body says, for the store.
 * @param at where it stands in a larger body, for errors
 */
export function skillPutOf(body: PutSkill, self: string, at?: string): SkillPut {
  const field = (name: string) => (at === undefined ? name : `${at}.${name}`)
  if (typeof body.content !== 'string' && typeof body.path !== 'string') {
    const hint = 'send the text of SKILL.md as content, or where it lies as path'
    const message = `${field('content')}: is missing, and so is path`
    throw new MeshError('REQUEST_INVALID', message, { field: field('content'), hint })
  }
  return {
    scope: scopeOf(body.scope, field('scope')),
    name: parseSkillName(body.name, field('name')),
    nodeId: body.source_node ? parseNodeId(body.source_node, field('source_node')) : self,
    content: body.content ?? undefined,
    path: body.path ?? undefined,
    expiresAt: body.expires_at,
  }
}

function scopeOf(text: string | undefined, field = 'scope'): Scope {
  return text === undefined || text === '' ? MESH_SCOPE : parseScope(text, field)
}

export function skillId(name: string, scope: string | undefined): EntryId {
  return { kind: 'skill', scope: scopeOf(scope), key: parseSkillName(name) }
}

export function noSkill({ scope, key }: EntryId): MeshError {
  return new MeshError('NOT_FOUND', `name: there is no skill ${JSON.stringify(key)} in scope ${scope}`, {
    field: 'name',
  })
}
