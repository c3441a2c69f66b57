import { relative } from 'node:path'
import { MeshError } from '../../crdt/errors.ts'
import type { Finding } from '../../transports/mesh.ts'
import { createChecks } from './checks.ts'
import { createExporter, type Exporter } from './exporter.ts'
import { dropFilesIndex, type FilesIndex, isDamage, openFilesIndex } from './files-index.ts'
import { createFindings } from './findings.ts'
import { createGuardedFolder } from './guarded-folder.ts'
import { createMemoryJson } from './memory-json.ts'
import { createRounds, type Rounds } from './rounds.ts'
import { DEFAULT_TIMING, type FileView, type FileViewComponents, type FileViewInit } from './view.ts'

/** OpenClaw takes at most so many skills of a folder (`skills.limits.maxSkillsLoadedPerSource`). */
const OPENCLAW_MAX_SKILLS = 200

/** What works on one opened index. */
interface Session {
  readonly index: FilesIndex
  readonly exporter: Exporter
  readonly rounds: Rounds
}

interface Waiter extends PromiseWithResolvers<void> {
  readonly position: number
}

/** Touches nothing until it is started. */
export function createFileView({ store, log }: FileViewComponents, init: FileViewInit): FileView {
  const timing = { ...DEFAULT_TIMING, ...init.timing }
  const findings = createFindings(init.meshDir, log)
  const folder = createGuardedFolder({ root: init.meshDir, owned: true, onVanished })
  const stopping = new AbortController()
  let loop: Promise<void> | undefined
  let session: Session | undefined
  let stalled = false
  let wake = Promise.withResolvers<void>()
  let waiters: Waiter[] = []
  const checks = createChecks(findings, timing.maxCheckMs)
  /** When to try again after a stall, on the clock of `performance.now()`. */
  let resumeAt = 0
  let stallMs = timing.retryMs

  async function openSession(): Promise<Session> {
    const index = await openFilesIndex(init.indexPath)
    try {
      for await (const [unit, noted] of index.notes()) findings.note(unit, noted)
      const { signal } = stopping
      const components = { store, index, folder, findings, signal, log }
      const exporter = await createExporter(components, { flatSkills: init.flatSkills })
      const memoryJson = init.memoryJson ? createMemoryJson(components, init.memoryJsonPath) : undefined
      return { index, exporter, rounds: createRounds({ exporter, memoryJson, findings, checks }, timing) }
    } catch (error) {
      await index.close()
      throw error
    }
  }

  /** A folder was there and is not: what else was in it must be found gone now, not at the next look. */
  function onVanished(path: string): void {
    if (!relative(init.meshDir, path).startsWith('skills/')) session?.rounds.lookNow()
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      stalled = false
      try {
        session ??= await openSession()
        const worked = await session.rounds.step(waiters.length > 0)
        await answerWaiters(session)
        if (worked) continue
        if (!session.rounds.gathering) caughtUp()
      } catch (error) {
        if (!stopping.signal.aborted) await stall(error)
        if (stopping.signal.aborted) break
      }
      await idle()
    }
  }

  async function answerWaiters({ exporter: { position, walking }, rounds }: Session): Promise<void> {
    if (walking || !waiters.some((waiter) => waiter.position <= position)) return
    await rounds.finishMemoryJson()
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
    checks.end()
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
    const notClosed = (err: unknown) => log.warn({ err }, 'the index of files did not close')
    await closing?.rounds.close().catch(notClosed)
    await closing?.index.close().catch(notClosed)
  }

  async function idle(): Promise<void> {
    const next = stalled || session === undefined ? resumeAt : session.rounds.nextAt
    // The longest that a timer takes.
    const timer = setTimeout(() => wake.resolve(), Math.min(Math.max(0, next - performance.now()), 2 ** 31 - 1))
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers()
  }

  /** While entries are still to be looked at: a look at what there is would say nothing of them. */
  function stillWriting(): Finding[] {
    if (!session?.exporter.walking) return []
    const { memory, skills } = store.counts()
    const message = `the files are being written: ${session.exporter.walked} of ${memory + skills} entries so far`
    return [{ checkId: 'files.catching-up', severity: 'info', message, path: init.meshDir }]
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
    // While nothing can be done, or commits are gathering anyway, one more is no reason to try.
    const unsubscribe = store.onCommit(() => {
      if (!stalled && !session?.rounds.gathering) wake.resolve()
    })
    try {
      await run()
      await session?.rounds
        .finishMemoryJson()
        .catch((err: unknown) => log.warn({ err }, 'mesh-memory.json is not up to date'))
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
      for (const waiter of waiters.splice(0)) waiter.reject(error)
      checks.end(error)
    },
    findings: () => [...stillWriting(), ...findings.list()],
    async check() {
      throwIfStopping()
      const checked = checks.wait()
      session?.rounds.lookNow()
      wake.resolve()
      await checked
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
