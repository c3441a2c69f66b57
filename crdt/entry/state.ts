import { type ChangeMeta, changeMeta, type Handle, valuesAt } from './automerge.ts'
import type { ChangeHeader } from './change-header.ts'
import { type LiveLeaves, liveLeaves, readLeaves } from './memory.ts'
import type { Kind } from './types.ts'

/** The mark of a live entry, beside the leaf paths (which are empty or begin with a slash) and a skill's fields. */
export const LIVE = 'live'

/** The last second of the year 9999: later times are taken for none. */
export const MAX_TIME = 253_402_300_799

/**
 * The mark that a put writes. It holds when the entry expires, so that a put says so anew each time, for ever where it
 * says nothing: 2 × Unix seconds (0 for never) + 1 or 2. Of the two it takes the one that the mark before was not, for an
 * equal one would be no op at all.
 */
export function nextMark(before: number, expiresAt: number | undefined): number {
  return 2 * (expiresAt ?? 0) + (before % 2 === 1 ? 2 : 1)
}

/** When an entry with these marks expires: of puts that know nothing of each other the one that keeps it longest counts. */
function latestExpiry(marks: readonly unknown[]): number | undefined {
  const times = marks.map((mark) => Math.floor((Number(mark) - 1) / 2))
  // What no put writes is no time: such an entry does not expire.
  if (times.length === 0 || !times.every((time) => time > 0 && time <= MAX_TIME)) return undefined
  return Math.max(...times)
}

/**
 * What a document says: read from its handle once, then moved along by what is written. To ask the handle again after
 * each write would cost more than the write.
 */
export interface State {
  /** Hex hashes, sorted. */
  readonly heads: readonly string[]
  /** Node id and time of the row: of the head that is latest by time, then by hash. */
  readonly author: string
  readonly updatedAt: number
  readonly isLive: boolean
  /** Unix seconds from which on the entry is not shown; undefined for never. */
  readonly expiresAt: number | undefined
  /** The mark that is shown; 0 while there is none. See {@link nextMark}. */
  readonly mark: number
  /** Of a memory; none for a skill, whose text is as large as all else together and stays in the handle. */
  readonly leaves: LiveLeaves
}

/** Of a document that nobody has written yet. */
export const EMPTY_STATE: State = {
  heads: [],
  author: '',
  updatedAt: 0,
  isLive: false,
  expiresAt: undefined,
  mark: 0,
  leaves: new Map(),
}

/**
 * Nothing may be pending in the handle: asking for its heads would commit it.
 * @param all all changes, where they have been listed already
 */
export function readState(kind: Kind, handle: Handle, all?: readonly ChangeHeader[]): State {
  const heads = handle.getHeads().sort()
  const metas =
    all?.filter(({ hash }) => heads.includes(hash)) ?? heads.flatMap((hash) => changeMeta(handle, hash) ?? [])
  const marks = valuesAt(handle, LIVE)
  return {
    heads,
    ...latestOf(metas),
    isLive: marks.length > 0,
    expiresAt: latestExpiry(marks.map(([, mark]) => mark)),
    mark: Number(marks.at(-1)?.[1] ?? 0),
    leaves: kind === 'memory' ? liveLeaves(readLeaves(handle)) : EMPTY_STATE.leaves,
  }
}

function latestOf(
  heads: readonly Pick<ChangeMeta, 'hash' | 'time' | 'message'>[],
): Pick<State, 'author' | 'updatedAt'> {
  let latest = { author: '', updatedAt: 0, hash: '' }
  for (const { hash, time, message } of heads) {
    if (time > latest.updatedAt || (time === latest.updatedAt && hash > latest.hash)) {
      latest = { author: message ?? '', updatedAt: time, hash }
    }
  }
  return { author: latest.author, updatedAt: latest.updatedAt }
}
