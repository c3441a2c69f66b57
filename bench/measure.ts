/** Ways to take a time. All in milliseconds unless said otherwise. */

/** Does `work` for 0 to `count` − 1, one after the other. Returns how many a second. */
export async function rateOf(count: number, work: (i: number) => Promise<unknown> | unknown): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < count; i++) await work(i)
  return perSecond(count, began)
}

/** As {@link rateOf} for what does not wait, without the cost of awaiting it. */
export function rateOfSync(count: number, work: (i: number) => void): number {
  const began = performance.now()
  for (let i = 0; i < count; i++) work(i)
  return perSecond(count, began)
}

/** As {@link rateOf}, with so many under way at once: each begins when one before it has ended. */
export async function rateInFlight(
  count: number,
  width: number,
  work: (i: number, lane: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now()
  await inFlight(count, width, work)
  return perSecond(count, began)
}

/** Does `work` for 0 to `count` − 1, so many at once. `lane` counts those from 0. */
export async function inFlight(
  count: number,
  width: number,
  work: (i: number, lane: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const lanes = Array.from({ length: Math.min(width, count) }, async (_, lane) => {
    while (next < count) await work(next++, lane)
  })
  await Promise.all(lanes)
}

/** Does `work` one after the other. Returns how long each took. */
export async function timesOf(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    await work(i)
    times.push(performance.now() - began)
  }
  return times
}

/** As {@link rateInFlight}, with how long each took as well. */
export async function load(
  count: number,
  width: number,
  work: (i: number, lane: number) => Promise<unknown>,
): Promise<{ readonly rate: number; readonly times: readonly number[] }> {
  const times: number[] = []
  const rate = await rateInFlight(count, width, async (i, lane) => {
    const began = performance.now()
    await work(i, lane)
    times.push(performance.now() - began)
  })
  return { rate, times }
}

function perSecond(count: number, began: number): number {
  return (count / (performance.now() - began)) * 1_000
}
