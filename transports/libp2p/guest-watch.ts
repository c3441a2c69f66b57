import type { Libp2pLimits } from './limits.ts'

/** Cuts a guest that idles, or that has been one for too long. */
export class GuestWatch {
  readonly #idle: NodeJS.Timeout
  readonly #lifetime: NodeJS.Timeout

  /** @param cut called once at most, with the reason */
  constructor(limits: Pick<Libp2pLimits, 'guestIdleMs' | 'guestLifetimeMs'>, cut: (reason: string) => void) {
    const over = (reason: string) => () => {
      this.stop()
      cut(reason)
    }
    this.#idle = setTimeout(over(`the guest was idle for ${limits.guestIdleMs} ms`), limits.guestIdleMs)
    this.#lifetime = setTimeout(over(`no member after ${limits.guestLifetimeMs} ms`), limits.guestLifetimeMs)
    this.#idle.unref()
    this.#lifetime.unref()
  }

  /** The guest did something: its idle time starts anew. */
  touch(): void {
    this.#idle.refresh()
  }

  stop(): void {
    clearTimeout(this.#idle)
    clearTimeout(this.#lifetime)
  }
}
