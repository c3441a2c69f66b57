import { createHash } from 'node:crypto'
import { lengthPrefixed } from '../bytes.ts'
import { MeshError } from '../errors.ts'
import { type ChangeMeta, changeHash, changeMeta, changesMeta, type Handle, newHandle, valuesAt } from './automerge.ts'
import { describeEntry } from './ids.ts'
import { canonicalJson } from './json-value.ts'
import { fromLeaves, namesOf } from './leaves.ts'
import { MEMORY_FIRST_CHANGE, memoryConflicts, readLeaves, readMemory, shownLeaves, writeMemory } from './memory.ts'
import { readPaths, readSkill, readTexts, type SkillContent, skillFirstChange, writeSkill } from './skill.ts'
import type { Conflict, ConflictingValue, EntryId, JsonValue, Revision, Row } from './types.ts'

/** What a put gives an entry: the value of a memory, or what a skill holds. */
export type EntryContent =
  | { readonly kind: 'memory'; readonly value: JsonValue }
  | ({ readonly kind: 'skill' } & SkillContent)

/** Who makes a change, and when: a name for rows, and Unix seconds by the author's clock. */
export interface Authorship {
  readonly nodeId: string
  readonly at: number
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
  /** How many changes the document holds. */
  readonly changes: number
}

/**
 * An entry's Automerge document: how it is written, merged and read. Pure but for the memory that it holds: call
 * {@link free}. Two documents of one entry must never author under one actor (their changes could not be merged).
 */
export class EntryDocument {
  readonly id: EntryId
  readonly #handle: Handle

  private constructor(id: EntryId, handle: Handle) {
    this.id = id
    this.#handle = handle
  }

  /** An entry that nobody has written yet. @param actor hex, 32 characters */
  static create(id: EntryId, actor: string): EntryDocument {
    return new EntryDocument(id, newHandle(actor))
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
    const document = new EntryDocument(id, handle)
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
    // A fork at no heads would be one at the latest.
    return heads.length === 0
      ? EntryDocument.create(this.id, actor)
      : new EntryDocument(this.id, this.#handle.fork(actor, [...heads]))
  }

  /** Hex hashes of the latest changes, sorted: the version of the document. */
  get heads(): string[] {
    return this.#handle.getHeads().sort()
  }

  /** The whole document, to be kept or sent. */
  save(): Uint8Array {
    return this.#handle.save()
  }

  /** Releases the document's memory; it must not be used any more. */
  free(): void {
    this.#handle.free()
  }

  /**
   * Writes the difference to `content` and marks the entry live, always in a change of the author's own, so that the
   * put wins over a concurrent delete. Returns the hash of that change.
   */
  put(content: EntryContent, author: Authorship): string {
    if (this.#handle.getHeads().length === 0) this.#handle.applyChanges([firstChange(this.id, content)])
    return this.#write(this.#handle, content, author)
  }

  /**
   * As {@link put}, under an actor derived from content, author and version, so that every node that takes in the same
   * message at the same version makes the same change.
   */
  putDerived(content: EntryContent, author: Authorship): string {
    if (this.#handle.getHeads().length === 0) this.#handle.applyChanges([firstChange(this.id, content)])
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
      ...this.heads,
    )
    const actor = createHash('sha256').update(derivation).digest('hex').slice(0, 32)
    const fork = this.#handle.fork(actor)
    try {
      const hash = this.#write(fork, content, author)
      this.#handle.applyChanges(fork.getChanges(this.#handle.getHeads()))
      return hash
    } finally {
      fork.free()
    }
  }

  /** Deletes the entry: takes away the live mark and nothing else. Returns the change's hash, or undefined if not live. */
  remove(author: Authorship): string | undefined {
    if (!this.#isLive()) return undefined
    const time = this.#timeOf(author)
    this.#handle.delete('_root', LIVE)
    return commit(this.#handle, author.nodeId, time)
  }

  /**
   * Takes in changes in any order; known ones are passed over.
   * @throws {MeshError} `CHANGE_MALFORMED`; `CHANGE_INCOMPLETE` when they build on changes that are not here. After an
   * error the document must be freed, not used.
   */
  apply(changes: readonly Uint8Array[]): void {
    const before = this.#handle.getHeads()
    try {
      this.#handle.applyChanges([...changes])
    } catch (cause) {
      throw new MeshError('CHANGE_MALFORMED', `${describeEntry(this.id)}: not an Automerge change`, { cause })
    }
    this.#checkWhole()
    this.#checkTimes(before)
  }

  #checkWhole(): void {
    if (this.#handle.getMissingDeps([]).length > 0) {
      throw new MeshError('CHANGE_INCOMPLETE', `${describeEntry(this.id)}: builds on changes that are not here`)
    }
  }

  /** Times never run backwards along a history, or `updated_at` would; and one that is no number would be met for ever. */
  #checkTimes(before: string[]): void {
    try {
      for (const { time, deps } of changesMeta(this.#handle, before)) {
        const least = Math.max(0, ...deps.map((hash) => changeMeta(this.#handle, hash)?.time ?? 0))
        if (time < least || time > MAX_TIME) throw new RangeError(`a change at ${time}, after one at ${least}`)
      }
    } catch (cause) {
      throw new MeshError('CHANGE_MALFORMED', `${describeEntry(this.id)}: a change without a sound time`, { cause })
    }
  }

  /** Changes that a document at `heads` lacks, dependencies first; all for no heads. */
  changesSince(heads: readonly string[]): Uint8Array[] {
    return this.#handle.getChanges([...heads])
  }

  /** Hashes of all changes that must be signed, dependencies first: all but the first ones. */
  authoredHashes(): string[] {
    return this.#authored().map(({ hash }) => hash)
  }

  view(): EntryView {
    const { author, updatedAt } = this.#latest()
    const heads = this.heads.map((hash) => Buffer.from(hash, 'hex'))
    const changes = changesMeta(this.#handle).length
    if (!this.#isLive()) return { row: undefined, updatedAt, heads, conflicts: 0, changes }
    const { scope, key } = this.id
    if (this.id.kind === 'memory') {
      const leaves = readLeaves(this.#handle)
      const row = { scope, key, value: fromLeaves(shownLeaves(leaves)), node_id: author, updated_at: updatedAt }
      return { row, updatedAt, heads, conflicts: memoryConflicts(leaves).length, changes }
    }
    const row = { name: key, source_node: author, ...readSkill(this.#handle), updated_at: updatedAt, scope }
    return { row, updatedAt, heads, conflicts: this.#skillConflicts().length, changes }
  }

  /** Every place at which live values differ. A place whose values are equal is none. */
  conflicts(): Conflict[] {
    if (!this.#isLive()) return []
    if (this.id.kind === 'skill') return this.#skillConflicts()
    const leaves = readLeaves(this.#handle)
    const whole = readMemory(this.#handle)
    return memoryConflicts(leaves).map(({ path, values }) => {
      const said = values.map(({ value, opId }) => this.#said(value, opId))
      const shownValue = valueAt(whole, path)
      const isShown = canonicalJson(shownValue) === canonicalJson(values[0]?.value ?? null)
      const { author, updatedAt } = this.#latest()
      return { path, values: isShown ? said : [{ value: shownValue, nodeId: author, updatedAt }, ...said] }
    })
  }

  /** Who changed the entry and when, oldest first; concurrent changes in the order of their hashes. */
  history(): Revision[] {
    return inOrder(this.#authored()).map(({ hash, message, time }) => {
      const ops = this.#handle.getDecodedChangeByHash(hash)?.ops ?? []
      const deletes = ops.some((op) => op.action === 'del' && op.obj === '_root' && op.key === LIVE)
      return { hash, nodeId: message ?? '', at: time, action: deletes ? 'delete' : 'put' }
    })
  }

  #write(handle: Handle, content: EntryContent, author: Authorship): string {
    const time = this.#timeOf(author)
    if (content.kind === 'memory') writeMemory(handle, content.value)
    else writeSkill(handle, content)
    // An equal value would be no op at all, and a concurrent delete would win: the mark alternates.
    const marks = valuesAt(handle, LIVE)
    handle.put('_root', LIVE, marks.at(-1)?.[1] === 1 ? 2 : 1, 'int')
    return commit(handle, author.nodeId, time)
  }

  /** updated_at never goes backwards for an entry, whatever the clock does. To be asked before anything is written. */
  #timeOf({ at }: Authorship): number {
    return Math.min(MAX_TIME, Math.max(at, this.#latest().updatedAt))
  }

  #isLive(): boolean {
    return valuesAt(this.#handle, LIVE).length > 0
  }

  /** Node id and time of the row: of the head that is latest by time, then by hash. */
  #latest(): { author: string; updatedAt: number } {
    let latest = { author: '', updatedAt: 0, hash: '' }
    for (const hash of this.#handle.getHeads()) {
      const meta = changeMeta(this.#handle, hash)
      if (meta === undefined) continue
      if (meta.time > latest.updatedAt || (meta.time === latest.updatedAt && hash > latest.hash)) {
        latest = { author: meta.message ?? '', updatedAt: meta.time, hash }
      }
    }
    return latest
  }

  #authored() {
    return changesMeta(this.#handle).filter(({ deps }) => deps.length > 0)
  }

  #skillConflicts(): Conflict[] {
    const texts = readTexts(this.#handle).map(({ value, objectId }) => ({ value, opId: objectId }))
    const places = { content: texts, path: readPaths(this.#handle) }
    return Object.entries(places).flatMap(([path, values]) =>
      new Set(values.map(({ value }) => value)).size > 1
        ? [{ path, values: values.map(({ value, opId }) => this.#said(value, opId)) }]
        : [],
    )
  }

  /** Whom and when a live value is from: the change that holds its op. */
  #said(value: JsonValue, opId: string): ConflictingValue {
    const [counter, actor] = opId.split('@')
    const op = Number(counter)
    const all = changesMeta(this.#handle)
    const holder = all.find((m) => m.actor === actor && m.startOp <= op && op <= m.maxOp)
    // A first change is nobody's: it is said by whoever was the first to build on it.
    const meta = holder?.deps.length === 0 ? inOrder(all).find(({ deps }) => deps.includes(holder.hash)) : holder
    return { value, nodeId: meta?.message ?? '', updatedAt: meta?.time ?? 0 }
  }
}

/** The last second of the year 9999: later times are taken for none. */
const MAX_TIME = 253_402_300_799

/** The mark of a live entry, beside the leaf paths (which are empty or begin with a slash) and a skill's fields. */
const LIVE = 'live'

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

/** Hash, dependencies and time of an encoded change. @throws {MeshError} `CHANGE_MALFORMED` */
export function inspectChange(change: Uint8Array): { hash: string; deps: readonly string[]; time: number } {
  try {
    return changeHash(change)
  } catch (cause) {
    throw new MeshError('CHANGE_MALFORMED', 'not an Automerge change', { cause })
  }
}

/** Dependencies first, else by time, then hash: one order on every node, in whatever order changes came. */
function inOrder(changes: readonly ChangeMeta[]): ChangeMeta[] {
  const depth = new Map<string, number>()
  for (const { hash, deps } of changes) depth.set(hash, 1 + Math.max(0, ...deps.map((dep) => depth.get(dep) ?? 0)))
  return changes.toSorted(
    (a, b) => a.time - b.time || (depth.get(a.hash) ?? 0) - (depth.get(b.hash) ?? 0) || (a.hash < b.hash ? -1 : 1),
  )
}

// Asking a handle for its heads would commit what is pending, without author and time: nothing may come in between.
function commit(handle: Handle, nodeId: string, time: number): string {
  const hash = handle.commit(nodeId, time)
  if (hash === null) throw new Error('impossible: the live mark was written or deleted')
  return hash
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function valueAt(whole: JsonValue, path: string): JsonValue {
  let node = whole
  for (const name of namesOf(path)) {
    node = (node as { readonly [name: string]: JsonValue })[name] ?? null
  }
  return node
}
