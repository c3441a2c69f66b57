import type { WriteResult } from '../../crdt/replica/replica.ts'
import { type Access, writable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { etagOf, expectationOfVersions } from './etag.ts'
import { describeError } from './http-errors.ts'
import { routes } from './route-schemas.ts'
import { memoryPutOf } from './routes-memory.ts'
import { skillPutOf } from './routes-skills.ts'
import { BulkMemorySchema, type BulkPut, type BulkResult, BulkSkillSchema } from './schemas.ts'
import { compileCheck } from './validator.ts'

/** Puts under way at once: enough for the store to commit them in groups. */
const AT_ONCE = 32

const checkMemory = compileCheck(BulkMemorySchema)
const checkSkill = compileCheck(BulkSkillSchema)

/**
 * Many puts in one request, each made or refused for itself. Where the daemon itself fails half-way, what was written is
 * said all the same.
 */
export function addBulkRoute(app: ApiApp, { store, mesh }: RouteContext): void {
  const put = async (item: unknown, at: string, access: Access): Promise<WriteResult> => {
    const isSkill = (item as { kind?: unknown } | null)?.kind === 'skill'
    const check = isSkill ? checkSkill : checkMemory
    check(item, at)
    const given = item as BulkPut
    const expect = expectationOfVersions(given.if_match, given.if_none_match)
    if (given.kind === 'skill') {
      const skill = skillPutOf(given, mesh.nodeId, at)
      writable(access, skill.scope)
      return store.putSkill({ ...skill, expect })
    }
    const memory = memoryPutOf(given, mesh.nodeId, at)
    writable(access, memory.scope)
    return store.putMemory({ ...memory, expect })
  }

  app.post('/mesh/bulk', routes.bulk, async ({ body: { puts }, access }) => {
    const results: BulkResult[] = []
    for (let i = 0; i < puts.length; i += AT_ONCE) {
      const some = puts.slice(i, i + AT_ONCE).map((item, j) => attempt(() => put(item, `puts[${i + j}]`, access)))
      results.push(...(await Promise.all(some)))
    }
    const written = results.filter(({ status }) => status === 200).length
    return { written, refused: results.length - written, results }
  })
}

async function attempt(put: () => Promise<WriteResult>): Promise<BulkResult> {
  try {
    const { row, version } = await put()
    return { status: 200, etag: etagOf(version), row }
  } catch (error) {
    const { status, answer } = describeError(error)
    return { status, error: answer }
  }
}
