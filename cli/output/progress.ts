import type { Progress } from '../../transports/mesh.ts'
import { escapeLine } from './escape.ts'
import { shorten } from './width.ts'
import { shortPeer } from './words.ts'

/** Two redraws are at least this many milliseconds apart: faster is not seen, and costs a write each. */
const REDRAW_MS = 60
const CLEAR = '\r\u001b[2K'

/** One line on a terminal that is drawn over and over, and leaves nothing behind. */
export interface ProgressLine {
  show(progress: Progress): void
  /** Wipes the line. Call before anything else is written to the same terminal. */
  clear(): void
}

export interface ProgressLineInit {
  readonly write: (text: string) => void
  /** False where nobody watches: then nothing is ever written. */
  readonly enabled: boolean
  readonly width: () => number
  /** Milliseconds, monotonic. */
  readonly clock: () => number
}

/** Makes the progress line of one stream. */
export function createProgressLine({ write, enabled, width, clock }: ProgressLineInit): ProgressLine {
  let drawnAt = Number.NEGATIVE_INFINITY
  let drawn = false
  let phase = ''
  return {
    show(progress) {
      if (!enabled) return
      const now = clock()
      if (progress.phase === phase && now - drawnAt < REDRAW_MS) return
      drawnAt = now
      phase = progress.phase
      drawn = true
      write(CLEAR + shorten(describeProgress(progress), width() - 1))
    },
    clear() {
      if (!drawn) return
      drawn = false
      write(CLEAR)
    },
  }
}

/** `reconcile sec 120 of 4,000`, `dial`. */
export function describeProgress({ phase, peer, done, total }: Progress): string {
  const words = [phase.replaceAll('-', ' ')]
  if (peer !== undefined) words.push(peer.startsWith('12D3KooW') ? shortPeer(peer) : peer)
  if (total !== undefined) words.push(`${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`)
  else if (done > 0) words.push(done.toLocaleString('en-US'))
  return escapeLine(words.join(' '))
}
