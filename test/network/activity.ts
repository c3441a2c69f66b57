/**
 * Knows when nothing goes on any more: counts calls under way of the objects that it watches. So a network that a seed
 * drives can let one event work itself out before it chooses the next.
 */
export class Activity {
  #running = 0

  /** The same object, with every promise and iteration that its methods give counted while it lasts. */
  watch<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => this.#count((value as (...a: unknown[]) => unknown).apply(object, args))
      },
    })
  }

  begin(): void {
    this.#running++
  }

  end(): void {
    this.#running--
  }

  /** Resolves when nothing runs and nothing has begun for some turns of the event loop. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.#running === 0 ? quiet + 1 : 0) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  #count(result: unknown): unknown {
    if (result instanceof Promise) {
      this.begin()
      return result.finally(() => this.end())
    }
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) {
      return this.#iterate(result as AsyncIterable<unknown>)
    }
    return result
  }

  async *#iterate(source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    this.begin()
    try {
      yield* source
    } finally {
      this.end()
    }
  }
}
