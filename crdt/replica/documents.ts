import { randomBytes } from 'node:crypto'
import { describeEntry, type EntryId, entryName } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database } from './database.ts'
import { entryKey } from './keys.ts'
import { OpenEntries, type OpenLimits } from './open-entries.ts'
import { OpenEntry } from './open-entry.ts'
import { decodeEntry } from './records.ts'
import { readStored } from './stored.ts'

/**
 * Opens entries for one writer at a time per entry, and keeps the latest ones open. All author under one actor, which is
 * random for each process start and replaced whenever a change is discarded: a number of its sequence must never be
 * used twice.
 */
export class Documents {
  readonly #database: Database
  readonly #open: OpenEntries
  readonly #queues = new Map<string, Promise<unknown>>()
  #actor = newActor()

  constructor(database: Database, limits?: OpenLimits) {
    this.#database = database
    this.#open = new OpenEntries(limits)
  }

  /**
   * Runs `use`, which is synchronous, when every earlier use of the entry has ended. If it throws, whatever it did to
   * the document is discarded: the entry is read again once what it had written before is in the database.
   */
  async withEntry<T>(id: EntryId, use: (entry: OpenEntry) => T): Promise<T> {
    const name = entryName(id)
    const turn = (this.#queues.get(name) ?? Promise.resolve()).then(async () => {
      let entry = await this.#get(name, id)
      // Everything may have been dropped while it was opened.
      while (this.#open.get(name) !== entry) entry = await this.#get(name, id)
      try {
        const result = use(entry)
        this.#open.set(name, entry)
        return result
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
      this.#open.trim((other, entry) => entry.isPending || this.#queues.has(other))
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
    this.#open.close()
  }

  async #get(name: string, id: EntryId): Promise<OpenEntry> {
    const kept = this.#open.get(name)
    if (kept !== undefined) return kept
    const [entry, document] = await Promise.all([this.#database.get(entryKey(id)), readStored(this.#database, id)])
    if ((entry === undefined) !== (document === undefined)) {
      throw new MeshError('STORAGE_CORRUPT', `${describeEntry(id)}: row and document are not both there`)
    }
    const opened =
      entry === undefined || document === undefined
        ? new OpenEntry(id, this.#actor)
        : new OpenEntry(id, this.#actor, { view: decodeEntry(id, entry), ...document })
    this.#open.set(name, opened)
    return opened
  }
}

const newActor = () => randomBytes(16).toString('hex')
