/** Time between two looks at something that tells no event across processes, in milliseconds. */
const LOOK_MS = 20

export interface UntilInit {
  /** For all looks together, in milliseconds: 30,000, for what takes a second on a quiet machine. */
  readonly ms?: number
  /** Asked before each look; what it throws ends the wait. */
  readonly check?: () => void
}

/**
 * Looks until there is something other than undefined or false, and returns it. What a look throws counts as nothing.
 * @param look is not called again before it has answered
 * @throws when nothing came in time, naming `what`, with what the last look threw as its cause
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { ms = 30_000, check }: UntilInit = {},
): Promise<T> {
  const deadline = performance.now() + ms
  for (let cause: unknown; ; ) {
    check?.()
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) throw new Error(`${what}: not within ${ms} ms`, { cause })
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
