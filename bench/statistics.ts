/** The value below which a share of the values lies, 0 to 1, by nearest rank. @throws RangeError for no values */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  const value = sorted[rank - 1]
  if (value === undefined) throw new RangeError('a percentile of no values')
  return value
}

/** The middle value, or the mean of the two in the middle. @throws RangeError for no values */
export function median(values: readonly number[]): number {
  const half = values.length / 2
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]]
  if (low === undefined || high === undefined) throw new RangeError('a median of no values')
  return (low + high) / 2
}
