import { usageError } from './errors.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
/** What the daemon takes for a ticket, in seconds. */
const LEAST = 60
const MOST = 7 * 86_400
/** A century: more is a slip of the finger, and no time that a date can say. */
const MOST_DAYS = 36_500

/** Reads `15m`, `2h`, `7d`, `90s` or bare seconds. @throws {CliError} for anything else, and outside 1 minute to 7 days */
export function readTtl(typed: string): number {
  const seconds = readSeconds(typed)
  if (seconds < LEAST || seconds > MOST) throw usageError('--ttl', `--ttl: ${typed} is outside 1m to 7d`)
  return seconds
}

/**
 * How long an entry is to be shown, written as for {@link readTtl}.
 * @throws {CliError} for anything else, for nothing at all, and above {@link MOST_DAYS} days
 */
export function readLifetime(typed: string): number {
  const seconds = readSeconds(typed)
  if (seconds < 1 || seconds > MOST_DAYS * 86_400) {
    throw usageError('--ttl', `--ttl: ${typed} is outside 1s to ${MOST_DAYS}d`, 'what is to stay needs no --ttl')
  }
  return seconds
}

function readSeconds(typed: string): number {
  const [, number, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(typed.trim()) ?? []
  if (number === undefined) {
    throw usageError('--ttl', `--ttl: ${JSON.stringify(typed)} is no duration`, 'give it as 15m, 2h, 7d or 90s')
  }
  return Number(number) * (UNITS[unit] ?? 1)
}

/** `15 minutes`, `2 hours`, `7 days`: the largest unit that leaves no rest. */
export function describeSeconds(seconds: number): string {
  const units = [
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ] as const
  const [size, name] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second']
  return `${seconds / size} ${name}${seconds === size ? '' : 's'}`
}
