import type { Logger } from 'pino'
import type { Finding } from '../../transports/mesh.ts'

/** What `mesh doctor` says of the search index. Neither here nor in the log is there anything of entries or queries. */
export interface SearchFindings {
  /** The file could not be read as an index, and is made anew. Said until the daemon is restarted. */
  damaged(): void
  beginRebuild(): void
  /** An entry that the replica holds and cannot read, from now to the next rebuild. */
  unreadable(): void
  /** Why nothing can be indexed at present, or undefined when work goes on. */
  stalled(error: unknown): void
  /** @param progress of a rebuild under way */
  list(progress: { readonly done: number; readonly total: number } | undefined): Finding[]
}

export function createSearchFindings(path: string, log: Logger): SearchFindings {
  let damages = 0
  let unreadable = false
  let stalled: string | undefined

  return {
    damaged() {
      damages++
      log.warn({ checkId: DAMAGED.checkId, path }, DAMAGED.message)
    },
    beginRebuild() {
      unreadable = false
      log.info({ path }, 'making the search index')
    },
    unreadable() {
      if (!unreadable) log.warn({ checkId: UNREADABLE.checkId }, UNREADABLE.message)
      unreadable = true
    },
    stalled(error) {
      const before = stalled
      stalled = error === undefined ? undefined : error instanceof Error ? error.message : String(error)
      if (stalled !== undefined && stalled !== before) log.warn({ checkId: 'search.stalled', path }, stalled)
    },
    list(progress) {
      return [
        ...(stalled === undefined ? [] : [{ ...STALLED, message: `${STALLED.message}: ${stalled}`, path }]),
        ...(damages === 0 ? [] : [{ ...DAMAGED, path }]),
        ...(unreadable ? [UNREADABLE] : []),
        ...(progress === undefined ? [] : [rebuilding(progress)]),
      ]
    },
  }
}

const DAMAGED = {
  checkId: 'search.damaged',
  severity: 'warning',
  message: 'the search index was damaged and is made anew; the mesh itself is not touched by that',
  fixHint: 'look after the disk if it happens again',
} as const

const STALLED = {
  checkId: 'search.stalled',
  severity: 'warning',
  message: 'what is new is not found by search at present; it is tried again',
  fixHint: 'free some disk space, and let the user of the daemon write here',
} as const

const UNREADABLE = {
  checkId: 'search.unreadable',
  severity: 'error',
  message: 'the database holds entries that are damaged: search does not find them',
  fixHint: 'another member of the mesh still has them',
} as const

function rebuilding({ done, total }: { readonly done: number; readonly total: number }): Finding {
  const message = `the search index is being made: ${done} of ${total} entries so far; search finds only those`
  return { checkId: 'search.rebuilding', severity: 'info', message }
}
