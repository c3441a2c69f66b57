import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { MeshError } from '../errors.ts'
import type { VetRules, VetTask } from './vet.ts'
import type { WorkerJob, WorkerOutcome } from './worker.ts'

/** Limits of one job, watched from outside: a worker's own `resourceLimits` do not count WASM memory. */
export interface WorkerLimits {
  /** Longest time for a job, in milliseconds. The largest skill takes 1.5 s here; a NAS is several times slower. */
  readonly jobMs: number
  /** How much the process may grow while a job runs, in bytes. A bomb of 5 KB reached 1.7 GB. */
  readonly growthBytes: number
  /** How often growth is looked at, in milliseconds. */
  readonly watchMs: number
}

const LIMITS: WorkerLimits = { jobMs: 20_000, growthBytes: 512 * 1024 * 1024, watchMs: 20 }

/** Tasks of one job: enough to make the hop to the worker cheap, few enough that a suspect is found quickly. */
export const TASKS_PER_JOB = 64
const BYTES_PER_JOB = 1024 * 1024

/** JavaScript heap of a worker, in MB. */
const WORKER_HEAP_MB = 256

interface QueuedJob extends WorkerJob {
  /** Whether no other may run beside it: what the process grows by is then its doing. */
  readonly alone: boolean
  readonly resolve: (outcomes: WorkerOutcome[]) => void
}

/** A job at work, and how large the process was when it was first looked at: most are over before. */
interface WatchedJob {
  readonly began: number
  baseline: number | undefined
  readonly giveUp: () => void
}

/**
 * Opens foreign changes in worker threads, under limits. A worker that breaks one is ended and replaced, and its tasks
 * are tried again one by one, each with the machine to itself, so that only the guilty one is reported (`WORKER_LIMIT`).
 */
export class DocumentWorkers {
  readonly #limits: WorkerLimits
  readonly #size: number
  readonly #idle: Worker[] = []
  readonly #busy = new Set<Worker>()
  readonly #queue: QueuedJob[] = []
  readonly #watched = new Set<WatchedJob>()
  /** Runs while there are jobs at work, one for all. */
  #watch: NodeJS.Timeout | undefined
  #runsAlone = false
  #closed = false

  constructor(limits: Partial<WorkerLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits }
    // Two even on two cores: the main thread leaves most of its own idle, and verifying takes most of the time.
    this.#size = Math.max(2, Math.min(4, availableParallelism() - 1))
  }

  /** Vets tasks; outcomes come in the order of the tasks. Never rejects for what foreign bytes do. */
  async vet(tasks: readonly VetTask[], rules: VetRules): Promise<WorkerOutcome[]> {
    const jobs = split(tasks).map(async (some) => {
      const outcomes = await this.#enqueue({ tasks: some, rules }, false)
      return outcomes ?? this.#oneByOne(some, rules)
    })
    return (await Promise.all(jobs)).flat()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#idle.splice(0), ...this.#busy].map((worker) => worker.terminate()))
  }

  /** Resolves to undefined when a limit was broken. */
  async #enqueue(job: WorkerJob, alone: boolean): Promise<WorkerOutcome[] | undefined> {
    this.#checkOpen()
    const outcomes = await new Promise<WorkerOutcome[]>((resolve) => {
      this.#queue.push({ ...job, alone, resolve })
      this.#next()
    })
    if (outcomes.length === job.tasks.length) return outcomes
    this.#checkOpen()
    return undefined
  }

  #checkOpen(): void {
    if (this.#closed) throw new MeshError('REPLICA_CLOSED', 'the replica is closed')
  }

  #oneByOne(tasks: readonly VetTask[], rules: VetRules): Promise<WorkerOutcome[]> {
    const outcomes = tasks.map(async (task) => {
      const [outcome] = (await this.#enqueue({ tasks: [task], rules }, true)) ?? []
      return outcome ?? { code: 'WORKER_LIMIT', message: 'took too much time or memory to open' }
    })
    return Promise.all(outcomes)
  }

  #next(): void {
    if (this.#closed) for (const { resolve } of this.#queue.splice(0)) resolve([])
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      if (this.#runsAlone || this.#busy.size >= (job.alone ? 1 : this.#size)) return
      this.#queue.shift()
      this.#runsAlone = job.alone
      void this.#run(this.#idle.pop() ?? startWorker(), job)
    }
  }

  async #run(worker: Worker, job: QueuedJob): Promise<void> {
    this.#busy.add(worker)
    const outcomes = await this.#guarded(worker, job)
    // What it took is given back before the next one begins.
    if (outcomes === undefined || this.#closed) await worker.terminate()
    else this.#idle.push(worker)
    this.#busy.delete(worker)
    if (job.alone) this.#runsAlone = false
    job.resolve(outcomes ?? [])
    this.#next()
  }

  /** Runs a job; undefined when the worker broke a limit or died, and must be replaced. */
  #guarded(worker: Worker, { tasks, rules }: QueuedJob): Promise<WorkerOutcome[] | undefined> {
    const { promise, resolve } = Promise.withResolvers<WorkerOutcome[] | undefined>()
    const died = () => resolve(undefined)
    const watched = this.#watchJob(died)
    worker.once('message', resolve).once('error', died).once('exit', died)
    worker.postMessage({ tasks, rules } satisfies WorkerJob)
    return promise.finally(() => {
      this.#watched.delete(watched)
      worker.off('message', resolve).off('error', died).off('exit', died)
    })
  }

  #watchJob(giveUp: () => void): WatchedJob {
    this.#watch ??= setInterval(() => this.#look(), this.#limits.watchMs)
    const watched = { began: performance.now(), baseline: undefined, giveUp }
    this.#watched.add(watched)
    return watched
  }

  #look(): void {
    if (this.#watched.size === 0) {
      clearInterval(this.#watch)
      this.#watch = undefined
      return
    }
    const rss = process.memoryUsage.rss()
    const now = performance.now()
    for (const job of this.#watched) {
      job.baseline ??= rss
      if (rss - job.baseline > this.#limits.growthBytes || now - job.began > this.#limits.jobMs) job.giveUp()
    }
  }
}

function startWorker(): Worker {
  // `.ts` when run from source, `.js` when built.
  const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
  const worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB } })
  // An idle worker does not keep the process alive; an error outside a job would otherwise be uncaught.
  worker.unref()
  worker.on('error', () => {})
  return worker
}

function split(tasks: readonly VetTask[]): VetTask[][] {
  const jobs: VetTask[][] = []
  let bytes = 0
  for (const task of tasks) {
    const size = task.chunks.reduce((sum, chunk) => sum + chunk.length, task.base?.length ?? 0)
    const current = jobs.at(-1)
    if (current === undefined || current.length >= TASKS_PER_JOB || bytes + size > BYTES_PER_JOB) {
      jobs.push([task])
      bytes = size
    } else {
      current.push(task)
      bytes += size
    }
  }
  return jobs
}
