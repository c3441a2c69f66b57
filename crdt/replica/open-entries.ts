import type { OpenEntry } from './open-entry.ts'

/** How much is kept open between uses: entries, and about how many bytes of memory they take together. */
export interface OpenLimits {
  readonly entries: number
  readonly bytes: number
}

const LIMITS: OpenLimits = { entries: 256, bytes: 64 * 1024 * 1024 }

/** The entries that are open, by name: those that were used last are kept, within limits; the others are freed. */
export class OpenEntries {
  readonly #limits: OpenLimits
  /** Last is latest used. */
  readonly #entries = new Map<string, OpenEntry>()
  /** What each weighed when it was added up, and the sum. */
  readonly #weights = new Map<string, number>()
  #weight = 0
  /** What must be passed before there is anything to free. */
  #trimAt: OpenLimits

  constructor(limits = LIMITS) {
    this.#limits = limits
    this.#trimAt = limits
  }

  get size(): number {
    return this.#entries.size
  }

  get(name: string): OpenEntry | undefined {
    return this.#entries.get(name)
  }

  /** Keeps an entry as the one that was used last, with what it weighs now. */
  set(name: string, entry: OpenEntry): void {
    this.delete(name)
    this.#entries.set(name, entry)
    this.#weights.set(name, entry.weight)
    this.#weight += entry.weight
  }

  /** Forgets an entry without freeing it. */
  delete(name: string): void {
    this.#weight -= this.#weights.get(name) ?? 0
    this.#weights.delete(name)
    this.#entries.delete(name)
  }

  /** Forgets all without freeing any. */
  clear(): void {
    this.#entries.clear()
    this.#weights.clear()
    this.#weight = 0
    this.#trimAt = this.#limits
  }

  /** Frees what was not used for longest, as far as nobody needs it, until the rest is within the limits. */
  trim(isNeeded: (name: string, entry: OpenEntry) => boolean): void {
    if (this.#isWithin(this.#trimAt)) return
    for (const [name, entry] of this.#entries) {
      if (this.#isWithin(this.#limits)) break
      if (isNeeded(name, entry)) continue
      this.delete(name)
      entry.free()
    }
    // In a burst most entries are needed: they are not all looked at again for each one more.
    const { entries, bytes } = this.#limits
    this.#trimAt = this.#isWithin(this.#limits)
      ? this.#limits
      : { entries: this.#entries.size + entries, bytes: this.#weight + bytes / 4 }
  }

  /** Frees all. */
  close(): void {
    for (const entry of this.#entries.values()) entry.free()
    this.clear()
  }

  #isWithin({ entries, bytes }: OpenLimits): boolean {
    return this.#entries.size <= entries && this.#weight <= bytes
  }
}
