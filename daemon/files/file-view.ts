import { MeshError } from '../../crdt/errors.ts'
import { createExporter, type Exporter } from './exporter.ts'
import { dropFilesIndex, type FilesIndex, isDamage, openFilesIndex } from './files-index.ts'
import { createFindings } from './findings.ts'
import { createGuardedFolder } from './guarded-folder.ts'
import { createMemoryJson, type MemoryJson } from './memory-json.ts'
import { DEFAULT_TIMING, type FileView, type FileViewComponents, type FileViewInit } from './view.ts'

/** Looking at files takes at most this share of the time, however many there are. */
const MAX_AUDIT_SHARE = 0.01
/** OpenClaw takes at most so many skills of a folder (`skills.limits.maxSkillsLoadedPerSource`). */
const OPENCLAW_MAX_SKILLS = 200

/** What works on one opened index. */
interface Session {
  readonly index: FilesIndex
  readonly exporter: Exporter
  readonly memoryJson: MemoryJson | undefined
}

interface Waiter extends PromiseWithResolvers<void> {
  readonly position: number
}

/** Touches nothing until it is started. */
export function createFileView({ store, log }: FileViewComponents, init: FileViewInit): FileView {
  const timing = { ...DEFAULT_TIMING, ...init.timing }
  const findings = createFindings(init.meshDir, log)
  const folder = createGuardedFolder({ root: init.meshDir, owned: true })
  const stopping = new AbortController()
  let loop: Promise<void> | undefined
  let session: Session | undefined
  let stalled = false
  let wake = Promise.withResolvers<void>()
  let waiters: Waiter[] = []
  const checks: PromiseWithResolvers<void>[] = []
  // When what is due, on the clock of `performance.now()`.
  let auditAt = 0
  let retryAt = Number.POSITIVE_INFINITY
  let retryMs = timing.retryMs
  let resumeAt = 0
  let stallMs = timing.retryMs
  let memoryJsonAt = Number.POSITIVE_INFINITY
  let memoryJsonBy = Number.POSITIVE_INFINITY

  async function openSession(): Promise<Session> {
    const index = await openFilesIndex(init.indexPath)
    try {
      for await (const [unit, noted] of index.notes()) findings.note(unit, noted)
      const { signal } = stopping
      const components = { store, index, folder, findings, signal, log }
      const exporter = await createExporter(components, { flatSkills: init.flatSkills })
      const memoryJson = init.memoryJson ? createMemoryJson(components, init.memoryJsonPath) : undefined
      return { index, exporter, memoryJson }
    } catch (error) {
      await index.close()
      throw error
    }
  }

  /** Does the one thing that is most due. Returns whether there was any. */
  async function step({ exporter, memoryJson }: Session): Promise<boolean> {
    if (exporter.position === undefined) {
      await exporter.walk()
      memoryChanged()
      return true
    }
    if (performance.now() >= auditAt) {
      await audit(exporter, memoryJson)
      return true
    }
    if (performance.now() >= retryAt) {
      await pass(exporter.retry, memoryJson)
      return true
    }
    if (performance.now() >= Math.min(memoryJsonAt, memoryJsonBy)) {
      await writeMemoryJson(memoryJson, false)
      return true
    }
    const followed = await exporter.follow()
    if (followed === undefined) return false
    if (followed.memory) memoryChanged()
    return true
  }

  async function audit(exporter: Exporter, memoryJson: MemoryJson | undefined): Promise<void> {
    const start = performance.now()
    const asked = checks.splice(0)
    // Who asks from now on may mean a change that this audit has passed: it begins anew for them.
    auditAt = Number.POSITIVE_INFINITY
    try {
      await pass(exporter.audit, memoryJson)
    } catch (error) {
      auditAt = 0
      checks.push(...asked)
      throw error
    }
    const end = performance.now()
    auditAt = Math.min(auditAt, end + Math.max(timing.auditMs, (end - start) / MAX_AUDIT_SHARE))
    for (const check of asked) check.resolve()
  }

  /** Tries everything again that is not as it should be, and forgets findings that are over. */
  async function pass(work: () => Promise<void>, memoryJson: MemoryJson | undefined): Promise<void> {
    findings.beginPass()
    await work()
    await writeMemoryJson(memoryJson, true)
    findings.endPass()
    retryMs = findings.blocked ? Math.min(retryMs * 2, timing.maxRetryMs) : timing.retryMs
    retryAt = Number.POSITIVE_INFINITY
  }

  async function writeMemoryJson(memoryJson: MemoryJson | undefined, force: boolean): Promise<void> {
    await memoryJson?.write(force)
    memoryJsonAt = Number.POSITIVE_INFINITY
    memoryJsonBy = Number.POSITIVE_INFINITY
  }

  function memoryChanged(): void {
    const now = performance.now()
    memoryJsonAt = now + timing.memoryJsonMs
    memoryJsonBy = Math.min(memoryJsonBy, now + timing.maxMemoryJsonMs)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      stalled = false
      try {
        session ??= await openSession()
        const worked = await step(session)
        await answerWaiters(session)
        if (findings.blocked) retryAt = Math.min(retryAt, performance.now() + retryMs)
        if (worked) continue
        caughtUp()
      } catch (error) {
        if (!stopping.signal.aborted) await stall(error)
        if (stopping.signal.aborted) break
      }
      await idle()
    }
  }

  async function answerWaiters({ exporter: { position }, memoryJson }: Session): Promise<void> {
    if (position === undefined || !waiters.some((waiter) => waiter.position <= position)) return
    if (memoryJsonAt !== Number.POSITIVE_INFINITY) await writeMemoryJson(memoryJson, false)
    settle(position)
  }

  function caughtUp(): void {
    stallMs = timing.retryMs
    findings.stalled(undefined)
    sayTooManySkills()
  }

  /** Nothing can be done for now: says so, and tries again later from where it was. */
  async function stall(error: unknown): Promise<void> {
    stalled = true
    findings.stalled(error)
    const damaged = isDamage(error)
    // After a failed write LevelDB is not to be trusted before it is opened again.
    await closeSession()
    if (damaged) await dropFilesIndex(init.indexPath).catch((failure: unknown) => log.warn({ err: failure }, 'index'))
    resumeAt = performance.now() + stallMs
    stallMs = Math.min(stallMs * 2, timing.maxRetryMs)
    settle(store.position)
    for (const check of checks.splice(0)) check.resolve()
    // What came meanwhile is no reason to try again at once.
    wake = Promise.withResolvers()
  }

  function settle(position: number): void {
    for (const waiter of waiters) if (waiter.position <= position) waiter.resolve()
    waiters = waiters.filter((waiter) => waiter.position > position)
  }

  async function closeSession(): Promise<void> {
    const closing = session
    session = undefined
    await closing?.index.close().catch((err: unknown) => log.warn({ err }, 'the index of files did not close'))
  }

  async function idle(): Promise<void> {
    const next = stalled ? resumeAt : Math.min(auditAt, retryAt, memoryJsonAt, memoryJsonBy)
    // The longest that a timer takes.
    const timer = setTimeout(() => wake.resolve(), Math.min(Math.max(0, next - performance.now()), 2 ** 31 - 1))
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers()
  }

  function sayTooManySkills(): void {
    const { skills } = store.counts()
    findings.state(
      'files.skills-many',
      skills <= OPENCLAW_MAX_SKILLS
        ? undefined
        : {
            severity: 'info',
            message: `there are ${skills} skills, and OpenClaw takes ${OPENCLAW_MAX_SKILLS} of a folder unless told otherwise`,
            path: 'skills',
            fixHint: 'raise skills.limits.maxSkillsLoadedPerSource and maxCandidatesPerRoot in openclaw.json',
          },
    )
  }

  function throwIfStopping(): void {
    if (stopping.signal.aborted) throw new MeshError('STOPPING', 'the file view is stopping')
  }

  async function follow(): Promise<void> {
    // While nothing can be done a commit is no reason to try.
    const unsubscribe = store.onCommit(() => {
      if (!stalled) wake.resolve()
    })
    try {
      await run()
      if (session !== undefined && memoryJsonAt !== Number.POSITIVE_INFINITY) {
        await session.memoryJson
          ?.write(false)
          .catch((err: unknown) => log.warn({ err }, 'mesh-memory.json is not up to date'))
      }
    } finally {
      unsubscribe()
      await closeSession()
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
      await loop
      const error = new MeshError('STOPPING', 'the file view was stopped')
      for (const waiter of [...waiters.splice(0), ...checks.splice(0)]) waiter.reject(error)
    },
    findings: () => findings.list(),
    async check() {
      throwIfStopping()
      const check = Promise.withResolvers<void>()
      checks.push(check)
      auditAt = 0
      wake.resolve()
      await check.promise
    },
    async settled(position) {
      throwIfStopping()
      const waiter = { position, ...Promise.withResolvers<void>() }
      if (stalled && position <= store.position) return
      waiters.push(waiter)
      wake.resolve()
      await waiter.promise
    },
  }
}
