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

const LIMITS: WorkerLimits = { jobMs: 20_000, growthBytes: 512 * 1024 * 1024, watchMs: 10 }

/** Tasks of one job: enough to make the hop to the worker cheap, few enough that a suspect is found quickly. */
const TASKS_PER_JOB = 64
const BYTES_PER_JOB = 1024 * 1024

/** JavaScript heap of a worker, in MB. */
const WORKER_HEAP_MB = 256

interface QueuedJob extends WorkerJob {
  readonly resolve: (outcomes: WorkerOutcome[]) => void
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
  #alone: Promise<void> = Promise.resolve()
  #closed = false

  constructor(limits: Partial<WorkerLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits }
    this.#size = Math.max(1, Math.min(4, availableParallelism() - 1))
  }

  /** Vets tasks; outcomes come in the order of the tasks. Never rejects for what foreign bytes do. */
  async vet(tasks: readonly VetTask[], rules: VetRules): Promise<WorkerOutcome[]> {
    const jobs = split(tasks).map(async (some) => {
      const outcomes = await this.#enqueue({ tasks: some, rules })
      return outcomes ?? this.#oneByOne(some, rules)
    })
    return (await Promise.all(jobs)).flat()
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#idle.splice(0), ...this.#busy].map((worker) => worker.terminate()))
  }

  /** Resolves to undefined when a limit was broken. */
  async #enqueue(job: WorkerJob): Promise<WorkerOutcome[] | undefined> {
    if (this.#closed) throw new MeshError('REPLICA_CLOSED', 'the replica is closed')
    const outcomes = await new Promise<WorkerOutcome[]>((resolve) => {
      this.#queue.push({ ...job, resolve })
      this.#next()
    })
    return outcomes.length === job.tasks.length ? outcomes : undefined
  }

  async #oneByOne(tasks: readonly VetTask[], rules: VetRules): Promise<WorkerOutcome[]> {
    const before = this.#alone
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#alone = promise
    await before
    try {
      const outcomes: WorkerOutcome[] = []
      for (const task of tasks) {
        const [outcome] = (await this.#enqueue({ tasks: [task], rules })) ?? []
        outcomes.push(outcome ?? { code: 'WORKER_LIMIT', message: 'took too much time or memory to open' })
      }
      return outcomes
    } finally {
      resolve()
    }
  }

  #next(): void {
    if (this.#closed) for (const { resolve } of this.#queue.splice(0)) resolve([])
    if (this.#busy.size >= this.#size) return
    const job = this.#queue.shift()
    if (job === undefined) return
    void this.#run(this.#idle.pop() ?? startWorker(), job)
  }

  async #run(worker: Worker, job: QueuedJob): Promise<void> {
    this.#busy.add(worker)
    const outcomes = await this.#guarded(worker, job)
    this.#busy.delete(worker)
    if (outcomes === undefined || this.#closed) await worker.terminate()
    else this.#idle.push(worker)
    job.resolve(outcomes ?? [])
    this.#next()
  }

  /** Runs a job; undefined when the worker broke a limit or died, and must be replaced. */
  #guarded(worker: Worker, { tasks, rules }: QueuedJob): Promise<WorkerOutcome[] | undefined> {
    const { promise, resolve } = Promise.withResolvers<WorkerOutcome[] | undefined>()
    const began = performance.now()
    const baseline = process.memoryUsage.rss()
    const watch = setInterval(() => {
      const grown = process.memoryUsage.rss() - baseline
      if (grown > this.#limits.growthBytes || performance.now() - began > this.#limits.jobMs) resolve(undefined)
    }, this.#limits.watchMs)
    const died = () => resolve(undefined)
    worker.once('message', resolve).once('error', died).once('exit', died)
    worker.postMessage({ tasks, rules } satisfies WorkerJob)
    return promise.finally(() => {
      clearInterval(watch)
      worker.off('message', resolve).off('error', died).off('exit', died)
    })
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
    const size = task.changes.reduce((sum, change) => sum + change.length, task.base?.length ?? 0)
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
