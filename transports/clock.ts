/** The time that a part goes by; a test's own where it must be driven. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number
  /** Calls `run` once after so many milliseconds; does not keep the process alive. Returns the way to cancel. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: Date.now,
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
