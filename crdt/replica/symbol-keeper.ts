import type { EntryId } from '../entry/index.ts'
import { SymbolPrefix, type Window } from '../summary/index.ts'
import type { Database, FrozenView } from './database.ts'
import { feedRange, itemKey, itemRange, metaKey, parseFeedKey } from './keys.ts'
import { decodeFeed, decodeItem, decodeStoredSymbols, encodeStoredSymbols } from './records.ts'

/** Fewest and most symbols that are kept. The most are 4 MiB, and enough for some 170,000 differences. */
const FEWEST_SYMBOLS = 1_024
const MOST_SYMBOLS = 262_144

/** How many symbols are kept of so many items, at least: enough to decode any difference, up to the most. */
export function keptSymbols(items: number): number {
  return Math.min(MOST_SYMBOLS, Math.max(FEWEST_SYMBOLS, 2 ** Math.ceil(Math.log2(4 * items + 1))))
}

/** The kept symbols are in the window that is tried first. */
const KEPT_WINDOW: Window = 0

/** What one commit did to the set of items. */
export interface ItemChange {
  readonly seq: number
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array
}

export interface SymbolKeeperComponents {
  readonly database: Database
  /** First bytes of an entry's item key, see `subjectOf`. */
  readonly subject: (id: EntryId) => Uint8Array
  /** How many shared items there are. */
  readonly items: () => number
}

/**
 * The coded symbols of all shared items, kept up to date by commits. They are read at first need, not at the start:
 * from where they were last written down, and the feed since; or from all items, in small steps between which the event
 * loop runs.
 */
export class SymbolKeeper {
  readonly #components: SymbolKeeperComponents
  #loading: Promise<SymbolPrefix> | undefined
  #prefix: SymbolPrefix | undefined
  /** Commits since the loading began that it may not see. */
  #missed: ItemChange[] = []
  #position = 0
  #savedAt = 0

  constructor(components: SymbolKeeperComponents) {
    this.#components = components
  }

  /** Takes in durable commits, in order. */
  onCommits(changes: readonly ItemChange[]): void {
    if (this.#prefix === undefined) {
      if (this.#loading !== undefined) this.#missed.push(...changes)
      return
    }
    // The view that they were read from may have held commits that are told only now.
    for (const change of changes) if (change.seq > this.#position) this.#apply(this.#prefix, change)
    // More items than it was made for: a longer one is made from all of them when it is needed.
    if (this.#prefix.length < keptSymbols(this.#prefix.size)) this.drop()
  }

  /** A copy of the symbols as they are now. @throws {MeshError} `STORAGE_CORRUPT`, `STORAGE_FAILED` */
  async copy(): Promise<SymbolPrefix> {
    while (this.#prefix === undefined) {
      this.#loading ??= this.#load()
      await this.#loading
    }
    return this.#prefix.copy()
  }

  /** Forgets them: what they stand for is not the database's set any more. */
  drop(): void {
    this.#prefix = undefined
    this.#loading = undefined
    this.#missed = []
  }

  /**
   * Writes them down at the end, where that saves work later: a failure is nothing but that work. Not in between: so
   * large a value would hold everybody else up, and making up for what came since takes small steps.
   */
  async save(): Promise<void> {
    if (this.#prefix === undefined || this.#position === this.#savedAt) return
    this.#savedAt = this.#position
    const value = encodeStoredSymbols({ position: this.#position, bytes: this.#prefix.encode() })
    await this.#components.database.write([{ key: metaKey('symbols'), value }]).catch(() => {})
  }

  async #load(): Promise<SymbolPrefix> {
    const missed: ItemChange[] = []
    this.#missed = missed
    const loading = this.#components.database.frozen((view) => this.#read(view))
    try {
      const { prefix, position } = await loading
      // Dropped meanwhile: the caller begins anew.
      if (this.#missed !== missed) return prefix
      this.#position = position
      for (const change of missed) if (change.seq > position) this.#apply(prefix, change)
      this.#prefix = prefix
      return prefix
    } finally {
      if (this.#missed === missed) {
        this.#missed = []
        this.#loading = undefined
      }
    }
  }

  #apply(prefix: SymbolPrefix, { seq, before, after }: ItemChange): void {
    if (before !== undefined) prefix.remove(before)
    prefix.add(after)
    this.#position = seq
  }

  async #read(view: FrozenView): Promise<{ prefix: SymbolPrefix; position: number }> {
    const last = await view.lastKey(feedRange(0, Number.MAX_SAFE_INTEGER - 1))
    const position = last === undefined ? 0 : parseFeedKey(last)
    const stored = view.get(metaKey('symbols'))
    if (stored !== undefined) {
      const kept = decodeStoredSymbols(stored)
      const prefix = SymbolPrefix.decode(KEPT_WINDOW, kept.bytes)
      const isWhole = await this.#makeUp(view, prefix, kept.position)
      this.#savedAt = kept.position
      if (isWhole && prefix.length >= keptSymbols(prefix.size)) return { prefix, position }
    }
    return { prefix: await prefixOf(view, { window: KEPT_WINDOW, items: this.#components.items() }), position }
  }

  /** Brings symbols of an earlier position to that of the view; false where the feed does not reach back so far. */
  async #makeUp(view: FrozenView, prefix: SymbolPrefix, from: number): Promise<boolean> {
    const seen = new Set<string>()
    let position = from
    for await (const batch of view.batches(feedRange(from, Number.MAX_SAFE_INTEGER - 1))) {
      for (const [key, value] of batch) {
        const seq = parseFeedKey(key)
        if (seq > ++position) return false
        const { id, before } = decodeFeed(seq, value)
        const at = itemKey(this.#components.subject(id))
        const name = Buffer.from(at).toString('base64')
        const current = seen.has(name) ? undefined : view.get(at)
        // Entries that are not shared have no item.
        if (current === undefined) continue
        seen.add(name)
        if (before !== undefined) prefix.removeId(before)
        prefix.add(decodeItem(current).item)
      }
    }
    return true
  }
}

/** Symbols of all items, from the items themselves; `items` is about how many they are. */
export async function prefixOf(
  view: FrozenView,
  { window, items }: { window: Window; items: number },
): Promise<SymbolPrefix> {
  const prefix = new SymbolPrefix(window, keptSymbols(items))
  for await (const batch of view.batches(itemRange())) {
    for (const [, value] of batch) prefix.add(decodeItem(value).item)
  }
  return prefix
}
