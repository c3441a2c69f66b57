import { MeshError } from '../../../crdt/errors.ts'

interface Bucket {
  /** Requests that may be made now. */
  tokens: number
  /** When that was so, in milliseconds of a clock that only runs forwards. */
  at: number
}

/** Buckets that are kept; the oldest full ones go first. */
const MAX_BUCKETS = 10_000

/**
 * How often who may call: token buckets that hold what a minute allows and fill evenly. So a minute's worth may come at
 * once, and the next only as fast as the rate.
 */
export class RateLimits {
  readonly #clock: () => number
  readonly #buckets = new Map<string, Bucket>()

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /**
   * Counts a request of `who`.
   * @param rate requests a minute
   * @returns whole seconds to wait, 0 where it may be made now
   */
  take(who: string, rate: number): number {
    const now = this.#clock()
    const bucket = this.#buckets.get(who) ?? { tokens: rate, at: now }
    const tokens = Math.min(rate, bucket.tokens + ((now - bucket.at) * rate) / 60_000)
    const isAllowed = tokens >= 1
    // Last is latest used.
    this.#buckets.delete(who)
    this.#buckets.set(who, { tokens: isAllowed ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value as string)
    return isAllowed ? 0 : Math.max(1, Math.ceil(((1 - tokens) * 60) / rate))
  }
}

/** The error of a caller who must wait. The answer says how long as `Retry-After`. */
export class RateLimited extends MeshError {
  /** Whole seconds. */
  readonly retryAfter: number

  constructor(who: string, rate: number, retryAfter: number) {
    super('RATE_LIMITED', `authorization: ${who} may make ${rate} requests a minute`, {
      field: 'authorization',
      hint: `wait ${retryAfter} s, as Retry-After says`,
    })
    this.retryAfter = retryAfter
  }
}
