import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/** What a process did between two calls. Times in milliseconds. */
export interface VitalSigns {
  /** CPU used, worker threads included. */
  readonly cpu: number
  /** How late the event loop was, looked at every millisecond: 99 looks of 100 found less. */
  readonly stallP99: number
  /** The longest that the event loop stood still. */
  readonly stallLongest: number
  /** Memory of the process at the end, what is outside the JavaScript heap included; bytes. */
  readonly rss: number
}

/** Milliseconds between two looks at the event loop. */
const LOOK_MS = 1

/** A process is calm when so many looks in a row find it using less than this share of a core. */
const CALM_LOOKS = 3
const CALM_MS = 30
const CALM_SHARE = 0.1
const LONGEST_SETTLING_MS = 20_000

/** Watches the process that it is in. */
export class Vitals {
  readonly #loop = monitorEventLoopDelay({ resolution: LOOK_MS })
  #cpu = process.cpuUsage()

  async begin(): Promise<void> {
    this.#loop.enable()
    this.#loop.reset()
    // The first interval after a reset is not counted: a stall in it would be missed.
    await this.#look()
    this.#cpu = process.cpuUsage()
  }

  /** Waits until this process has next to nothing to do, such as a database that is tidying up; not for ever. */
  async settle(): Promise<void> {
    for (let looks = 0, calm = 0; looks < LONGEST_SETTLING_MS / CALM_MS && calm < CALM_LOOKS; looks++) {
      const before = process.cpuUsage()
      await delay(CALM_MS)
      const { user, system } = process.cpuUsage(before)
      calm = user + system < CALM_MS * 1_000 * CALM_SHARE ? calm + 1 : 0
    }
  }

  async end(): Promise<VitalSigns> {
    const { user, system } = process.cpuUsage(this.#cpu)
    // A stall that has just ended is counted by the look that it kept waiting.
    await this.#look()
    this.#loop.disable()
    // What is counted are the times between two looks.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - LOOK_MS)
    return {
      cpu: (user + system) / 1_000,
      stallP99: late(this.#loop.percentile(99)),
      stallLongest: late(this.#loop.max),
      rss: process.memoryUsage.rss(),
    }
  }

  async #look(): Promise<void> {
    for (const { count } = this.#loop; this.#loop.count <= count; ) await delay(LOOK_MS)
  }
}
