import { type EntryId, entryName } from '../../crdt/entry/index.ts'
import { nextTurn } from '../../crdt/turns.ts'
import type { StoredSecret } from './stored-secrets.ts'

/** The entries that hold a secret, by their names: what was just found, or written since, is looked at once more. */
export class FoundSecrets {
  readonly #look: (id: EntryId) => Promise<StoredSecret | undefined>
  readonly #found = new Map<string, StoredSecret>()
  /** Names of found entries that must be looked at again. */
  readonly #doubtful = new Set<string>()
  /** Names of entries whose record is not as it should be. */
  readonly #unsaved = new Set<string>()
  #checking: Promise<void> = Promise.resolve()

  /** @param look what an entry holds now */
  constructor(look: (id: EntryId) => Promise<StoredSecret | undefined>) {
    this.#look = look
  }

  get size(): number {
    return this.#found.size
  }

  get isChanged(): boolean {
    return this.#doubtful.size + this.#unsaved.size > 0
  }

  list(): StoredSecret[] {
    return [...this.#found.values()]
  }

  /** Takes over what an earlier run has kept. */
  keep(secrets: ReadonlyMap<string, StoredSecret>): void {
    for (const [name, secret] of secrets) this.#found.set(name, secret)
  }

  /** Their records are to go. */
  forget(names: Iterable<string>): void {
    for (const name of names) this.#unsaved.add(name)
  }

  /** What was read a moment ago may be written by now: it counts when it has been read once more. */
  add(secret: StoredSecret): void {
    const name = entryName(secret.id)
    this.#found.set(name, secret)
    this.#doubtful.add(name)
  }

  /** An entry was written. Returns whether it is among these. */
  doubt(id: EntryId): boolean {
    const name = entryName(id)
    if (!this.#found.has(name)) return false
    this.#doubtful.add(name)
    return true
  }

  /** Looks at all doubtful entries as they are now. One after the other, so that no older answer comes last. */
  check(): Promise<void> {
    this.#checking = this.#checking.catch(() => {}).then(() => this.#check())
    return this.#checking
  }

  async #check(): Promise<void> {
    for (const name of [...this.#doubtful]) {
      const { id } = this.#found.get(name) as StoredSecret
      // Before it is read: what is written meanwhile makes it doubtful again.
      this.#doubtful.delete(name)
      try {
        const secret = await this.#look(id)
        if (secret !== undefined) this.#found.set(name, secret)
        else if (!this.#doubtful.has(name)) this.#found.delete(name)
        this.#unsaved.add(name)
      } catch (error) {
        this.#doubtful.add(name)
        throw error
      }
      await nextTurn()
    }
  }

  /** Hands out what must be written, undefined for what is to go; all of it again where writing fails. */
  async saved(write: (changed: ReadonlyMap<string, StoredSecret | undefined>) => Promise<void>): Promise<void> {
    const changed = new Map(Array.from(this.#unsaved, (name) => [name, this.#found.get(name)]))
    this.#unsaved.clear()
    try {
      await write(changed)
    } catch (error) {
      this.forget(changed.keys())
      throw error
    }
  }
}
