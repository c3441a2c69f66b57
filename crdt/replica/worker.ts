import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { MeshError } from '../errors.ts'
import { Guards } from './secrets.ts'
import { createJudge, type Judge, type VetRules, type VetTask, type Vetted, vet } from './vet.ts'

/** What `workers.ts` sends to a worker. A worker that meets an error outside the bytes' fault ends, and is replaced. */
export interface WorkerJob {
  readonly tasks: readonly VetTask[]
  readonly rules: VetRules
}

/** The outcome of one task, in the order of the job's tasks. */
export type WorkerOutcome = { readonly vetted: Vetted } | { readonly code: string; readonly message: string }

// The thread that serves goes first where all cores are busy: with 5 it stands still nearly twice as long. Elsewhere
// than on Linux this would be for the whole process.
if (process.platform === 'linux') setPriority(10)

const guards = new Guards()

parentPort?.on('message', (job: WorkerJob) => {
  const judge = createJudge(job.rules, guards.for(job.rules.secrets))
  parentPort?.postMessage(job.tasks.map((task) => outcome(task, judge)))
})

function outcome(task: VetTask, judge: Judge): WorkerOutcome {
  try {
    return { vetted: vet(task, judge) }
  } catch (error) {
    if (!(error instanceof MeshError) || isTrap(error.cause)) throw error
    return { code: error.code, message: error.message }
  }
}

/** Automerge refuses bytes with a RangeError. Anything else is a WASM module that no later call can use. */
function isTrap(cause: unknown): boolean {
  return cause !== undefined && !(cause instanceof RangeError)
}
