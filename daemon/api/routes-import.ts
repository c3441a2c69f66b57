import { parseMemoryKey, parseNodeId, parseScope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ImportOutcome } from '../../crdt/replica/replica.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { describeError } from './http-errors.ts'
import { routes } from './route-schemas.ts'
import { skillPutOf } from './routes-skills.ts'
import {
  type ImportMemory,
  ImportMemorySchema,
  type ImportReport,
  type ImportSkill,
  ImportSkillSchema,
  MAX_IMPORT_ITEMS,
} from './schemas.ts'
import { compileCheck } from './validator.ts'

type Refusal = ImportReport['refused'][number]

/** Writes under way at once: enough for the store to commit them in groups. */
const AT_ONCE = 32

const checkMemory = compileCheck(ImportMemorySchema)
const checkSkill = compileCheck(ImportSkillSchema)

/** Takes in what earlier tools kept, and what an export holds. An item that is refused keeps none of the others out. */
export function addImportRoute(app: ApiApp, { store, mesh }: RouteContext): void {
  const takeMemory = (item: unknown, at: string): Promise<ImportOutcome> => {
    checkMemory(item, at)
    const { scope, key, value, node_id, ts, expires_at: expiresAt } = item as ImportMemory
    const nodeId = node_id === undefined ? mesh.nodeId : parseNodeId(node_id, `${at}.node_id`)
    const id = { scope: parseScope(scope, `${at}.scope`), key: parseMemoryKey(key, `${at}.key`) }
    return store.importMemory({ ...id, value, nodeId, expiresAt }, ts)
  }

  const takeSkill = (item: unknown, at: string): Promise<ImportOutcome> => {
    checkSkill(item, at)
    const given = item as ImportSkill
    return store.importSkill(skillPutOf(given, mesh.nodeId, at), given.ts)
  }

  app.post('/import', routes.import, async ({ body: { memory = [], skills = [] } }) => {
    if (memory.length + skills.length > MAX_IMPORT_ITEMS) {
      const message = `body: ${memory.length + skills.length} items, at most ${MAX_IMPORT_ITEMS} at once`
      throw new MeshError('BODY_TOO_LARGE', message, { field: 'body', hint: 'send them in several requests' })
    }
    const jobs = [
      ...memory.map((item, i) => () => attempt('memory', item, () => takeMemory(item, `memory[${i}]`))),
      ...skills.map((item, i) => () => attempt('skill', item, () => takeSkill(item, `skills[${i}]`))),
    ]
    const report: ImportReport = { taken: 0, equal: 0, older: 0, expired: 0, refused: [] }
    for (let i = 0; i < jobs.length; i += AT_ONCE) {
      const settled = await Promise.allSettled(jobs.slice(i, i + AT_ONCE).map((job) => job()))
      for (const outcome of settled) {
        if (outcome.status === 'rejected') throw outcome.reason
        if (typeof outcome.value === 'string') report[outcome.value]++
        else report.refused.push(outcome.value)
      }
    }
    return report
  })
}

/** The item's fault becomes a refusal; the store's own failure ends the import. */
async function attempt(
  kind: Refusal['kind'],
  item: unknown,
  take: () => Promise<ImportOutcome>,
): Promise<ImportOutcome | Refusal> {
  try {
    return await take()
  } catch (error) {
    const { status, answer } = describeError(error)
    if (status >= 500) throw error
    const { scope, key, name } = (item ?? {}) as Record<string, unknown>
    return {
      kind,
      scope: asText(scope),
      key: asText(kind === 'memory' ? key : name),
      code: answer.code,
      message: answer.error,
    }
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
