import { type EntryId, type EntryView, MAX_TIME, type Row } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import type { Database, Operation } from './database.ts'
import { expiryKey, expiryRange, parseExpiryKey } from './keys.ts'

/** Longest sleep, in milliseconds: a clock that is set, or a machine that slept, is noticed after so long. */
const MAX_SLEEP_MS = 30_000
/** Wait before it is tried again after a failure, in milliseconds. */
const RETRY_MS = 5_000
/** Entries that lapse in one go. */
const BATCH_ENTRIES = 128

/** Whether a row is to be hidden. @param now Unix seconds */
export function isExpired({ expires_at }: Pick<Row, 'expires_at'>, now: number): boolean {
  return expires_at !== undefined && expires_at <= now
}

/** @param now Unix seconds @throws {MeshError} `EXPIRY_INVALID` */
export function parseExpiry(expiresAt: unknown, now: number, field = 'expires_at'): number {
  if (Number.isInteger(expiresAt) && (expiresAt as number) > now && (expiresAt as number) <= MAX_TIME) {
    return expiresAt as number
  }
  throw new MeshError('EXPIRY_INVALID', `${field}: ${String(expiresAt).slice(0, 32)} is no time to come`, {
    field,
    hint: `give whole Unix seconds, later than now (${now}); leave it out for an entry that stays`,
  })
}

/** An entry's view as it is kept. */
export interface KeptView extends EntryView {
  /** It had expired when this was written: it is counted as expired, and not looked for any more. */
  readonly lapsed?: true | undefined
}

/** Operations that keep the list of what will expire, for an entry that goes from one view to another. */
export function expiryOperations(id: EntryId, before: KeptView | undefined, after: KeptView): Operation[] {
  const [old, due] = [dueAt(before), dueAt(after)]
  if (old === due) return []
  return [
    ...(old === undefined ? [] : [{ key: expiryKey(old, id) }]),
    ...(due === undefined ? [] : [{ key: expiryKey(due, id), value: new Uint8Array() }]),
  ]
}

/** When a view will lapse, in Unix seconds; undefined where it has, or never will. */
export function dueAt(view: KeptView | undefined): number | undefined {
  return view?.lapsed ? undefined : view?.row?.expires_at
}

export interface LapserInit {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Commits that an entry has expired, if it has. */
  readonly lapse: (id: EntryId) => Promise<void>
}

/**
 * Sees to it that what expires is said in the feed, like any other commit, so that whoever follows it takes the entry
 * for gone. Readers do not depend on it: they look at the time themselves.
 */
export class Lapser {
  readonly #database: Database
  readonly #init: LapserInit
  #timer: NodeJS.Timeout | undefined
  /** Unix milliseconds at which the timer rings. */
  #wakesAt = Number.POSITIVE_INFINITY
  #working: Promise<void> | undefined
  #closed = false

  constructor(database: Database, init: LapserInit) {
    this.#database = database
    this.#init = init
  }

  /** There may be something to expire at this time, in Unix seconds; 0 begins with a look at all there is. */
  expect(at: number): void {
    if (this.#closed || at * 1000 >= this.#wakesAt) return
    clearTimeout(this.#timer)
    this.#wakesAt = at * 1000
    const wait = Math.max(0, this.#wakesAt - this.#init.now())
    // A clock that gives no number does not make this spin.
    const sleep = Number.isNaN(wait) ? MAX_SLEEP_MS : Math.min(wait, MAX_SLEEP_MS)
    this.#timer = setTimeout(() => this.#wake(), sleep)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#working
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
  }

  async #work(): Promise<void> {
    try {
      let next: number | undefined
      do next = await this.#lapseSome()
      while (next === 0 && !this.#closed)
      if (next !== undefined) this.expect(next)
    } catch {
      // The disk takes nothing just now, or a record is damaged: who reads the entry hears of it.
      this.expect(this.#init.now() / 1000 + RETRY_MS / 1000)
    }
  }

  /** Returns when to look again, in Unix seconds: 0 for at once, undefined where nothing will expire. */
  async #lapseSome(): Promise<number | undefined> {
    const now = Math.floor(this.#init.now() / 1000)
    const due: EntryId[] = []
    let next: number | undefined
    for await (const [key] of this.#database.range(expiryRange, BATCH_ENTRIES)) {
      const { at, id } = parseExpiryKey(key)
      if (!(at <= now)) {
        next = at
        break
      }
      due.push(id)
    }
    await Promise.all(due.map((id) => this.#init.lapse(id)))
    return due.length === BATCH_ENTRIES ? 0 : next
  }
}
