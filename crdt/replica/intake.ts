import type { EntryId } from '../entry/index.ts'
import { MeshError } from '../errors.ts'
import { nextTurn } from '../turns.ts'
import type { Database } from './database.ts'
import type { Documents } from './documents.ts'
import type { KeptView } from './expiry.ts'
import { failed, merge, type VetTaskOptions, vetTask } from './foreign.ts'
import type { MeshChange } from './mesh-change.ts'
import type { OpenEntry } from './open-entry.ts'
import type { ApplyOutcome, Commit, Transfer } from './replica.ts'
import type { VetRules, Vetted } from './vet.ts'
import type { WorkerOutcome } from './worker.ts'
import { type DocumentWorkers, TASKS_PER_JOB } from './workers.ts'

export interface IntakeComponents {
  readonly database: Database
  readonly documents: Documents
  readonly workers: DocumentWorkers
  readonly meshChange: MeshChange
  /** Whose rules hold at this moment. */
  readonly rules: () => VetRules
  /** Commits an entry that goes from one version to its present one; resolves when that is durable. */
  readonly commit: (
    entry: OpenEntry,
    before: KeptView | undefined,
    news: Pick<Commit, 'changes' | 'signatures' | 'via'>,
  ) => Promise<number>
}

export interface IntakeOptions extends VetTaskOptions {
  /** The peer that they came through; undefined for this node itself. */
  readonly via: string | undefined
}

/** Takes in entries that were written elsewhere: vetted in a worker, merged in the entry's queue. */
export class Intake {
  readonly #components: IntakeComponents

  constructor(components: IntakeComponents) {
    this.#components = components
  }

  /** Outcomes come in the order of the transfers. @throws {MeshError} `STORAGE_FAILED` */
  async apply(transfers: readonly Transfer[], options: IntakeOptions): Promise<ApplyOutcome[]> {
    // What has been vetted is written while the rest is being vetted.
    const jobs: Promise<ApplyOutcome[]>[] = []
    for (let from = 0; from < transfers.length; from += TASKS_PER_JOB) {
      const job = this.#applySome(transfers.slice(from, from + TASKS_PER_JOB), options)
      job.catch(() => {}) // seen below, when all have begun
      jobs.push(job)
      // Reading what is here already of so many takes milliseconds: others have a turn in between.
      await nextTurn()
    }
    return (await Promise.all(jobs)).flat()
  }

  async #applySome(transfers: readonly Transfer[], options: IntakeOptions): Promise<ApplyOutcome[]> {
    const { workers, database, rules } = this.#components
    const { via } = options
    const judged = rules()
    const { meshId } = judged
    const tasks = await Promise.all(
      transfers.map((transfer) => vetTask(database, transfer, options).catch((error: unknown) => error)),
    )
    const sound = tasks.filter((task) => !(task instanceof Error)) as Awaited<ReturnType<typeof vetTask>>[]
    const outcomes = await workers.vet(sound, judged)
    // To open and merge so many takes milliseconds as well.
    await nextTurn()
    const verdicts = new Map(sound.map((task, i) => [task, outcomes[i] as WorkerOutcome]))
    return Promise.all(
      transfers.map(async ({ id }, i): Promise<ApplyOutcome> => {
        const task = tasks[i]
        if (task instanceof MeshError && task.code !== 'REPLICA_CLOSED') return failed(id, task.code, task.message)
        if (task instanceof Error) throw task
        const verdict = verdicts.get(task as (typeof sound)[number]) as WorkerOutcome
        if ('code' in verdict) return failed(id, verdict.code, verdict.message)
        return this.#take({ id, meshId, via }, verdict.vetted)
      }),
    )
  }

  async #take(
    { id, meshId, via }: { id: EntryId; meshId: string; via: string | undefined },
    vetted: Vetted,
  ): Promise<ApplyOutcome> {
    const { documents, meshChange, rules, commit } = this.#components
    while (meshChange.isRunning) await meshChange.settled()
    if (rules().meshId !== meshId) return failed(id, 'CHANGE_UNSIGNED', 'signed for the mesh that this node has left')
    try {
      const written = await documents.withEntry(id, (entry) => {
        const before = entry.view
        const news = merge(entry, vetted)
        return news === undefined ? undefined : { seq: commit(entry, before, { ...news, via }) }
      })
      await written?.seq
      return { id, outcome: written === undefined ? 'known' : 'applied' }
    } catch (error) {
      // What was sound over the stored version may not be over what was written since: one actor's number used twice.
      // And an entry that is damaged here keeps no other from being taken in.
      if (error instanceof MeshError && /^CHANGE_|^STORAGE_CORRUPT$/.test(error.code)) {
        return failed(id, error.code, error.message)
      }
      throw error
    }
  }
}
