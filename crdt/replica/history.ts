import { type Conflict, type EntryDocument, type EntryId, type JsonValue, parseJsonValue } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { changeMessage, verifyChange } from '../signing.ts'
import type { Database } from './database.ts'
import { readDocument } from './reading.ts'
import type { ChangeSignature } from './records.ts'
import type { AuthoredRevision, HistoryOptions, Resolution } from './replica.ts'
import { parseSkillContent } from './skill-content.ts'

/** What an entry has been, and where its writers disagree: read from its document. */

export function readConflicts(database: Database, id: EntryId): Promise<Conflict[]> {
  return readDocument(database, id, [], (document) => document.conflicts())
}

export function readHistory(
  database: Database,
  meshId: string,
  id: EntryId,
  { before, limit = Number.POSITIVE_INFINITY }: HistoryOptions,
): Promise<AuthoredRevision[]> {
  return readDocument<AuthoredRevision[]>(database, id, [], (document, signatures) => {
    const all = document.history().reverse()
    const from = before === undefined ? 0 : 1 + all.findIndex(({ hash }) => hash === before)
    if (before !== undefined && from === 0) {
      const hint = 'begin again without it; hashes are those that a history names'
      throw new MeshError('REVISION_UNKNOWN', 'before: no change of this entry has this hash', {
        field: 'before',
        hint,
      })
    }
    return all.slice(from, from + limit).map((revision) => ({
      ...revision,
      row: document.rowAt(revision.hash),
      signers: signersOf(meshId, id, revision.hash, signatures),
    }))
  })
}

function signersOf(meshId: string, id: EntryId, hash: string, signatures: readonly ChangeSignature[]): Uint8Array[] {
  const change = Buffer.from(hash, 'hex')
  const message = changeMessage(meshId, id, change)
  return signatures.flatMap((one) =>
    Buffer.compare(one.change, change) === 0 && verifyChange(one.publicKey, message, one.signature)
      ? [one.publicKey]
      : [],
  )
}

/**
 * What is to stand where: as given, or everywhere what is shown.
 * @throws {MeshError} `CONFLICT_UNKNOWN`; `VALUE_INVALID`, `VALUE_TOO_LARGE`, `SKILL_INVALID`, `SKILL_TOO_LARGE`
 */
export function resolutionsOf(
  document: EntryDocument,
  resolutions: readonly Resolution[] | undefined,
): ReadonlyMap<string, JsonValue> {
  const conflicts = document.conflicts()
  if (resolutions === undefined && conflicts.length > 0) {
    return new Map(conflicts.map(({ path, values }) => [path, values[0]?.value ?? null]))
  }
  const paths = new Set(conflicts.map(({ path }) => path))
  const unknown = resolutions?.find(({ path }) => !paths.has(path))
  if (resolutions === undefined || unknown !== undefined) {
    const where =
      unknown === undefined ? 'the entry is in no conflict' : `nothing is in conflict at ${quoted(unknown.path)}`
    const hint = 'somebody may have resolved it meanwhile: ask for its conflicts again'
    throw new MeshError('CONFLICT_UNKNOWN', `path: ${where}`, { field: 'path', hint })
  }
  return new Map(resolutions.map(({ path, value }) => [path, parseChoice(document, path, value)]))
}

function parseChoice({ id }: EntryDocument, path: string, value: JsonValue): JsonValue {
  if (id.kind === 'memory') return parseJsonValue(value)
  parseSkillContent({ [path]: value })
  return value
}

const quoted = (path: string) => JSON.stringify(path.slice(0, 100))
