import {
  EntryDocument,
  type EntryId,
  type EntryView,
  isFirstChange,
  type JsonValue,
  MAX_VALUE_LEVELS,
  parseNodeId,
  type Row,
} from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { changeMessage, verifyChange } from '../signing.ts'
import { readChangeHeader } from './change-header.ts'
import { type ChangeSignature, unpackSignatures } from './records.ts'

/** Most bytes of one encoded change; a skill of the largest size, written whole, stays below. */
export const MAX_CHANGE_BYTES = 2 * 1024 * 1024
/** Most bytes of JSON that one entry may show after a merge: concurrent puts of the largest value add up. */
const MAX_MERGED_BYTES = 16 * 1024 * 1024
/** Actor of documents that are only read. */
const READER = 'ee'.repeat(16)
/** The latest time that a change may bear, in Unix seconds: the last one that a JavaScript date can show. */
const MAX_TIME = 8_640_000_000_000
/** Signatures kept for one change: its author's and those of members that brought it along. */
const MAX_SIGNATURES_PER_CHANGE = 8

/** Foreign changes for one entry, and what this replica holds of it. */
export interface VetTask {
  readonly id: EntryId
  /** The stored document, or undefined where the entry is new here. */
  readonly base: Uint8Array | undefined
  /** Signatures held already, packed. */
  readonly held: Uint8Array
  readonly changes: readonly Uint8Array[]
  /** Signatures offered, packed. */
  readonly offered: Uint8Array
}

/** What {@link vet} found: the merged document, ready to be stored if the base is still the current one. */
export interface Vetted {
  /** Hex heads of the base: the result stands as it is only while the entry is still at this version. */
  readonly baseHeads: readonly string[]
  /** Changes that were not in the base, in an order in which they can be applied; empty when all was known. */
  readonly added: readonly Uint8Array[]
  readonly document: Uint8Array
  /** Offered signatures that are valid, new here and within bounds. */
  readonly signatures: readonly ChangeSignature[]
  readonly view: EntryView
}

/** Under whose rules foreign changes are judged. */
export interface VetRules {
  readonly meshId: string
  /** Public keys (32 bytes) whose signatures count: everyone whom the roster ever listed. */
  readonly authors: readonly Uint8Array[]
}

/**
 * Opens foreign changes, checks them and merges them into a copy of the entry. Every change must be signed by a member,
 * or be a first change (made again byte for byte) beneath one that is. Runs in a worker: foreign bytes can take any
 * amount of time and memory to open.
 *
 * @throws {MeshError} `CHANGE_MALFORMED`, `CHANGE_TOO_LARGE`, `CHANGE_UNSIGNED`: refused by rule, the same on every
 * node; `CHANGE_INCOMPLETE`: changes that these build on are missing
 */
export function vet(task: VetTask, rules: VetRules): Vetted {
  const { id } = task
  for (const change of task.changes) {
    if (change.length > MAX_CHANGE_BYTES) throw new MeshError('CHANGE_TOO_LARGE', `a change of ${change.length} bytes`)
  }
  const document =
    task.base === undefined ? EntryDocument.create(id, READER) : EntryDocument.load(id, task.base, READER)
  try {
    const before = document.heads
    document.apply(task.changes)
    const added = document.changesSince(before)
    const signatures = validSignatures(task, rules)
    checkAuthors(id, added, signatures)
    const view = document.view()
    const authored = document.authoredHashes()
    checkHeads(document, authored)
    if (view.row !== undefined) checkShown(view.row)
    const inDocument = new Set(authored)
    return {
      baseHeads: before,
      added,
      document: saveWhole(document),
      signatures: signatures.filter(({ change }) => inDocument.has(hex(change))),
      view,
    }
  } finally {
    document.free()
  }
}

/**
 * Saves a document that can be opened again. One with a change that is encoded otherwise than Automerge does it cannot:
 * it is saved in the usual form, which has another hash.
 */
function saveWhole(document: EntryDocument): Uint8Array {
  const bytes = document.save()
  EntryDocument.load(document.id, bytes, READER).free()
  return bytes
}

/** Signatures offered that verify and that are not held already, at most a few for each change. */
function validSignatures({ id, held, offered }: VetTask, { meshId, authors }: VetRules): ChangeSignature[] {
  const members = new Set(authors.map(hex))
  const perChange = new Map<string, Set<string>>()
  for (const { change, publicKey } of unpackSignatures(held)) signersOf(perChange, change).add(hex(publicKey))
  const valid: ChangeSignature[] = []
  for (const one of unpackSignatures(offered)) {
    const signers = signersOf(perChange, one.change)
    const signer = hex(one.publicKey)
    if (signers.size >= MAX_SIGNATURES_PER_CHANGE || signers.has(signer) || !members.has(signer)) continue
    if (!verifyChange(one.publicKey, changeMessage(meshId, id, one.change), one.signature)) continue
    signers.add(signer)
    valid.push(one)
  }
  return valid
}

function signersOf(perChange: Map<string, Set<string>>, change: Uint8Array): Set<string> {
  const name = hex(change)
  const signers = perChange.get(name) ?? new Set<string>()
  perChange.set(name, signers)
  return signers
}

function checkAuthors(id: EntryId, added: readonly Uint8Array[], signatures: readonly ChangeSignature[]): void {
  const signed = new Set(signatures.map(({ change }) => hex(change)))
  for (const change of added) {
    const { hash, dependencies, time, message } = readChangeHeader(change)
    if (dependencies === 0 ? !isFirstChange(id, change) : !signed.has(hash)) {
      throw new MeshError('CHANGE_UNSIGNED', `change ${hash.slice(0, 12)} bears no valid signature of a member`)
    }
    if (dependencies > 0) checkAuthorship(hash, time, message)
  }
}

/** Every author's replica has checked both; what says something else was made by hand, to be shown to people. */
function checkAuthorship(hash: string, time: number, nodeId: string): void {
  const fault = (what: string) => new MeshError('CHANGE_MALFORMED', `change ${hash.slice(0, 12)} ${what}`)
  if (time < 0 || time > MAX_TIME) throw fault('bears a time that no clock shows')
  try {
    parseNodeId(nodeId)
  } catch {
    throw fault('bears a name that no node has')
  }
}

/** A first change may stand only beneath a signed one; alone it would be a version that nobody answers for. */
function checkHeads(document: EntryDocument, authored: readonly string[]): void {
  const all = new Set(authored)
  if (document.heads.some((head) => !all.has(head))) {
    throw new MeshError('CHANGE_UNSIGNED', 'a first change that no signed change builds on')
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

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
