import { NODE_SCOPE, parseEntryId } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database } from './database.ts'
import { documentKey } from './keys.ts'
import type { OpenEntry } from './open-entry.ts'
import { type ChangeSignature, decodeDocument, packSignatures } from './records.ts'
import type { ApplyOutcome, Transfer } from './replica.ts'
import type { VetTask, Vetted } from './vet.ts'

/** Codes of what may succeed later, when more has come or there is more room. The rest is refused by rule. */
const NOT_YET = new Set(['CHANGE_INCOMPLETE', 'WORKER_LIMIT', 'STORAGE_CORRUPT'])

/** A transfer as a task for a worker, over what is stored now. @throws {MeshError} when its id is refused */
export async function vetTask(database: Database, transfer: Transfer): Promise<VetTask> {
  const id = parseEntryId(transfer.id.kind, transfer.id.scope, transfer.id.key)
  if (id.scope === NODE_SCOPE) {
    throw new MeshError('SCOPE_NOT_SHARED', 'scope node never leaves its machine, and none is taken from another')
  }
  const stored = await database.get(documentKey(id))
  const base = stored === undefined ? undefined : decodeDocument(stored)
  return {
    id,
    base: base?.bytes,
    held: packSignatures(base?.signatures ?? []),
    changes: transfer.changes,
    offered: transfer.signatures,
  }
}

/** The outcome of a transfer that was not taken in. */
export function failed(id: Transfer['id'], code: string, message: string): ApplyOutcome {
  return { id, outcome: NOT_YET.has(code) ? 'incomplete' : 'refused', code, message }
}

/** Merges what a worker vetted into the open entry. Returns what is new, or undefined when nothing is. */
export function merge(
  entry: OpenEntry,
  vetted: Vetted,
): { changes: readonly Uint8Array[]; signatures: readonly ChangeSignature[] } | undefined {
  const held = new Set(entry.signatures.map(signatureName))
  const signatures = vetted.signatures.filter((one) => !held.has(signatureName(one)))
  let changes = vetted.added
  if (sameHeads(entry, vetted.baseHeads)) {
    if (changes.length > 0) entry.replace(vetted.document, vetted.view)
  } else {
    changes = entry.update((document) => document.apply(vetted.added))
  }
  if (changes.length === 0 && signatures.length === 0) return undefined
  entry.signatures = [...entry.signatures, ...signatures]
  return { changes, signatures }
}

function sameHeads({ view }: OpenEntry, heads: readonly string[]): boolean {
  const current = view?.heads ?? []
  return current.length === heads.length && current.every((head, i) => Buffer.from(head).toString('hex') === heads[i])
}

const signatureName = ({ change, publicKey }: ChangeSignature) =>
  `${Buffer.from(change).toString('base64')}${Buffer.from(publicKey).toString('base64')}`
