import { type ChangeMeta, changeMeta, type Handle, valuesAt } from './automerge.ts'
import type { ChangeHeader } from './change-header.ts'
import { type LiveLeaves, liveLeaves, readLeaves } from './memory.ts'
import type { Kind } from './types.ts'

/** The mark of a live entry, beside the leaf paths (which are empty or begin with a slash) and a skill's fields. */
export const LIVE = 'live'

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
  /** What the next put writes as the mark. An equal one would be no op at all: it alternates. */
  readonly nextMark: 1 | 2
  /** Of a memory; none for a skill, whose text is as large as all else together and stays in the handle. */
  readonly leaves: LiveLeaves
}

/** Of a document that nobody has written yet. */
export const EMPTY_STATE: State = {
  heads: [],
  author: '',
  updatedAt: 0,
  isLive: false,
  nextMark: 1,
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
    nextMark: marks.at(-1)?.[1] === 1 ? 2 : 1,
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
