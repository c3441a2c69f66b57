import type { ImportBatch, ImportMemory, ImportSkill } from '../../daemon/api/client.ts'
import { bytes } from '../output/index.ts'
import type { Candidate, Refusal } from './source.ts'

/** Limits of one request: items in it, and bytes of JSON around and in them. */
export interface BatchLimits {
  readonly items: number
  readonly bytes: number
}

/** What the daemon takes at once (500 items, bodies of 2 MiB), with room for the object around the items. */
export const IMPORT_LIMITS: BatchLimits = { items: 500, bytes: 2 * 1024 * 1024 - 1024 }

/** One request's worth, with what was refused on the way to it. */
export interface PreparedBatch {
  readonly batch: ImportBatch
  readonly size: number
  readonly refused: readonly Refusal[]
}

/** Packs candidates into requests within the limits, in their order. An item too large for any request is refused. */
export async function* inBatches(
  candidates: AsyncIterable<Candidate> | Iterable<Candidate>,
  limits: BatchLimits = IMPORT_LIMITS,
): AsyncGenerator<PreparedBatch> {
  let memory: ImportMemory[] = []
  let skills: ImportSkill[] = []
  let refused: Refusal[] = []
  let used = 0
  const flush = (): PreparedBatch => {
    const prepared = { batch: { memory, skills }, size: memory.length + skills.length, refused }
    memory = []
    skills = []
    refused = []
    used = 0
    return prepared
  }
  for await (const candidate of candidates) {
    if ('refused' in candidate) {
      refused.push(candidate.refused)
      continue
    }
    const size = Buffer.byteLength(JSON.stringify('memory' in candidate ? candidate.memory : candidate.skill)) + 1
    if (size > limits.bytes) {
      refused.push(tooLarge(candidate, limits))
      continue
    }
    if (used + size > limits.bytes || memory.length + skills.length >= limits.items) yield flush()
    used += size
    if ('memory' in candidate) memory.push(candidate.memory)
    else skills.push(candidate.skill)
  }
  if (memory.length + skills.length + refused.length > 0) yield flush()
}

function tooLarge(candidate: Exclude<Candidate, { refused: Refusal }>, limits: BatchLimits): Refusal {
  const message = `is larger than one request may be (${bytes(limits.bytes)})`
  if ('memory' in candidate) {
    return { kind: 'memory', scope: candidate.memory.scope, key: candidate.memory.key, code: 'BODY_TOO_LARGE', message }
  }
  const { name, scope = 'mesh' } = candidate.skill
  return { kind: 'skill', scope, key: name, code: 'BODY_TOO_LARGE', message }
}
