import { nextTurn } from '../../crdt/turns.ts'
import type { Link } from './link.ts'

/** How long work goes on before the event loop gets a turn, in milliseconds. */
const SLICE_MS = 5
/** After how long the peer is told that this side is still at work, in milliseconds: well before it takes it for silent. */
const SIGN_OF_LIFE_MS = 10_000

/**
 * For loops that may be long: awaited in each round, it gives the event loop a turn every few milliseconds, so that an
 * API that the same process serves goes on answering.
 */
export function createPacer(): () => Promise<void> {
  let began = performance.now()
  return async () => {
    if (performance.now() - began < SLICE_MS) return
    await nextTurn()
    began = performance.now()
  }
}

/** As {@link createPacer}, for work that a peer waits for and that may take longer than it waits for one that is silent. */
export function createWorkPacer(link: Pick<Link, 'send'>): () => Promise<void> {
  const pause = createPacer()
  let told = performance.now()
  return async () => {
    await pause()
    if (performance.now() - told < SIGN_OF_LIFE_MS) return
    told = performance.now()
    await link.send({ type: 'busy' })
  }
}
