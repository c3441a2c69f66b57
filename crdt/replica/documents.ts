import { randomBytes } from 'node:crypto'
import { describeEntry, type EntryId } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database } from './database.ts'
import { documentKey, entryKey } from './keys.ts'
import { OpenEntry } from './open-entry.ts'
import { decodeDocument, decodeEntry } from './records.ts'

/** Entries kept open between uses; each holds some KB of WASM memory. */
const KEPT_ENTRIES = 256

/**
 * Opens entries for one writer at a time per entry, and keeps the latest ones open. All author under one actor, which is
 * random for each process start and replaced whenever a change is discarded: a number of its sequence must never be
 * used twice.
 */
export class Documents {
  readonly #database: Database
  readonly #open = new Map<string, OpenEntry>()
  readonly #queues = new Map<string, Promise<unknown>>()
  #actor = newActor()
  #trimAt = KEPT_ENTRIES

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Runs `use`, which is synchronous, when every earlier use of the entry has ended. If it throws, whatever it did to
   * the document is discarded: the entry is read again once what it had written before is in the database.
   */
  async withEntry<T>(id: EntryId, use: (entry: OpenEntry) => T): Promise<T> {
    const name = nameOf(id)
    const turn = (this.#queues.get(name) ?? Promise.resolve()).then(async () => {
      let entry = await this.#get(name, id)
      // Everything may have been dropped while it was opened.
      while (this.#open.get(name) !== entry) entry = await this.#get(name, id)
      try {
        return use(entry)
      } catch (error) {
        this.#open.delete(name)
        this.#actor = newActor()
        await entry.settled
        throw error
      }
    })
    const settled = turn.then(
      () => {},
      () => {},
    )
    this.#queues.set(name, settled)
    try {
      return await turn
    } finally {
      if (this.#queues.get(name) === settled) this.#queues.delete(name)
      this.#trim()
    }
  }

  /** Resolves when no entry is in use. */
  async idle(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all(this.#queues.values())
  }

  /**
   * Forgets every entry: what is open holds changes that were never stored, or signatures of another mesh. Nothing is
   * freed, since a turn may still hold one; Automerge frees what is unreachable.
   */
  dropAll(): void {
    this.#open.clear()
    this.#actor = newActor()
  }

  close(): void {
    for (const entry of this.#open.values()) entry.free()
    this.#open.clear()
  }

  async #get(name: string, id: EntryId): Promise<OpenEntry> {
    const kept = this.#open.get(name)
    if (kept !== undefined) {
      // Last in the map is latest used.
      this.#open.delete(name)
      this.#open.set(name, kept)
      return kept
    }
    const [entry, document] = await Promise.all([this.#database.get(entryKey(id)), this.#database.get(documentKey(id))])
    if ((entry === undefined) !== (document === undefined)) {
      throw new MeshError('STORAGE_CORRUPT', `${describeEntry(id)}: row and document are not both there`)
    }
    const opened =
      entry === undefined || document === undefined
        ? new OpenEntry(id, this.#actor)
        : new OpenEntry(id, this.#actor, { view: decodeEntry(id, entry), ...decodeDocument(document) })
    this.#open.set(name, opened)
    return opened
  }

  #trim(): void {
    if (this.#open.size <= this.#trimAt) return
    for (const [name, entry] of this.#open) {
      if (this.#open.size <= KEPT_ENTRIES) break
      if (entry.isPending || this.#queues.has(name)) continue
      this.#open.delete(name)
      entry.free()
    }
    // In a burst most entries are pending and must stay: they are not all looked at again for each one more.
    this.#trimAt = this.#open.size + KEPT_ENTRIES
  }
}

const newActor = () => randomBytes(16).toString('hex')

const nameOf = (id: EntryId) => `${id.kind}\0${id.scope}\0${id.key}`
