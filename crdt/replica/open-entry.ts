import { randomBytes } from 'node:crypto'
import { EntryDocument, type EntryId, type EntryView } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { ChangeSignature } from './records.ts'
import { MAX_CHANGE_BYTES } from './vet.ts'

/**
 * An entry that is open for writing. Its document is loaded only when it is needed: what a worker merged is stored as it
 * came, without being opened here.
 */
export class OpenEntry {
  readonly id: EntryId
  /** The version that the next change builds on; undefined while nothing was ever written. Ahead of the database while
   * commits are pending. */
  view: EntryView | undefined
  signatures: readonly ChangeSignature[]
  /** Commits of it that are not durable yet; while there are any it must stay open. */
  #pending = 0
  #settled: Promise<unknown> = Promise.resolve()
  readonly #actor: string
  #bytes: Uint8Array | undefined
  #document: EntryDocument | undefined

  constructor(
    id: EntryId,
    actor: string,
    stored?: { view: EntryView; bytes: Uint8Array; signatures: readonly ChangeSignature[] },
  ) {
    this.id = id
    this.#actor = actor
    this.view = stored?.view
    this.#bytes = stored?.bytes
    this.signatures = stored?.signatures ?? []
  }

  get isPending(): boolean {
    return this.#pending > 0
  }

  /** Resolves when no commit of it is on its way any more, be they durable or lost. */
  get settled(): Promise<unknown> {
    return this.#settled
  }

  /** Counts a commit as pending until it is durable or lost. */
  async track<T>(commit: Promise<T>): Promise<T> {
    this.#pending++
    this.#settled = Promise.allSettled([this.#settled, commit])
    try {
      return await commit
    } finally {
      this.#pending--
    }
  }

  /** The document, to be read. */
  get document(): EntryDocument {
    this.#document ??=
      this.#bytes === undefined
        ? EntryDocument.create(this.id, this.#actor)
        : EntryDocument.load(this.id, this.#bytes, this.#actor)
    return this.#document
  }

  /**
   * Changes the document with `change`, and moves the view along. Returns the changes that it made. If it throws, the
   * document is as it was: commits of it that are pending still save it.
   * @throws {MeshError} `VALUE_TOO_LARGE` for a change that every peer would refuse
   */
  update(change: (document: EntryDocument) => void): Uint8Array[] {
    const document = this.document
    const before = document.heads
    try {
      change(document)
      const changes = document.changesSince(before)
      refuseTooLarge(changes)
      this.view = document.view()
      this.#bytes = undefined
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
    this.view = view
  }

  /** The whole document as it is now. */
  save(): Uint8Array {
    this.#bytes ??= this.document.save()
    return this.#bytes
  }

  free(): void {
    this.#document?.free()
    this.#document = undefined
  }
}

function refuseTooLarge(changes: readonly Uint8Array[]): void {
  const largest = Math.max(0, ...changes.map(({ length }) => length))
  if (largest <= MAX_CHANGE_BYTES) return
  throw new MeshError('VALUE_TOO_LARGE', `this write makes a change of ${largest} bytes, at most ${MAX_CHANGE_BYTES}`, {
    hint: 'write less at once: split it over several entries',
  })
}
