import { type EntryId, entryName } from '../entry/index.ts'
import type { VersionedRow } from './version.ts'

/** Characters of rows that are kept: ample for what agents read again and again, little beside the daemon's code. */
const MAX_CHARACTERS = 4 * 1024 * 1024

/**
 * Rows that were read lately, as the JSON that is stored: to find one in the database takes several times as long.
 * Whoever commits says so here once the commit can be read, and before its author is told.
 */
export class RowCache {
  readonly #read: (id: EntryId) => Promise<VersionedRow | undefined>
  readonly #now: () => number
  readonly #rows = new Map<string, VersionedRow>()
  #characters = 0
  /** How often rows were forgotten: what was being read meanwhile may be old. */
  #changes = 0

  /**
   * @param read finds a row in the database; undefined where there is none
   * @param now Unix seconds
   */
  constructor(read: (id: EntryId) => Promise<VersionedRow | undefined>, now: () => number) {
    this.#read = read
    this.#now = now
  }

  /** The row, or undefined where there is none that is live. */
  async get(id: EntryId): Promise<VersionedRow | undefined> {
    const name = entryName(id)
    const kept = this.#rows.get(name)
    if (kept !== undefined) {
      // A Map goes through its members in the order in which they were added: now this one is the last to go.
      this.#rows.delete(name)
      this.#rows.set(name, kept)
      return this.#ifLive(kept)
    }
    const changes = this.#changes
    const row = await this.#read(id)
    if (row !== undefined && changes === this.#changes) this.#keep(name, row)
    return row && this.#ifLive(row)
  }

  /** Forgets the rows of entries that were committed. */
  forget(ids: readonly EntryId[]): void {
    this.#changes++
    if (this.#rows.size === 0) return
    for (const id of ids) this.#drop(entryName(id))
  }

  forgetAll(): void {
    this.#changes++
    this.#rows.clear()
    this.#characters = 0
  }

  #ifLive(row: VersionedRow): VersionedRow | undefined {
    return row.expiresAt !== undefined && row.expiresAt <= this.#now() ? undefined : row
  }

  #keep(name: string, row: VersionedRow): void {
    this.#drop(name)
    this.#rows.set(name, row)
    this.#characters += row.json.length
    for (const oldest of this.#rows.keys()) {
      if (this.#characters <= MAX_CHARACTERS) return
      this.#drop(oldest)
    }
  }

  #drop(name: string): void {
    this.#characters -= this.#rows.get(name)?.json.length ?? 0
    this.#rows.delete(name)
  }
}
