interface Waiter extends PromiseWithResolvers<void> {
  readonly position: number
}

/** Those who wait until something has come to a position. */
export interface Waiters {
  readonly size: number
  /** Resolves with the first {@link settle} of this position or a later one. @throws the signal's reason */
  wait(position: number, signal?: AbortSignal): Promise<void>
  settle(position: number): void
  rejectAll(error: Error): void
}

export function createWaiters(): Waiters {
  const waiters = new Set<Waiter>()
  return {
    get size() {
      return waiters.size
    },
    async wait(position, signal) {
      signal?.throwIfAborted()
      const waiter = { position, ...Promise.withResolvers<void>() }
      const giveUp = () => waiter.reject(signal?.reason)
      signal?.addEventListener('abort', giveUp)
      waiters.add(waiter)
      try {
        await waiter.promise
      } finally {
        waiters.delete(waiter)
        signal?.removeEventListener('abort', giveUp)
      }
    },
    settle(position) {
      for (const waiter of waiters) if (waiter.position <= position) waiter.resolve()
    },
    rejectAll(error) {
      for (const waiter of waiters) waiter.reject(error)
    },
  }
}
