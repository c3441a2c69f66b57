import { randomBytes } from 'node:crypto'
import { describeEntry, EntryDocument, type EntryId, type EntryView } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { KeptView } from './expiry.ts'
import type { ChangeSignature } from './records.ts'
import { type DocumentWrite, type Stored, StoredForm, sizeOf } from './stored.ts'
import { MAX_CHANGE_BYTES } from './vet.ts'

/**
 * Bytes of changes that are put behind a document of at most so many bytes before it is saved anew: to save takes longer
 * and makes less of many changes. A larger one is saved only when it is to be written whole.
 */
const LOOSE_BYTES = 1_024
const SMALL_BYTES = 4_096

/** About what an open entry takes in memory: that of an empty one, and how much more its bytes take than stored. */
const OPEN_BYTES = 16 * 1024
const OPEN_FACTOR = 4

/**
 * An entry that is open for writing. Its document is loaded only when it is needed: what a worker merged is stored as it
 * came, without being opened here.
 */
export class OpenEntry {
  readonly id: EntryId
  /** The version that the next change builds on; undefined while nothing was ever written. Ahead of the database while
   * commits are pending. */
  view: KeptView | undefined
  readonly #signatures: ChangeSignature[]
  /** How its document is stored. */
  readonly form: StoredForm
  /** Commits of it that are not durable yet; while there are any it must stay open. */
  #pending = 0
  #settled: Promise<unknown> = Promise.resolve()
  readonly #actor: string
  /** The document as it is now, unless it must be saved first. */
  #bytes: Uint8Array | undefined
  /** How many of them, at their end, are changes as they were made. */
  #loose = 0
  #document: EntryDocument | undefined
  #weight: number

  constructor(id: EntryId, actor: string, stored?: Stored & { readonly view: KeptView }) {
    this.id = id
    this.#actor = actor
    this.view = stored?.view
    this.#bytes = stored?.bytes ?? new Uint8Array()
    this.#signatures = [...(stored?.signatures ?? [])]
    this.form = stored?.form ?? new StoredForm()
    this.#weight = OPEN_BYTES + OPEN_FACTOR * this.form.size
  }

  get isPending(): boolean {
    return this.#pending > 0
  }

  /** Resolves when no commit of it is on its way any more, be they durable or lost. */
  get settled(): Promise<unknown> {
    return this.#settled
  }

  /** Of all changes, those included that are still being made; see {@link PendingCommit}. */
  get signatures(): readonly ChangeSignature[] {
    return this.#signatures
  }

  /** About how many bytes of memory it takes. */
  get weight(): number {
    return this.#weight
  }

  /** Counts a commit as pending until it is durable or lost. Commits become so in their order. */
  async track<T>(commit: Promise<T>): Promise<T> {
    this.#pending++
    this.#settled = commit.catch(() => {})
    try {
      return await commit
    } finally {
      this.#pending--
    }
  }

  /** The document, to be read. @throws {MeshError} `STORAGE_CORRUPT` */
  get document(): EntryDocument {
    this.#document ??= this.view === undefined ? EntryDocument.create(this.id, this.#actor) : this.#load(this.view)
    return this.#document
  }

  /**
   * Changes the document with `change`, and moves the view along. Returns the changes that it made. If it throws, the
   * document is as it was: commits of it that are pending still save it.
   * @throws {MeshError} `VALUE_TOO_LARGE` for a change that every peer would refuse
   */
  update(change: (document: EntryDocument) => void): readonly Uint8Array[] {
    const document = this.document
    const before = document.heads
    try {
      change(document)
      const changes = document.changesSince(before)
      refuseTooLarge(changes)
      this.view = document.view()
      this.#append(changes)
      return changes
    } catch (error) {
      this.#document = document.at(before, randomBytes(16).toString('hex'))
      document.free()
      throw error
    }
  }

  /** Puts a document that was merged elsewhere in the place of this one. */
  replace(bytes: Uint8Array, view: EntryView): void {
    this.free()
    this.#bytes = bytes
    this.#loose = 0
    this.view = view
  }

  /** How a commit of what was just added is to be stored. Every commit is asked for, once, in their order. */
  write(changes: readonly Uint8Array[], signatures: readonly ChangeSignature[]): DocumentWrite {
    this.#signatures.push(...signatures)
    const size = lengthOf(changes) + sizeOf({ bytes: NOTHING, signatures })
    this.#weight += OPEN_FACTOR * size
    if (this.form.append(size)) return { changes, signatures, whole: undefined }
    const whole = { bytes: this.#save(), signatures: [...this.#signatures] }
    this.form.rewrite(sizeOf(whole))
    return { changes, signatures, whole }
  }

  free(): void {
    this.#document?.free()
    this.#document = undefined
  }

  /** Parts of a document that are missing show in no checksum. */
  #load({ heads }: EntryView): EntryDocument {
    const what = `${describeEntry(this.id)}: the stored document is not the version that its row is of`
    let document: EntryDocument
    try {
      document = EntryDocument.load(this.id, this.#bytes as Uint8Array, this.#actor)
    } catch (cause) {
      throw new MeshError('STORAGE_CORRUPT', what, { cause })
    }
    if (document.heads.join() === heads.map((head) => Buffer.from(head).toString('hex')).join()) return document
    document.free()
    throw new MeshError('STORAGE_CORRUPT', what)
  }

  #append(changes: readonly Uint8Array[]): void {
    if (changes.length === 0 || this.#bytes === undefined) return
    this.#loose += lengthOf(changes)
    const isKept = this.#loose <= LOOSE_BYTES && this.#bytes.length <= SMALL_BYTES
    this.#bytes = isKept ? Buffer.concat([this.#bytes, ...changes]) : undefined
  }

  /** The whole document as it is now. */
  #save(): Uint8Array {
    if (this.#bytes === undefined) {
      this.#bytes = this.document.save()
      this.#loose = 0
    }
    return this.#bytes
  }
}

const NOTHING = new Uint8Array()

const lengthOf = (changes: readonly Uint8Array[]) => changes.reduce((sum, { length }) => sum + length, 0)

function refuseTooLarge(changes: readonly Uint8Array[]): void {
  const largest = Math.max(0, ...changes.map(({ length }) => length))
  if (largest <= MAX_CHANGE_BYTES) return
  throw new MeshError('VALUE_TOO_LARGE', `this write makes a change of ${largest} bytes, at most ${MAX_CHANGE_BYTES}`, {
    hint: 'write less at once: split it over several entries',
  })
}
