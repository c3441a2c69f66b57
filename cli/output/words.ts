const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * How long ago, in one short unit: `now`, `40s`, `3m`, `5h`, `12d`, `2y`. A time ahead of this clock is `now`: clocks of
 * machines differ, and an age below zero helps nobody.
 * @param at and `now` in Unix seconds
 */
export function shortAge(at: number, now: number): string {
  const seconds = Math.max(0, Math.floor(now - at))
  if (seconds < 5) return 'now'
  if (seconds < MINUTE) return `${seconds}s`
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}m`
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)}h`
  if (seconds < 2 * 365 * DAY) return `${Math.floor(seconds / DAY)}d`
  return `${Math.floor(seconds / (365 * DAY))}y`
}

/** As {@link shortAge}, for a sentence: `just now`, `3m ago`. */
export function age(at: number, now: number): string {
  const short = shortAge(at, now)
  return short === 'now' ? 'just now' : `${short} ago`
}

/** `1 peer`, `12,000 entries`. */
export function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`
}

/** `512 B`, `1.5 KiB`, `2 MiB`. */
export function bytes(number: number): string {
  if (number < 1024) return `${number} B`
  const [size, unit] = number < 1024 * 1024 ? [number / 1024, 'KiB'] : [number / (1024 * 1024), 'MiB']
  return `${size < 10 ? Number(size.toFixed(1)) : Math.round(size)} ${unit}`
}

/** A peer id that people can tell apart: every Ed25519 peer id begins with the same letters, so its end counts. */
export function shortPeer(peerId: string): string {
  return peerId.length <= 18 ? peerId : `${peerId.slice(0, 8)}…${peerId.slice(-6)}`
}

/** `2026-03-01T10:00:00Z`, for lines that programs read. @param at Unix seconds */
export function isoTime(at: number): string {
  const date = new Date(at * 1000)
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString().replace('.000Z', 'Z')
}
