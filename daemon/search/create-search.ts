import { setTimeout } from 'node:timers/promises'
import { MeshError } from '../../crdt/errors.ts'
import { answer, checkLimit } from './answer.ts'
import { bootId } from './boot-id.ts'
import { BATCH_ROWS, fill, followSome } from './feeder.ts'
import { createSearchFindings } from './findings.ts'
import type { IndexState } from './index-file.ts'
import { IndexFailure, type IndexThread, startIndexThread } from './index-thread.ts'
import { parseQuery } from './query.ts'
import { DEFAULT_TIMING, type Search, type SearchComponents, type SearchInit, type SearchResult } from './search.ts'
import { createWaiters } from './waiters.ts'

/** How long a query waits for the first entries of an index that is being made: after a first start, moments. */
const FIRST_ENTRIES_MS = 2_000
/** Following commits takes at most this share of the time while there are always more. */
const MAX_FOLLOW_SHARE = 0.1
/** Queries that wait for the index at once; each takes some milliseconds. */
const MAX_WAITING = 100

/** Touches nothing until it is started. */
export function createSearch({ store, log, now }: SearchComponents, init: SearchInit): Search {
  const timing = { ...DEFAULT_TIMING, ...init.timing }
  const boot = bootId()
  const findings = createSearchFindings(init.path, log)
  const stopping = new AbortController()
  /** Resolves when it is known whether there is an index to ask. */
  const opened = Promise.withResolvers<void>()
  /** Resolves when there is something to be found, or nothing that could be. */
  const anything = Promise.withResolvers<void>()
  const caughtUp = createWaiters()
  const rebuilt = createWaiters()
  let loop: Promise<void> | undefined
  let thread: IndexThread | undefined
  let state: IndexState | undefined
  let progress: { done: number; total: number } | undefined
  /** What there is must be thrown away. Counted, so that a rebuild under way knows of a later wish. */
  let wishes = 0
  let granted = 0
  let stalled = false
  let waiting = 0
  /** When commits that gather are due, and when to try again after a failure, on the clock of `performance.now()`. */
  let dueAt: number | undefined
  /** Position of the replica when commits last began to gather, and when there have been pauses enough. */
  let gathered = 0
  let restUntil = 0
  let resumeAt = 0
  let retryMs = timing.retryMs
  let wake = Promise.withResolvers<void>()

  const isUnusable = ({ position }: IndexState) =>
    position !== undefined && (position < store.horizon || position > store.position)

  async function open(): Promise<IndexThread> {
    if (thread === undefined || thread.hasEnded) thread = startIndexThread()
    const asked = wishes
    // From now on queries may meet an index in which nothing is yet.
    state = undefined
    const { renewed, ...found } = await thread.call('open', {
      path: init.path,
      basis: store.databaseId,
      boot,
      fresh: asked > granted,
    })
    granted = asked
    state = found
    if (!isEmpty()) anything.resolve()
    if (renewed === 'damaged') findings.damaged()
    if (isUnusable(found)) {
      wishes++
      return open()
    }
    opened.resolve()
    return thread
  }

  /** One step towards an index that holds everything. Returns whether there was anything to do. */
  async function step(): Promise<boolean> {
    const usable = state !== undefined && thread?.hasEnded === false && wishes === granted && !isUnusable(state)
    if (state !== undefined && isUnusable(state)) wishes++
    const running = usable && thread !== undefined ? thread : await open()
    const components = { store, thread: running, onUnreadable: findings.unreadable }
    if (state?.position === undefined) return rebuild(components)
    if (!isDue(state.position)) return false
    dueAt = undefined
    const began = performance.now()
    state = (await followSome(components, state.position)) ?? state
    const took = performance.now() - began
    restUntil = performance.now() + Math.min(took * (1 / MAX_FOLLOW_SHARE - 1), timing.maxRestMs)
    return true
  }

  async function rebuild(components: Parameters<typeof fill>[0]): Promise<boolean> {
    const wish = granted
    const { memory, skills } = store.counts()
    progress = { done: 0, total: memory + skills }
    findings.beginRebuild()
    const began = performance.now()
    try {
      const filled = await fill(components, (reached) => {
        state = reached
        if (!isEmpty()) anything.resolve()
        progress = { done: reached.entries, total: Math.max(reached.entries, memory + skills) }
        return !stopping.signal.aborted && wishes === wish
      })
      if (filled === undefined) return true
      state = filled
      anything.resolve()
      log.info({ entries: filled.entries, ms: Math.round(performance.now() - began) }, 'the search index is made')
      rebuilt.settle(wish)
      return true
    } finally {
      progress = undefined
    }
  }

  /**
   * Commits gather for a moment, so that an entry that is written often is indexed once. While more keep coming there are
   * pauses, which end when they do: who writes and reads goes first.
   */
  function isDue(position: number): boolean {
    const behind = store.position - position
    if (behind <= 0) {
      dueAt = undefined
      return false
    }
    const now = performance.now()
    if (caughtUp.size > 0) return true
    if (dueAt === undefined) gather(now)
    if (now < restUntil) {
      if (dueAt === undefined || now < dueAt) return false
      if (store.position === gathered) return true
      gather(now)
      return false
    }
    return behind >= BATCH_ROWS || (dueAt !== undefined && now >= dueAt)
  }

  function gather(now: number): void {
    dueAt = now + timing.followMs
    gathered = store.position
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      stalled = false
      try {
        const worked = await step()
        if (state?.position !== undefined) caughtUp.settle(state.position)
        if (worked) continue
        retryMs = timing.retryMs
        findings.stalled(undefined)
      } catch (error) {
        if (stopping.signal.aborted) break
        stall(error)
      }
      await idle()
    }
  }

  function stall(error: unknown): void {
    if (error instanceof IndexFailure && error.isDamage) damaged()
    else findings.stalled(error)
    stalled = true
    opened.resolve()
    // What a rebuild that failed has left is of no use: what is deleted before the next one begins would stay in it.
    if (state !== undefined && state.position === undefined) wishes++
    resumeAt = performance.now() + retryMs
    retryMs = Math.min(retryMs * 2, timing.maxRetryMs)
    wake = Promise.withResolvers()
  }

  function damaged(): void {
    if (wishes > granted) return
    findings.damaged()
    wishes++
    wake.resolve()
  }

  async function idle(): Promise<void> {
    const next = stalled ? resumeAt : dueAt
    const timer =
      next === undefined
        ? undefined
        : globalThis.setTimeout(() => wake.resolve(), Math.max(0, next - performance.now()))
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers()
  }

  async function follow(): Promise<void> {
    // While nothing can be done, or commits are gathering anyway, one more is no reason to wake.
    const unsubscribe = store.onCommit(() => {
      if (!stalled && (dueAt === undefined || isDue(state?.position ?? 0))) wake.resolve()
    })
    try {
      await run()
    } finally {
      unsubscribe()
      if (thread?.hasEnded === false) {
        await thread.call('close').catch((err: unknown) => log.warn({ err }, 'the search index did not close'))
        await thread.end()
      }
    }
  }

  function throwIfStopping(): void {
    if (stopping.signal.aborted) throw new MeshError('STOPPING', 'the search is stopping')
  }

  /** Whether nothing is indexed yet, though there may be something. */
  const isEmpty = () => state === undefined || (state.position === undefined && state.entries === 0)

  function notReady(cause?: unknown): MeshError {
    return new MeshError('SEARCH_NOT_READY', 'the search index is being made', {
      hint: 'try again in a moment; mesh doctor says how far it is, or what is in its way',
      ...(cause === undefined ? {} : { cause }),
    })
  }

  async function ask(query: Parameters<Search['search']>[0]): Promise<SearchResult> {
    const parsed = parseQuery(query.text)
    checkLimit(query.limit)
    await opened.promise
    throwIfStopping()
    if (isEmpty()) {
      const ended = new AbortController()
      const tooLong = setTimeout(FIRST_ENTRIES_MS, undefined, { signal: ended.signal, ref: false }).catch(() => {})
      await Promise.race([anything.promise, tooLong])
      ended.abort()
      throwIfStopping()
    }
    const asked = state
    if (thread === undefined || asked === undefined || isEmpty()) throw notReady()
    try {
      const hits = await answer({ store, now }, thread, { query, parsed })
      return { hits, isComplete: asked.position !== undefined, position: asked.position ?? 0 }
    } catch (error) {
      if (!(error instanceof IndexFailure)) throw error
      if (error.isDamage) damaged()
      throw notReady(error)
    }
  }

  return {
    async start() {
      throwIfStopping()
      loop ??= follow()
    },
    async stop() {
      stopping.abort()
      wake.resolve()
      opened.resolve()
      anything.resolve()
      await loop
      const error = new MeshError('STOPPING', 'the search was stopped')
      caughtUp.rejectAll(error)
      rebuilt.rejectAll(error)
    },
    async search(query, { signal } = {}) {
      throwIfStopping()
      signal?.throwIfAborted()
      if (waiting >= MAX_WAITING) {
        throw new MeshError('TOO_MANY_REQUESTS', `${MAX_WAITING} searches are waiting`, {
          hint: 'try again in a moment',
        })
      }
      waiting++
      try {
        const result = await ask(query)
        signal?.throwIfAborted()
        return result
      } finally {
        waiting--
      }
    },
    status: () => ({
      state: stalled ? 'stalled' : state?.position === undefined ? 'rebuilding' : 'following',
      position: state?.position ?? 0,
      entries: state?.entries ?? 0,
      bytes: state?.bytes ?? 0,
      ...(progress && { progress }),
    }),
    findings: () => findings.list(progress),
    async caughtUp(position, { signal } = {}) {
      throwIfStopping()
      if (state?.position !== undefined && state.position >= position) return
      const settled = caughtUp.wait(position, signal)
      wake.resolve()
      await settled
    },
    async rebuild() {
      throwIfStopping()
      const done = rebuilt.wait(++wishes)
      wake.resolve()
      await done
    },
  }
}
