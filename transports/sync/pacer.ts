import { setImmediate } from 'node:timers/promises'

/** How long work goes on before the event loop gets a turn, in milliseconds. */
const SLICE_MS = 5

/**
 * For loops that may be long: awaited in each round, it gives the event loop a turn every few milliseconds, so that an
 * API that the same process serves goes on answering.
 */
export function createPacer(): () => Promise<void> {
  let began = performance.now()
  return async () => {
    if (performance.now() - began < SLICE_MS) return
    await setImmediate()
    began = performance.now()
  }
}
