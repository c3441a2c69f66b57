import { createHash } from 'node:crypto'
import { lengthPrefixed } from '../bytes.ts'
import { MeshError } from '../errors.ts'
import { changeHash, changeMeta, changesMeta, type Handle, lastChange, newHandle } from './automerge.ts'
import { type ChangeHeader, hashOf, readChangeHeader } from './change-header.ts'
import { readChunks } from './chunks.ts'
import { authoredChanges, readHistory, readMemoryConflicts, readSkillConflicts } from './history.ts'
import { describeEntry } from './ids.ts'
import { canonicalJson } from './json-value.ts'
import { withValueAt } from './leaves.ts'
import { beginMemory, MEMORY_FIRST_CHANGE, readMemory, writeMemory } from './memory.ts'
import { readSkill, type SkillContent, skillFirstChange, writeSkill } from './skill.ts'
import { EMPTY_STATE, LIVE, MAX_TIME, nextMark, readState, type State } from './state.ts'
import type { Conflict, EntryId, JsonValue, Revision, Row } from './types.ts'

/** What a put gives an entry: the value of a memory, or what a skill holds; and Unix seconds at which it expires. */
export type EntryContent = { readonly expiresAt?: number | undefined } & (
  | { readonly kind: 'memory'; readonly value: JsonValue }
  | ({ readonly kind: 'skill' } & SkillContent)
)

/** Who makes a change, and when: a name for rows, and Unix seconds by the author's clock. */
export interface Authorship {
  readonly nodeId: string
  readonly at: number
}

/** A change that a document has taken in. */
export interface AddedChange extends ChangeHeader {
  /** As Automerge writes it out again. */
  readonly bytes: Uint8Array
}

/** What a replica keeps of a document so that reading never opens it. */
export interface EntryView {
  /** Undefined while the entry is deleted. */
  readonly row: Row | undefined
  /** Unix seconds of the latest change, also of a delete. */
  readonly updatedAt: number
  readonly heads: readonly Uint8Array[]
  /** At how many places concurrent writes disagree; 0 while deleted. */
  readonly conflicts: number
}

/**
 * An entry's Automerge document: how it is written, merged and read. Pure but for the memory that it holds: call
 * {@link free}. Two documents of one entry must never author under one actor (their changes could not be merged).
 */
export class EntryDocument {
  readonly id: EntryId
  readonly #actor: string
  /** Undefined until it is asked for: a memory's begins as a copy of one that holds the first change. */
  #begun: Handle | undefined
  /** Undefined while nobody has asked since something was taken in. */
  #state: State | undefined
  /** What the latest local write added to which version. */
  #made: { readonly since: readonly string[]; readonly changes: readonly Uint8Array[] } | undefined

  private constructor(id: EntryId, actor: string, handle?: Handle) {
    this.id = id
    this.#actor = actor
    this.#begun = handle
    this.#state = handle === undefined ? EMPTY_STATE : undefined
  }

  /** An entry that nobody has written yet. @param actor hex, 32 characters */
  static create(id: EntryId, actor: string): EntryDocument {
    return new EntryDocument(id, actor)
  }

  /** @throws {MeshError} `CHANGE_MALFORMED` when the bytes are no document */
  static load(id: EntryId, bytes: Uint8Array, actor: string): EntryDocument {
    const handle = newHandle(actor)
    try {
      handle.loadIncremental(bytes)
    } catch (cause) {
      handle.free()
      throw new MeshError('CHANGE_MALFORMED', `${describeEntry(id)}: not an Automerge document`, { cause })
    }
    const document = new EntryDocument(id, actor, handle)
    try {
      document.#checkWhole()
    } catch (error) {
      handle.free()
      throw error
    }
    return document
  }

  /** A copy as it was at a version of its past. What is begun and not committed in this one is in neither. */
  at(heads: readonly string[], actor: string): EntryDocument {
    this.#handle.rollback()
    this.#state = undefined
    this.#made = undefined
    // A fork at no heads would be one at the latest.
    return heads.length === 0
      ? EntryDocument.create(this.id, actor)
      : new EntryDocument(this.id, actor, this.#handle.fork(actor, [...heads]))
  }

  /** Hex hashes of the latest changes, sorted: the version of the document. */
  get heads(): readonly string[] {
    return this.#state?.heads ?? this.#handle.getHeads().sort()
  }

  /** The whole document, to be kept or sent. */
  save(): Uint8Array {
    return this.#handle.save()
  }

  /** Releases the document's memory; it must not be used any more. */
  free(): void {
    this.#begun?.free()
  }

  /**
   * Writes the difference to `content` and marks the entry live, always in a change of the author's own, so that the
   * put wins over a concurrent delete. Returns the hash of that change.
   */
  put(content: EntryContent, author: Authorship): string {
    const { state: before, first } = this.#begin(content)
    const state = this.#write(this.#handle, before, content, author)
    return this.#moved(before, state, [...first, lastChange(this.#handle)])
  }

  /**
   * Ends conflicts of a live entry: at each of their paths the value given is written, so that it alone is live there.
   * What is elsewhere, and when the entry expires, stays. Returns the hash of the change.
   * @param choices values by path, as {@link conflicts} names paths; those of a skill are texts
   */
  resolve(choices: ReadonlyMap<string, JsonValue>, author: Authorship): string {
    const before = this.#read()
    const state = this.#write(this.#handle, before, this.#resolved(before, choices), author, new Set(choices.keys()))
    return this.#moved(before, state, [lastChange(this.#handle)])
  }

  #resolved({ leaves, expiresAt }: State, choices: ReadonlyMap<string, JsonValue>): EntryContent {
    if (this.id.kind === 'memory') {
      // A place within another that is chosen as well comes after it.
      const ordered = [...choices].sort(([a], [b]) => a.length - b.length)
      const { value } = readMemory(leaves)
      const resolved = ordered.reduce((whole, [path, chosen]) => withValueAt(whole, path, chosen), value)
      return { kind: 'memory', value: resolved, expiresAt }
    }
    const shown = readSkill(this.#handle)
    const { content, path } = { ...shown, ...Object.fromEntries(choices) } as typeof shown
    return { kind: 'skill', content: content ?? undefined, path: path ?? undefined, expiresAt }
  }

  /**
   * As {@link put}, under an actor derived from content, author and version, so that every node that takes in the same
   * message at the same version makes the same change.
   */
  putDerived(content: EntryContent, author: Authorship): string {
    const { state: before, first } = this.#begin(content)
    const { kind, scope, key } = this.id
    const said = canonicalJson(
      content.kind === 'memory' ? content.value : [content.content ?? null, content.path ?? null],
    )
    const derivation = lengthPrefixed(
      'openclaw-mesh import 1',
      kind,
      scope,
      key,
      said,
      author.nodeId,
      String(author.at),
      ...(content.expiresAt === undefined ? [] : [`expires ${content.expiresAt}`]),
      ...(first.length > 0 ? this.#handle.getHeads() : before.heads),
    )
    const actor = createHash('sha256').update(derivation).digest('hex').slice(0, 32)
    const fork = this.#handle.fork(actor)
    try {
      const state = this.#write(fork, before, content, author)
      const change = lastChange(fork)
      this.#handle.applyChanges([change])
      return this.#moved(before, state, [...first, change])
    } finally {
      fork.free()
    }
  }

  /** Deletes the entry: takes away the live mark and nothing else. Returns the change's hash, or undefined if not live. */
  remove(author: Authorship): string | undefined {
    const before = this.#read()
    if (!before.isLive) return undefined
    this.#handle.delete('_root', LIVE)
    const state = commit(this.#handle, { ...before, isLive: false, expiresAt: undefined, mark: 0 }, author)
    return this.#moved(before, state, [lastChange(this.#handle)])
  }

  /**
   * Takes in runs of chunks: changes in any order, before them a whole document or none. Known changes are passed over.
   * Returns those that were not known, dependencies first. An empty document then is what {@link load} makes of the same
   * chunks in a row.
   * @throws {MeshError} `CHANGE_MALFORMED`; `CHANGE_INCOMPLETE` when they build on changes that are not here. After an
   * error the document must be freed, not used.
   */
  apply(runs: readonly Uint8Array[]): readonly AddedChange[] {
    const before = this.#handle.getHeads()
    this.#state = undefined
    this.#made = undefined
    const chunks = readChunks(runs)
    const changes = chunks.flatMap(({ kind, bytes }) => (kind === 'change' ? [bytes] : []))
    const [first] = chunks
    try {
      if (before.length === 0)
        this.#handle.loadIncremental(runs.length === 1 ? (runs[0] as Uint8Array) : Buffer.concat(runs))
      else {
        if (first?.kind === 'document') this.#merge(first.bytes)
        if (changes.length > 0) this.#handle.applyChanges(changes)
      }
    } catch (cause) {
      throw new MeshError('CHANGE_MALFORMED', `${describeEntry(this.id)}: not an Automerge change`, { cause })
    }
    this.#checkWhole()
    const added = this.#added(before)
    if (before.length === 0) this.#checkTaken(changes, added)
    return added
  }

  // A document that holds something already Automerge would load into without an error, whatever came.
  #merge(document: Uint8Array): void {
    const other = newHandle(MERGED)
    try {
      other.loadIncremental(document)
      this.#handle.merge(other)
    } finally {
      other.free()
    }
  }

  /** Of a run Automerge takes in what stands before the first chunk that it cannot read, and says nothing. */
  #checkTaken(changes: readonly Uint8Array[], added: readonly AddedChange[]): void {
    const taken = new Set(added.map(({ hash }) => hash))
    if (changes.every((change) => taken.has(hashOf(change)))) return
    throw new MeshError('CHANGE_MALFORMED', `${describeEntry(this.id)}: not an Automerge change`)
  }

  #checkWhole(): void {
    if (this.#handle.getMissingDeps([]).length > 0) {
      throw new MeshError('CHANGE_INCOMPLETE', `${describeEntry(this.id)}: builds on changes that are not here`)
    }
  }

  /** What was added to a version of the document. @throws {MeshError} `CHANGE_MALFORMED` unless it is sound */
  #added(before: string[]): AddedChange[] {
    try {
      const added = this.#handle.getChanges(before).map((bytes) => ({ ...readChangeHeader(bytes), bytes }))
      checkEncoding(added, this.#handle.getHeads())
      checkTimes(added, (hash) => changeMeta(this.#handle, hash)?.time)
      return added
    } catch (cause) {
      throw new MeshError('CHANGE_MALFORMED', `${describeEntry(this.id)}: a change that is not sound`, { cause })
    }
  }

  /** Changes that a document at `heads` lacks, dependencies first; all for no heads. */
  changesSince(heads: readonly string[]): readonly Uint8Array[] {
    const made = this.#made
    if (made !== undefined && made.since.join() === [...heads].sort().join()) return made.changes
    return this.#handle.getChanges([...heads])
  }

  /** Hashes of the changes that {@link changesSince} gives. */
  hashesSince(heads: readonly string[]): string[] {
    return changesMeta(this.#handle, [...heads]).map(({ hash }) => hash)
  }

  /**
   * Earlier versions of the document as sorted heads, latest first, at most `reach` of them: back along its history while
   * that is one line, then those that the first merge on the way brought together.
   */
  pastVersions(reach: number): (readonly string[])[] {
    const versions: (readonly string[])[] = []
    for (let heads: readonly string[] = this.heads; versions.length < reach; ) {
      const [head, ...others] = heads
      if (head === undefined) break
      if (others.length > 0) {
        versions.push(...heads.map((left) => heads.filter((one) => one !== left)))
        break
      }
      heads = [...(changeMeta(this.#handle, head)?.deps ?? [])].sort()
      if (heads.length > 0) versions.push(heads)
    }
    return versions.slice(0, reach)
  }

  /** Hashes of all changes that must be signed, dependencies first: all but the first ones. */
  authoredHashes(): string[] {
    return authoredChanges(this.#handle).map(({ hash }) => hash)
  }

  /** @param all all changes, where they have been listed already */
  view(all?: readonly ChangeHeader[]): EntryView {
    const { heads: hashes, author, updatedAt, isLive, expiresAt, leaves } = this.#read(all)
    const heads = hashes.map((hash) => Buffer.from(hash, 'hex'))
    if (!isLive) return { row: undefined, updatedAt, heads, conflicts: 0 }
    const { scope, key } = this.id
    const expiry = expiresAt === undefined ? {} : { expires_at: expiresAt }
    if (this.id.kind === 'memory') {
      const { value, conflicts } = readMemory(leaves)
      const row = { scope, key, value, node_id: author, updated_at: updatedAt, ...expiry }
      return { row, updatedAt, heads, conflicts: conflicts.size }
    }
    const row = { name: key, source_node: author, ...readSkill(this.#handle), updated_at: updatedAt, scope, ...expiry }
    return { row, updatedAt, heads, conflicts: readSkillConflicts(this.#handle).length }
  }

  /** Every place at which live values differ. A place whose values are equal is none. */
  conflicts(): Conflict[] {
    const state = this.#read()
    if (!state.isLive) return []
    return this.id.kind === 'memory' ? readMemoryConflicts(this.#handle, state) : readSkillConflicts(this.#handle)
  }

  /** Who changed the entry and when, oldest first; concurrent changes in the order of their hashes. */
  history(): Revision[] {
    return readHistory(this.#handle)
  }

  /** The row as it was after a change, which knew some of the others; undefined where it was deleted then. */
  rowAt(hash: string): Row | undefined {
    const past = this.at([hash], PAST)
    try {
      return past.view().row
    } finally {
      past.free()
    }
  }

  get #handle(): Handle {
    this.#begun ??= newHandle(this.#actor)
    return this.#begun
  }

  #read(all?: readonly ChangeHeader[]): State {
    this.#state ??= readState(this.id.kind, this.#handle, all)
    return this.#state
  }

  /** What a put builds on. Where that is nothing, the first change is in the document when it returns. */
  #begin(content: EntryContent): { readonly state: State; readonly first: readonly Uint8Array[] } {
    const state = this.#read()
    if (state.heads.length > 0) return { state, first: [] }
    const first = firstChange(this.id, content)
    if (content.kind === 'memory') {
      this.#begun?.free()
      this.#begun = beginMemory(this.#actor)
    } else this.#handle.applyChanges([first])
    return { state, first: [first] }
  }

  #write(
    handle: Handle,
    before: State,
    content: EntryContent,
    author: Authorship,
    settled?: ReadonlySet<string>,
  ): State {
    const { leaves } = before
    const { expiresAt } = content
    const written = content.kind === 'memory' ? writeMemory(handle, leaves, content.value, settled) : leaves
    if (content.kind === 'skill') writeSkill(handle, content, settled)
    const mark = nextMark(before.mark, expiresAt)
    handle.put('_root', LIVE, mark, 'int')
    return commit(handle, { ...before, isLive: true, expiresAt, mark, leaves: written }, author)
  }

  /** Remembers what a write made of the document. Returns the hash of its change. */
  #moved(before: State, after: State, changes: readonly Uint8Array[]): string {
    this.#made = { since: before.heads, changes }
    this.#state = after
    return after.heads[0] as string
  }
}

/** Actor of copies that are only read. */
const PAST = 'ed'.repeat(16)

/** Actor of documents that are read only to be merged. */
const MERGED = 'ef'.repeat(16)

/** The change that every document of this entry, made with this content, begins with. */
export function firstChange(id: EntryId, content: EntryContent): Uint8Array {
  return content.kind === 'memory' ? MEMORY_FIRST_CHANGE : skillFirstChange(id, content.content)
}

/**
 * Whether a change without dependencies is the first change that this node would have made itself, byte for byte: what
 * is allowed to stand unsigned beneath signed changes.
 */
export function isFirstChange(id: EntryId, change: Uint8Array): boolean {
  if (id.kind === 'memory') return equalBytes(change, MEMORY_FIRST_CHANGE)
  const handle = newHandle('ff'.repeat(16))
  try {
    handle.applyChanges([change])
    return equalBytes(change, skillFirstChange(id, readSkill(handle).content ?? undefined))
  } catch {
    return false
  } finally {
    handle.free()
  }
}

/**
 * A document keeps changes taken apart, and the hashes with which they came. One that was encoded otherwise than
 * Automerge writes it has another hash when it is written out: a document saved with it could never be opened again. It
 * shows in that nothing knows the new hash, neither a later change nor the heads.
 */
function checkEncoding(added: readonly AddedChange[], heads: readonly string[]): void {
  const known = new Set([...heads, ...added.flatMap(({ deps }) => deps)])
  for (const { hash } of added) {
    if (!known.has(hash)) throw new RangeError(`change ${hash.slice(0, 12)} is not encoded as Automerge does it`)
  }
}

/** Times never run backwards along a history, or `updated_at` would; and one that is no number would be met for ever. */
function checkTimes(added: readonly AddedChange[], timeOf: (hash: string) => number | undefined): void {
  const times = new Map<string, number>()
  for (const { hash, time, deps } of added) {
    const least = deps.reduce((latest, dep) => Math.max(latest, times.get(dep) ?? timeOf(dep) ?? 0), 0)
    if (!(time >= least && time <= MAX_TIME)) throw new RangeError(`a change at ${time}, after one at ${least}`)
    times.set(hash, time)
  }
}

/** Hash, dependencies and time of an encoded change. @throws {MeshError} `CHANGE_MALFORMED` */
export function inspectChange(change: Uint8Array): { hash: string; deps: readonly string[]; time: number } {
  try {
    return changeHash(change)
  } catch (cause) {
    throw new MeshError('CHANGE_MALFORMED', 'not an Automerge change', { cause })
  }
}

/**
 * Makes what is pending a change over all heads. Returns the state with it. Asking a handle for its heads would commit
 * what is pending, without author and time: nothing may come in between.
 */
function commit(handle: Handle, state: State, { nodeId, at }: Authorship): State {
  // updated_at never goes backwards for an entry, whatever the clock does; what is no time counts as the first second.
  const time = Math.min(MAX_TIME, Math.max(Math.trunc(at) || 0, state.updatedAt))
  const hash = handle.commit(nodeId, time)
  if (hash === null) throw new Error('impossible: the live mark was written or deleted')
  return { ...state, heads: [hash], author: nodeId, updatedAt: time }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
