import { NODE_SCOPE, parseEntryId } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database } from './database.ts'
import type { OpenEntry } from './open-entry.ts'
import { type ChangeSignature, packSignatures, unpackOffered } from './records.ts'
import type { ApplyOutcome, Transfer } from './replica.ts'
import { readStored } from './stored.ts'
import type { VetTask, Vetted } from './vet.ts'

/** Codes of what may succeed later, when more has come or there is more room. The rest is refused by rule. */
const NOT_YET = new Set(['CHANGE_INCOMPLETE', 'WORKER_LIMIT', 'STORAGE_CORRUPT'])

export interface VetTaskOptions {
  /** Whether scope `node` is taken as well: what comes from this node's own backup. */
  readonly takesNodeScope?: boolean
  /** Whether documents come as they are stored: they may be larger than what a peer sends in one piece. */
  readonly takesStored?: boolean
}

/** A transfer as a task for a worker, over what is stored now. @throws {MeshError} when its id is refused */
export async function vetTask(
  database: Database,
  transfer: Transfer,
  { takesNodeScope = false, takesStored = false }: VetTaskOptions,
): Promise<VetTask> {
  const id = parseEntryId(transfer.id.kind, transfer.id.scope, transfer.id.key)
  if (id.scope === NODE_SCOPE && !takesNodeScope) {
    throw new MeshError('SCOPE_NOT_SHARED', 'scope node never leaves its machine, and none is taken from another')
  }
  const base = await readStored(database, id)
  return {
    id,
    base: base?.bytes,
    held: packSignatures(base === undefined ? [] : concerned(base.signatures, transfer.signatures)),
    chunks: transfer.chunks,
    offered: transfer.signatures,
    isStored: takesStored,
  }
}

/** Those of an entry's signatures that may be of a change that offered ones are about. */
function concerned(signatures: readonly ChangeSignature[], offered: Uint8Array): ChangeSignature[] {
  const prefixes = new Set(unpackOffered(offered).map(({ prefix }) => asNumber(prefix)))
  return signatures.filter(({ change }) => prefixes.has(asNumber(change)))
}

const asNumber = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)

/** The outcome of a transfer that was not taken in. */
export function failed(id: Transfer['id'], code: string, message: string): ApplyOutcome {
  return { id, outcome: NOT_YET.has(code) ? 'incomplete' : 'refused', code, message }
}

/** Merges what a worker vetted into the open entry. Returns what is new, or undefined when nothing is. */
export function merge(
  entry: OpenEntry,
  vetted: Vetted,
): { changes: readonly Uint8Array[]; signatures: readonly ChangeSignature[] } | undefined {
  const signatures = vetted.signatures.filter((one) => !entry.signatures.some((held) => isSameWord(held, one)))
  let changes = vetted.added
  if (sameHeads(entry, vetted.baseHeads)) {
    if (vetted.document !== undefined) entry.replace(vetted.document, vetted.view)
  } else {
    changes = entry.update((document) => document.apply(vetted.added))
  }
  return changes.length === 0 && signatures.length === 0 ? undefined : { changes, signatures }
}

function sameHeads({ view }: OpenEntry, heads: readonly string[]): boolean {
  const current = view?.heads ?? []
  return current.length === heads.length && current.every((head, i) => Buffer.from(head).toString('hex') === heads[i])
}

/** Whether both are by one member for one change. */
const isSameWord = (a: ChangeSignature, b: ChangeSignature) =>
  asNumber(a.change) === asNumber(b.change) &&
  Buffer.compare(a.change, b.change) === 0 &&
  Buffer.compare(a.publicKey, b.publicKey) === 0
