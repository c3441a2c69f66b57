import type { Checks } from './checks.ts'
import type { Exporter } from './exporter.ts'
import type { FileFindings } from './findings.ts'
import type { MemoryJson } from './memory-json.ts'
import type { FileViewTiming } from './view.ts'

export interface RoundsComponents {
  readonly exporter: Exporter
  readonly memoryJson: MemoryJson | undefined
  readonly findings: FileFindings
  readonly checks: Checks
}

/** Decides what is done with the files next. Commits are followed between any two steps of what takes longer. */
export interface Rounds {
  /**
   * Follows some commits if they are due, and does one step of what is most due beside. Returns whether there was
   * anything to do.
   * @param hurry whether commits are due at once: somebody waits for their files
   */
  step(hurry: boolean): Promise<boolean>
  /** Whether there are commits that will be followed at {@link nextAt}. */
  readonly gathering: boolean
  /** When there is something to do again without a commit, on the clock of `performance.now()`. */
  readonly nextAt: number
  /** Makes a look at all files due now. */
  lookNow(): void
  /** Writes `mesh-memory.json` if it is due, or will be. */
  finishMemoryJson(): Promise<void>
  /** Gives up what is under way. */
  close(): Promise<void>
}

/** Looking at files, and writing `mesh-memory.json`, take at most these shares of the time, however much there is. */
const MAX_LOOK_SHARE = 0.01
const MAX_MEMORY_JSON_SHARE = 0.05
/** So does following commits, while there are always more: who writes and reads goes first. */
const MAX_FOLLOW_SHARE = 0.1

/** Work that is done in steps. */
type Work<T = void> = AsyncGenerator<T, void>

export function createRounds(
  { exporter, memoryJson, findings, checks }: RoundsComponents,
  timing: FileViewTiming,
): Rounds {
  let walk: Work | undefined
  let look: Work<boolean> | undefined
  let pass: Work | undefined
  let lookAt = 0
  /** When the next step of the look under way is due. */
  let lookOnAt = 0
  let retryAt = 0
  let retryMs = timing.retryMs
  let memoryJsonAt = Number.POSITIVE_INFINITY
  let memoryJsonBy = Number.POSITIVE_INFINITY
  let memoryJsonCost = 0
  /** There are commits to be followed: when to look whether more have come since `newest`, and when to wait no longer. */
  let gathered: { readonly at: number; readonly by: number; readonly newest: number } | undefined
  /** How long commits are gathered at least while more keep coming: until the last that were followed have had their share. */
  let restUntil = 0

  /**
   * Commits within a moment are followed together: an entry is written once. While more keep coming there are pauses,
   * which end when they do.
   */
  async function stepFollow(hurry: boolean): Promise<boolean> {
    if (exporter.newest === exporter.position) return false
    const start = performance.now()
    if (!hurry && !isFollowDue(start)) return false
    const newest = exporter.newest
    if ((await exporter.follow())?.memory) memoryChanged()
    const end = performance.now()
    restUntil = end + Math.min((end - start) * (1 / MAX_FOLLOW_SHARE - 1), timing.maxFollowMs)
    if (exporter.newest === exporter.position) gathered = undefined
    // Where none have come meanwhile, those that are left are followed at once.
    else gather(exporter.newest === newest ? end : end + timing.followMs)
    return true
  }

  function isFollowDue(now: number): boolean {
    const { at, by, newest } = gathered ?? gather(now + timing.followMs)
    if (now < at) return false
    if (now >= by || exporter.newest === newest) return true
    gathered = { at: now + timing.followMs, by, newest: exporter.newest }
    return false
  }

  function gather(at: number) {
    gathered = { at, by: Math.max(at, restUntil), newest: exporter.newest }
    return gathered
  }

  async function stepPass(): Promise<boolean> {
    if (pass === undefined && performance.now() < retryAt) return false
    pass ??= makePass()
    if ((await pass.next()).done) pass = undefined
    return true
  }

  async function stepWalk(): Promise<boolean> {
    if (!exporter.walking) return false
    walk ??= exporter.walk()
    if ((await walk.next()).done) {
      walk = undefined
      memoryChanged()
    }
    return true
  }

  async function stepLook(): Promise<boolean> {
    const start = performance.now()
    if (start < (look === undefined ? lookAt : lookOnAt)) return false
    look ??= makeLook()
    const { done, value: gone } = await look.next()
    if (done) look = undefined
    // Where one file is gone others may be; and nobody is kept waiting.
    const hurry = gone === true || checks.hurried
    const end = performance.now()
    lookOnAt = hurry ? end : end + (end - start) * (1 / MAX_LOOK_SHARE - 1)
    return true
  }

  async function* makeLook(): Work<boolean> {
    // Who asks from now on may mean a change that this look has passed: it begins anew for them.
    checks.lookBegins()
    lookAt = Number.POSITIVE_INFINITY
    yield* exporter.look()
    checks.lookEnds()
    const now = performance.now()
    lookAt = Math.min(lookAt, now + timing.auditMs)
    retryAt = now
  }

  /** Tries everything again that is not as it should be, and forgets findings that are over. */
  async function* makePass(): Work {
    const asked = checks.passBegins()
    retryAt = Number.POSITIVE_INFINITY
    try {
      findings.beginPass()
      yield* exporter.retry()
      await writeMemoryJson(true)
      findings.endPass()
      retryMs = findings.blocked ? Math.min(retryMs * 2, timing.maxRetryMs) : timing.retryMs
    } finally {
      // Also where it failed: nothing better is known then.
      for (const check of asked) check.resolve()
    }
  }

  async function writeMemoryJson(force: boolean): Promise<void> {
    const start = performance.now()
    await memoryJson?.write(force)
    memoryJsonCost = performance.now() - start
    memoryJsonAt = Number.POSITIVE_INFINITY
    memoryJsonBy = Number.POSITIVE_INFINITY
  }

  function memoryChanged(): void {
    const now = performance.now()
    const pause = memoryJsonCost / MAX_MEMORY_JSON_SHARE
    memoryJsonAt = now + Math.max(timing.memoryJsonMs, pause)
    memoryJsonBy = Math.min(memoryJsonBy, now + Math.max(timing.maxMemoryJsonMs, pause))
  }

  return {
    async step(hurry) {
      const followed = await stepFollow(hurry || checks.hurried)
      if (performance.now() >= Math.min(memoryJsonAt, memoryJsonBy)) await writeMemoryJson(false)
      const worked = (await stepPass()) || (await stepWalk()) || (await stepLook())
      if (findings.blocked) retryAt = Math.min(retryAt, performance.now() + retryMs)
      return followed || worked
    },
    get gathering() {
      return gathered !== undefined
    },
    get nextAt() {
      return Math.min(
        look === undefined ? lookAt : lookOnAt,
        retryAt,
        memoryJsonAt,
        memoryJsonBy,
        gathered?.at ?? Number.POSITIVE_INFINITY,
      )
    },
    lookNow() {
      lookAt = 0
      lookOnAt = 0
    },
    async finishMemoryJson() {
      if (memoryJsonAt !== Number.POSITIVE_INFINITY) await writeMemoryJson(false)
    },
    async close() {
      for (const work of [walk, look, pass]) await work?.return()
    },
  }
}
