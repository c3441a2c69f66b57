import type { Command } from 'commander'
import type { WriteOptions } from '../daemon/api/client.ts'
import { readLifetime } from './duration.ts'
import { usageError } from './errors.ts'

/** What every put takes: how long the entry lives, and what it must be for the put to be made. */
export interface PutOptions {
  /** Seconds. */
  ttl?: number
  ifMatch?: string
  new?: true
}

/** Paragraph for the help of a put. */
export const PUT_NOTE =
  'Each put says anew how long the entry lives: without --ttl it stays. With --if-match and --new a put that comes too late is refused with exit code 6, and nothing is written.'

/** Gives a command `--ttl`, `--if-match` and `--new`. */
export function addPutOptions(command: Command): Command {
  return command
    .option('--ttl <duration>', 'hide it after this: 90s, 15m, 2h or 7d', readLifetime)
    .option('--if-match <etag>', 'only over this version, or * for any', readEtag)
    .option('--new', 'only where there is none')
}

/** Reads `--if-match`: with its quotes, as an answer has it, or without, as a shell makes of it. */
export function readEtag(typed: string): string {
  if (typed === '*' || /^"[^"]+"$/.test(typed)) return typed
  if (/^[\x21\x23-\x7e]+$/.test(typed)) return `"${typed}"`
  throw usageError('--if-match', `--if-match: ${JSON.stringify(typed)} is no etag`, 'take it from mesh get KEY --json')
}

/** The end that a put gives its entry. @param now Unix seconds */
export function expiryOf({ ttl }: PutOptions, now: number): { expires_at?: number } {
  return ttl === undefined ? {} : { expires_at: now + ttl }
}

/** What the entry must be for the put to be made. @throws {CliError} where nothing could be so */
export function expectationOf(options: PutOptions): Pick<WriteOptions, 'ifMatch' | 'ifNoneMatch'> {
  if (options.ifMatch !== undefined && options.new) {
    throw usageError('--new', '--new wants no entry and --if-match wants one', 'give one of them')
  }
  return { ifMatch: options.ifMatch, ...(options.new && { ifNoneMatch: '*' }) }
}
