import { randomBytes } from 'node:crypto'

/** What a member says of itself when a connection begins. */
export interface Introduction {
  readonly name: string
  /** Version of its software, for people. */
  readonly version: string
  readonly database: string
  readonly addresses: readonly string[]
  /** Addresses of other members as it knows them. */
  readonly book: readonly (readonly [peer: string, addresses: readonly string[]])[]
}

/** Random for each start of a daemon: 16 hex characters. */
export const newBoot = () => randomBytes(8).toString('hex')

/** Starts remembered for a peer; a machine that restarts more often while we run loses only the proof of a clone. */
const REMEMBERED_BOOTS = 64

/**
 * Notices a cloned machine: two that run with one key. Each start of a daemon has its own random number, so a number
 * that comes back after another one was seen means that both run.
 */
export class CloneWatch {
  readonly #boots = new Map<string, string[]>()
  readonly #cloned = new Set<string>()

  /** Notes the boot that a peer speaks from. */
  note(peer: string, boot: string): void {
    const seen = this.#boots.get(peer) ?? []
    const at = seen.indexOf(boot)
    if (at >= 0 && at < seen.length - 1) this.#cloned.add(peer)
    if (at < 0) this.#boots.set(peer, [...seen, boot].slice(-REMEMBERED_BOOTS))
    else this.#boots.set(peer, [...seen.filter((one) => one !== boot), boot])
  }

  /** Whether two machines speak with this peer's key. */
  isCloned(peer: string): boolean {
    return this.#cloned.has(peer)
  }

  /** Forgets a peer that was removed or left. */
  forget(peer: string): void {
    this.#boots.delete(peer)
    this.#cloned.delete(peer)
  }
}
