import { setTimeout } from 'node:timers/promises'
import { MeshError } from '../errors.ts'
import type { Signer } from '../signing.ts'
import { type AdoptionState, interruptedAdoption, runAdoption } from './adoption.ts'
import type { Database } from './database.ts'

/** Wait before an adoption is gone on with after a failed write, in milliseconds. */
const RETRY_MS = 1_000

/** The change of a replica's mesh: one at a time, and whoever wants to write meanwhile waits for it. */
export class MeshChange {
  readonly #database: Database
  readonly #signer: Signer
  #running: Promise<unknown> | undefined
  /** Why the one under way does not get on, while it does not; and what wakes those who wait for it then. */
  #stall: MeshError | undefined
  #stalled = Promise.withResolvers<void>()

  constructor(database: Database, signer: Signer) {
    this.#database = database
    this.#signer = signer
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /**
   * Waits a while for the one under way; whoever needs its end asks {@link isRunning} again.
   * @throws {MeshError} `STORAGE_FAILED` while it waits for the disk itself
   */
  async settled(): Promise<void> {
    if (this.#stall !== undefined) throw this.#stall
    await Promise.race([this.#running, this.#stalled.promise])
  }

  /** Runs `change` when no other is under way. It is to call {@link adopt}. */
  async run<T>(change: () => Promise<T>): Promise<T> {
    while (this.isRunning) await this.settled()
    const run = change()
    this.#running = run.catch(() => {})
    try {
      return await run
    } finally {
      this.#running = undefined
    }
  }

  /**
   * What has begun to change its mesh must not go on in the old one, half signed: where the disk fails in between, it
   * is gone on with when it takes data again.
   */
  async adopt(begin: AdoptionState, onBatch: (done: number) => void): ReturnType<typeof runAdoption> {
    for (let state = begin; ; ) {
      try {
        return await runAdoption(this.#database, this.#signer, state, (done) => {
          this.#stall = undefined
          onBatch(done)
        })
      } catch (error) {
        if (!isStorageFailure(error)) throw error
        state = await this.#resumed(begin.position, error)
      } finally {
        this.#stall = undefined
      }
    }
  }

  /** Where an adoption that met `error` stands, once it can go on. @throws `error` where nothing of it was written */
  async #resumed(position: number, error: MeshError): Promise<AdoptionState> {
    this.#stall = error
    this.#stalled.resolve()
    this.#stalled = Promise.withResolvers()
    for (;;) {
      await setTimeout(RETRY_MS)
      try {
        const state = await interruptedAdoption(this.#database, position)
        if (state === undefined) throw error
        return state
      } catch (failure) {
        // The database may be closed just then, to be opened again.
        if (failure === error || !isStorageFailure(failure)) throw failure
      }
    }
  }
}

function isStorageFailure(error: unknown): error is MeshError {
  return error instanceof MeshError && error.code === 'STORAGE_FAILED'
}
