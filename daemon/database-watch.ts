import { stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { EntryStore } from '../crdt/replica/index.ts'
import type { Finding } from '../transports/mesh.ts'

export interface DatabaseWatchComponents {
  readonly store: Pick<EntryStore, 'onCommit'>
  readonly log: Logger
}

/** Notices when the folder of the open database is removed, or another one put in its place. */
export interface DatabaseWatch {
  /** Looks now. */
  findings(): Promise<Finding[]>
  stop(): void
}

/** Commits are no reason to look more often, in milliseconds. */
const LOOK_MS = 1_000

/**
 * An open database goes on taking writes after its files were unlinked, and all of them are gone with the process: only
 * the folder shows it. It is looked at when something is committed, and when somebody asks.
 * @param path the folder of the database, which is open
 */
export async function watchDatabase({ store, log }: DatabaseWatchComponents, path: string): Promise<DatabaseWatch> {
  const opened = await identityOf(path)
  let lookAt = 0
  let said = false

  async function look(): Promise<Finding | undefined> {
    const gone = (await identityOf(path)) !== opened
    if (gone && !said) log.error({ checkId: GONE.checkId, path }, GONE.message)
    said = gone
    return gone ? { ...GONE, path } : undefined
  }

  const unsubscribe = store.onCommit(() => {
    const now = performance.now()
    if (now < lookAt) return
    lookAt = now + LOOK_MS
    void look()
  })
  return {
    findings: async () => [(await look()) ?? []].flat(),
    stop: unsubscribe,
  }
}

const GONE = {
  checkId: 'database.gone',
  severity: 'error',
  message:
    'the folder of the database was removed or replaced under the running daemon: all that is written is lost when it stops',
  fixHint: 'let the peers have what is new (mesh sync) before you stop it, then put the folder back',
} as const

/** Undefined where nothing is, or nothing can be seen. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path)
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
