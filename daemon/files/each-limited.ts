/** Runs `task` for every item, at most `limit` at a time; waits for all, then throws the first failure, if any. */
export async function eachLimited<T>(
  items: readonly T[],
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const lane = async () => {
    for (const item of rest) await task(item)
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane))
  for (const done of lanes) if (done.status === 'rejected') throw done.reason
}
