import type { Logger } from 'pino'
import { MeshError } from '../../crdt/errors.ts'
import type { Finding } from '../../transports/mesh.ts'
import { createExporter, type Exporter, type FileSource } from './exporter.ts'
import { dropFilesIndex, type FilesIndex, isDamage, openFilesIndex } from './files-index.ts'
import { createFindings } from './findings.ts'
import { createGuardedFolder } from './guarded-folder.ts'
import { createMemoryJson, type MemoryJson } from './memory-json.ts'

export interface FileViewComponents {
  readonly store: FileSource
  readonly log: Logger
}

export interface FileViewInit {
  /** The folder that agents read, absolute. It is made if its parent exists. */
  readonly meshDir: string
  /** Absolute path of `mesh-memory.json`. */
  readonly memoryJsonPath: string
  /** Folder of the view's own database, absolute; all in it can be made again. */
  readonly indexPath: string
  readonly memoryJson: boolean
  /** Whether skills are also written as `skills/<name>.md`. */
  readonly flatSkills: boolean
  readonly timing?: Partial<FileViewTiming>
}

/** In milliseconds. */
export interface FileViewTiming {
  /** Between looks at all files for what somebody changed or removed. */
  readonly auditMs: number
  /** Before what could not be written is tried again; twice as long after each failure, up to {@link maxRetryMs}. */
  readonly retryMs: number
  readonly maxRetryMs: number
  /** How long there must be no new memory before `mesh-memory.json` is written, and how long that may be put off. */
  readonly memoryJsonMs: number
  readonly maxMemoryJsonMs: number
}

/** The mesh as files, one way. What goes wrong with files is a finding, and never stops the daemon. */
export interface FileView {
  /** Begins to follow the replica; what was missed is caught up with afterwards. @throws {MeshError} `STOPPING` */
  start(): Promise<void>
  /** Ends after the group of files in work. Idempotent, also before {@link start}. */
  stop(): Promise<void>
  findings(): Finding[]
  /** Looks at all files now, so that {@link findings} is up to date. @throws {MeshError} `STOPPING` */
  check(): Promise<void>
  /**
   * Resolves when the files show every commit up to a feed position; what could not be written stands in
   * {@link findings} then. @throws {MeshError} `STOPPING`
   */
  settled(position: number): Promise<void>
}

export const DEFAULT_TIMING: FileViewTiming = {
  auditMs: 60_000,
  retryMs: 1_000,
  maxRetryMs: 60_000,
  memoryJsonMs: 500,
  maxMemoryJsonMs: 5_000,
}

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
      const start = performance.now()
      await pass(exporter.audit, memoryJson)
      const end = performance.now()
      auditAt = end + Math.max(timing.auditMs, (end - start) / MAX_AUDIT_SHARE)
      for (const check of checks.splice(0)) check.resolve()
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
      try {
        session ??= await openSession()
        if (await step(session)) continue
        await caughtUp(session)
      } catch (error) {
        if (stopping.signal.aborted) break
        await stall(error)
      }
      await idle()
    }
  }

  async function caughtUp({ exporter, memoryJson }: Session): Promise<void> {
    stalled = false
    stallMs = timing.retryMs
    findings.stalled(undefined)
    sayTooManySkills()
    if (findings.blocked) retryAt = Math.min(retryAt, performance.now() + retryMs)
    const position = exporter.position ?? 0
    if (!waiters.some((waiter) => waiter.position <= position)) return
    if (memoryJsonAt !== Number.POSITIVE_INFINITY) await writeMemoryJson(memoryJson, false)
    settle(position)
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
      const error = new MeshError('STOPPING', 'the file view was stopped')
      for (const waiter of [...waiters.splice(0), ...checks.splice(0)]) waiter.reject(error)
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
