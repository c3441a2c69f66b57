import {
  type AddedChange,
  EntryDocument,
  type EntryId,
  type EntryView,
  isFirstChange,
  type JsonValue,
  MAX_VALUE_LEVELS,
  NODE_SCOPE,
  parseNodeId,
  type Row,
  type Written,
  writtenBy,
} from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { type SecretsGuard, secretRefused } from '../secrets/index.ts'
import type { ChangeSignature } from './records.ts'
import type { SecretsRules } from './secrets.ts'
import { validSignatures } from './vouching.ts'

/** Most bytes of one encoded change; a skill of the largest size, written whole, stays below. */
export const MAX_CHANGE_BYTES = 2 * 1024 * 1024
/** Most bytes of JSON that one entry may show after a merge: concurrent puts of the largest value add up. */
const MAX_MERGED_BYTES = 16 * 1024 * 1024
/** An entry that is new here is stored as it came up to so many bytes; what is larger is saved anew, and so compacted. */
const MAX_AS_RECEIVED_BYTES = 64 * 1024
/** Actor of documents that are only read. */
const READER = 'ee'.repeat(16)

/** Foreign changes for one entry, and what this replica holds of it. */
export interface VetTask {
  readonly id: EntryId
  /** The stored document, or undefined where the entry is new here. */
  readonly base: Uint8Array | undefined
  /** Signatures held already of changes that {@link offered} may be about, packed. */
  readonly held: Uint8Array
  /** As {@link Transfer.chunks}. */
  readonly chunks: readonly Uint8Array[]
  /** Signatures offered, packed as such. */
  readonly offered: Uint8Array
  /** Whether the chunks are a document as it is stored, of any size; its changes have the bound that all have. */
  readonly isStored?: boolean
}

/** What {@link vet} found: the merged document, ready to be stored if the base is still the current one. */
export interface Vetted {
  /** Hex heads of the base: the result stands as it is only while the entry is still at this version. */
  readonly baseHeads: readonly string[]
  /** Changes that were not in the base, in an order in which they can be applied; empty when all was known. */
  readonly added: readonly Uint8Array[]
  /** Undefined where nothing was added. */
  readonly document: Uint8Array | undefined
  /** Offered signatures that are valid, new here and within bounds. */
  readonly signatures: readonly ChangeSignature[]
  readonly view: EntryView
}

/** Under whose rules foreign changes are judged. */
export interface VetRules {
  readonly meshId: string
  /** Public keys (32 bytes) whose signatures count: everyone whom the roster ever listed. */
  readonly authors: readonly Uint8Array[]
  /** What the secrets guard is made with; undefined while it is off. */
  readonly secrets?: SecretsRules | undefined
}

/** {@link VetRules} made ready for many tasks. */
export interface Judge {
  readonly meshId: string
  /** Public keys, hex. */
  readonly members: ReadonlySet<string>
  readonly guard: SecretsGuard | undefined
}

/** @param guard made with the rules' `secrets`: making one takes longer than most tasks */
export function createJudge({ meshId, authors }: VetRules, guard: SecretsGuard | undefined): Judge {
  return { meshId, members: new Set(authors.map((key) => Buffer.from(key).toString('hex'))), guard }
}

/**
 * Opens foreign changes, checks them and merges them into a copy of the entry. Every change must be signed by a member,
 * or be a first change (made again byte for byte) beneath one that is. Runs in a worker: foreign bytes can take any
 * amount of time and memory to open.
 *
 * @throws {MeshError} `CHANGE_MALFORMED`, `CHANGE_TOO_LARGE`, `CHANGE_UNSIGNED`: refused by rule, the same on every
 * node; `SECRET_REFUSED`, by this node's; `CHANGE_INCOMPLETE`: changes that these build on are missing
 */
export function vet(task: VetTask, judge: Judge): Vetted {
  const { id, base, chunks } = task
  if (!task.isStored) for (const { length } of chunks) checkSize(length)
  const document = base === undefined ? EntryDocument.create(id, READER) : EntryDocument.load(id, base, READER)
  try {
    const before = document.heads
    const added = document.apply(chunks)
    for (const { bytes } of added) checkSize(bytes.length)
    const signatures = validSignatures(task, judge, document, added)
    checkAuthors(id, added, signatures)
    checkHeads(document.heads, added)
    const view = document.view(base === undefined ? added : undefined)
    if (view.row !== undefined) checkShown(view.row)
    if (judge.guard !== undefined) checkSecrets(id, judge.guard, { isNew: base === undefined, added, row: view.row })
    return {
      baseHeads: before,
      added: added.map(({ bytes }) => bytes),
      document: added.length === 0 ? undefined : base === undefined ? asReceived(document, chunks) : document.save(),
      signatures,
      view,
    }
  } finally {
    document.free()
  }
}

/**
 * What is stored of an entry that is new here: the bytes that came, where they are few. They load again as they have
 * just been loaded.
 */
function asReceived(document: EntryDocument, chunks: readonly Uint8Array[]): Uint8Array {
  const size = chunks.reduce((sum, { length }) => sum + length, 0)
  return size > MAX_AS_RECEIVED_BYTES ? document.save() : Buffer.concat(chunks)
}

function checkSize(length: number): void {
  if (length > MAX_CHANGE_BYTES) throw new MeshError('CHANGE_TOO_LARGE', `a change of ${length} bytes`)
}

function checkAuthors(id: EntryId, added: readonly AddedChange[], signatures: readonly ChangeSignature[]): void {
  const signed = new Set(signatures.map(({ change }) => Buffer.from(change).toString('hex')))
  for (const { hash, deps, message, bytes } of added) {
    if (deps.length === 0 ? !isFirstChange(id, bytes) : !signed.has(hash)) {
      throw new MeshError('CHANGE_UNSIGNED', `change ${hash.slice(0, 12)} bears no valid signature of a member`)
    }
    if (deps.length > 0) checkName(hash, message)
  }
}

/** Every author's replica has checked it; what says something else was made by hand, to be shown to people. */
function checkName(hash: string, nodeId: string): void {
  try {
    parseNodeId(nodeId)
  } catch {
    throw new MeshError('CHANGE_MALFORMED', `change ${hash.slice(0, 12)} bears a name that no node has`)
  }
}

/** A first change may stand only beneath a signed one; alone it would be a version that nobody answers for. */
function checkHeads(heads: readonly string[], added: readonly AddedChange[]): void {
  if (added.some(({ hash, deps }) => deps.length === 0 && heads.includes(hash))) {
    throw new MeshError('CHANGE_UNSIGNED', 'a first change that no signed change builds on')
  }
}

/**
 * Looks at what each change brings, for a later one may hide it. (The first change of a skill holds its text.) Of a new
 * entry with one change by anybody the row shows all.
 */
function checkSecrets(
  { kind, scope, key }: EntryId,
  guard: SecretsGuard,
  { isNew, added, row }: { isNew: boolean; added: readonly AddedChange[]; row: Row | undefined },
): void {
  // It never leaves its machine.
  if (scope === NODE_SCOPE) return
  const isSimple = isNew && row !== undefined && added.filter(({ deps }) => deps.length > 0).length === 1
  const written: readonly (Row | Written)[] = isSimple ? [row] : added.map(({ bytes }) => writtenBy(kind, bytes))
  for (const one of written) {
    const finding = guard.scan(
      'value' in one
        ? { kind: 'memory', key, value: one.value }
        : { kind: 'skill', key, content: one.content, path: one.path },
    )
    if (finding !== undefined) throw secretRefused(finding)
  }
}

// Values that are put have no more levels, and merging adds none: a deeper one was made by hand, to overflow a stack.
function checkShown(row: Row): void {
  if ('value' in row && isDeeper(row.value, MAX_VALUE_LEVELS)) {
    throw new MeshError('CHANGE_TOO_LARGE', `the merged entry shows more than ${MAX_VALUE_LEVELS} levels`)
  }
  if (JSON.stringify(row).length > MAX_MERGED_BYTES) {
    throw new MeshError('CHANGE_TOO_LARGE', `the merged entry shows more than ${MAX_MERGED_BYTES} bytes`)
  }
}

function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1))
}
