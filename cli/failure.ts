import { CommanderError } from 'commander'
import { ApiError } from '../daemon/api/client.ts'
import { CliError } from './errors.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

/** An error as the caller learns of it. */
export interface Failure {
  readonly exit: ExitCode
  /** Stable code: the daemon's, or one of the command's own. */
  readonly type: string
  readonly message: string
  readonly field?: string
  readonly hint?: string
  /** Whether people were told already, by the help of a group that lacks its command. */
  readonly told?: boolean
  /** Of a fault of ours, for the one who mends it. */
  readonly stack?: string
}

// Codes that say more than their HTTP status does, or that come without one (at the end of long work, or from the
// daemon's executable).
const BY_CODE: Readonly<Record<string, ExitCode>> = {
  DAEMON_NOT_RUNNING: EXIT.notRunning,
  DAEMON_FORBIDDEN: EXIT.auth,
  SOCKET_UNSAFE: EXIT.auth,
  TIMED_OUT: EXIT.failure,
  ANSWER_INVALID: EXIT.failure,
  HOME_INVALID: EXIT.usage,
  CONFIG_INVALID: EXIT.usage,
  CONFIG_UNKNOWN_KEY: EXIT.usage,
  CONFIG_UNREADABLE: EXIT.usage,
  REQUEST_INVALID: EXIT.refused,
  BACKUP_INVALID: EXIT.refused,
  BACKUP_DAMAGED: EXIT.refused,
  BACKUP_TOO_NEW: EXIT.refused,
  STOPPING: EXIT.notRunning,
  REPLICA_CLOSED: EXIT.notRunning,
  PEER_UNREACHABLE: EXIT.unreachable,
  PEER_NOT_CONNECTED: EXIT.unreachable,
  PROTOCOL_UNSUPPORTED: EXIT.unreachable,
  CHANNEL_CLOSED: EXIT.unreachable,
  PEER_UNKNOWN: EXIT.notFound,
  HOME_UNWRITABLE: EXIT.storage,
  TOKEN_UNWRITABLE: EXIT.storage,
  KEY_UNREADABLE: EXIT.storage,
  STORAGE_FAILED: EXIT.storage,
  STORAGE_CORRUPT: EXIT.storage,
  DATABASE_MISSING: EXIT.storage,
  DATABASE_LOCKED: EXIT.storage,
  DATABASE_TOO_NEW: EXIT.storage,
}

/** The exit code of an error that is known by its code alone, as the daemon's executable tells it. */
export function exitOfCode(code: string): ExitCode {
  return BY_CODE[code] ?? EXIT.failure
}

/** What went wrong, from whatever was thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    if (error.code === 'commander.help') {
      return { exit: EXIT.usage, type: 'USAGE', message: 'a command is missing', told: true }
    }
    // A suggestion stands on a line of its own.
    const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
    const hint = suggestion === undefined ? {} : { hint: suggestion.replace(/^\((.*)\)$/, '$1') }
    return { exit: EXIT.usage, type: 'USAGE', message, ...hint }
  }
  if (error instanceof CliError) return describe(error, error.type, error.exit)
  if (error instanceof ApiError) return describe(error, error.code, BY_CODE[error.code] ?? exitOfStatus(error.status))
  if (isCoded(error)) return describe(error, error.code, exitOfCode(error.code))
  const [message, stack] = error instanceof Error ? [error.message, error.stack] : [String(error), undefined]
  return { exit: EXIT.failure, type: 'INTERNAL', message, ...(stack === undefined ? {} : { stack }) }
}

function describe(error: { message: string; field?: unknown; hint?: unknown }, type: string, exit: ExitCode): Failure {
  return {
    exit,
    type,
    message: error.message,
    ...(typeof error.field === 'string' ? { field: error.field } : {}),
    ...(typeof error.hint === 'string' ? { hint: error.hint } : {}),
  }
}

/** Long work ends with status 200 and the error in its last line: then the mesh refused. */
function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.auth
  if (status === 404) return EXIT.notFound
  if (status === 507) return EXIT.storage
  if (status === 200 || (status >= 400 && status < 500)) return EXIT.refused
  return EXIT.failure
}

/** Errors of other layers that carry a stable code, such as a home that no file system takes. */
function isCoded(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
