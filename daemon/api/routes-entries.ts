import {
  type Conflict,
  type EntryId,
  type MemoryRow,
  parseMemoryKey,
  parseNodeId,
  parseScope,
  type SkillRow,
} from '../../crdt/entry/index.ts'
import type { MeshError } from '../../crdt/errors.ts'
import type { AuthoredRevision, Resolution } from '../../crdt/replica/replica.ts'
import { peerIdFromPublicKey } from '../../transports/libp2p/index.ts'
import type { Mesh } from '../../transports/mesh.ts'
import { type Access, readable, writable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf, expectationOf } from './etag.ts'
import { routes } from './route-schemas.ts'
import { noMemory } from './routes-memory.ts'
import { noSkill, skillId } from './routes-skills.ts'
import type { Conflicts, History, HistoryQuery, ResolveBody, Revision } from './schemas.ts'

/** Changes of a history in one answer, unless the caller says how many. */
const HISTORY_PAGE = 25

/** What an entry has been, where its writers disagree, and how that is ended: alike for memory and skills. */
export function addEntryRoutes(app: ApiApp, { store, mesh }: RouteContext): void {
  const history = async (id: EntryId, { before, limit = HISTORY_PAGE }: HistoryQuery): Promise<History> => {
    const found = await store.history(id, { before, limit: limit + 1 })
    // Who was deleted has a history still; who was never there has none.
    if (found.length === 0 && before === undefined) throw nothingAt(id)
    const page = found.slice(0, limit)
    return {
      revisions: page.map((revision) => revisionOf(revision, mesh)),
      next: found.length > limit ? (page.at(-1)?.hash ?? null) : null,
    }
  }

  const conflicts = async (id: EntryId): Promise<Conflicts> => {
    if ((await store.rowJson(id)) === undefined) throw nothingAt(id)
    return { conflicts: (await store.conflicts(id)).map(conflictOf) }
  }

  const resolve = async (id: EntryId, body: ResolveBody, expect: ReturnType<typeof expectationOf>) => {
    const nodeId = body.node_id === undefined ? mesh.nodeId : parseNodeId(body.node_id)
    const done = await store.resolve(id, body.resolutions as readonly Resolution[] | undefined, nodeId, expect)
    if (done === undefined) throw nothingAt(id)
    return done
  }

  app.get('/mesh/memory/:scope/:key/history', routes.memoryHistory, ({ params, query, access }) =>
    history(toRead(memoryOf(params), access), query),
  )
  app.get('/mesh/memory/:scope/:key/conflicts', routes.memoryConflicts, ({ params, access }) =>
    conflicts(toRead(memoryOf(params), access)),
  )
  app.post('/mesh/memory/:scope/:key/resolve', routes.resolveMemory, async (request, reply) => {
    const { params, body, headers, access } = request
    const { row, version } = await resolve(toWrite(memoryOf(params), access), body, expectationOf(headers))
    reply.header('etag', etagOf(version))
    return row as MemoryRow
  })

  app.get('/mesh/skills/:name/history', routes.skillHistory, ({ params, query, access }) =>
    history(toRead(skillId(params.name, query.scope), access), query),
  )
  app.get('/mesh/skills/:name/conflicts', routes.skillConflicts, ({ params, query, access }) =>
    conflicts(toRead(skillId(params.name, query.scope), access)),
  )
  app.post('/mesh/skills/:name/resolve', routes.resolveSkill, async (request, reply) => {
    const { params, query, body, headers, access } = request
    const id = toWrite(skillId(params.name, query.scope), access)
    const { row, version } = await resolve(id, body, expectationOf(headers))
    reply.header('etag', etagOf(version))
    return row as SkillRow
  })
}

function toRead(id: EntryId, access: Access): EntryId {
  readable(access, id.scope)
  return id
}

/** What is resolved is shown, so it must be readable as well. */
function toWrite(id: EntryId, access: Access): EntryId {
  writable(access, id.scope)
  return toRead(id, access)
}

function memoryOf({ scope, key }: { readonly scope: string; readonly key: string }): EntryId {
  return { kind: 'memory', scope: parseScope(scope), key: parseMemoryKey(key) }
}

function nothingAt(id: EntryId): MeshError {
  return id.kind === 'memory' ? noMemory(id) : noSkill(id)
}

function revisionOf({ hash, action, nodeId, at, signers, row }: AuthoredRevision, mesh: Mesh): Revision {
  const named = signers.map((publicKey) => {
    const peer = peerIdFromPublicKey(publicKey)
    return { peer_id: peer, node_id: nameOf(peer, mesh) }
  })
  return { hash, action, node_id: nodeId, at, signers: named, row: (row ?? null) as Revision['row'] }
}

function nameOf(peer: string, mesh: Mesh): string | null {
  if (peer === mesh.peerId) return mesh.nodeId
  return mesh.peers().find(({ peerId }) => peerId === peer)?.nodeId ?? null
}

function conflictOf({ path, values }: Conflict): Conflicts['conflicts'][0] {
  return { path, values: values.map(({ value, nodeId, updatedAt }) => ({ value, node_id: nodeId, at: updatedAt })) }
}
