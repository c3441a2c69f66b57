/** Waiting times that double from `minMs` to `maxMs`, each a quarter shorter to a quarter longer, so that machines that
 * lost each other at the same moment do not come back at the same moments for ever. */
export class Backoff {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #tries = 0

  constructor(minMs: number, maxMs: number, random: () => number) {
    this.#minMs = minMs
    this.#maxMs = maxMs
    this.#random = random
  }

  /** How many waiting times were given since the last reset. */
  get tries(): number {
    return this.#tries
  }

  /** The next waiting time in ms. */
  next(): number {
    const middle = Math.min(this.#maxMs, this.#minMs * 2 ** this.#tries)
    this.#tries += 1
    return middle * (0.75 + 0.5 * this.#random())
  }

  reset(): void {
    this.#tries = 0
  }
}
