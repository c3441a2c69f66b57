import { MeshError } from '../../crdt/errors.ts'
import { type VersionedRow, VersionMismatch } from '../../crdt/replica/index.ts'
import { RateLimited } from './access/index.ts'
import type { ErrorAnswer } from './schemas.ts'

/** The one map from an error's code to the HTTP status of its answer. A test ties it to every layer's list. */
export const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  // crdt
  SCOPE_INVALID: 400,
  SCOPE_TOO_LARGE: 413,
  SCOPE_NOT_SHARED: 422,
  KEY_INVALID: 400,
  KEY_TOO_LARGE: 413,
  NAME_INVALID: 400,
  NODE_ID_INVALID: 400,
  VALUE_INVALID: 400,
  VALUE_TOO_LARGE: 413,
  SKILL_INVALID: 400,
  SKILL_TOO_LARGE: 413,
  EXPIRY_INVALID: 400,
  VERSION_MISMATCH: 412,
  CONFLICT_UNKNOWN: 409,
  REVISION_UNKNOWN: 404,
  SECRET_REFUSED: 422,
  CHANGE_MALFORMED: 422,
  CHANGE_INCOMPLETE: 422,
  CHANGE_TOO_LARGE: 422,
  CHANGE_UNSIGNED: 422,
  SUMMARY_MALFORMED: 502,
  SYMBOLS_UNDECODABLE: 502,
  WORKER_LIMIT: 422,
  STORAGE_FAILED: 507,
  STORAGE_CORRUPT: 500,
  DATABASE_MISSING: 503,
  DATABASE_LOCKED: 503,
  DATABASE_TOO_NEW: 503,
  REPLICA_CLOSED: 503,
  BACKUP_INVALID: 400,
  BACKUP_DAMAGED: 422,
  BACKUP_TOO_NEW: 422,
  BACKUP_OTHER_MESH: 409,
  // transports
  ROSTER_INVALID: 500,
  MESH_BUSY: 409,
  TOO_MANY_TICKETS: 429,
  MESSAGE_INVALID: 502,
  MESSAGE_UNEXPECTED: 502,
  PEER_SILENT: 504,
  SYNC_INCOMPLETE: 502,
  SYNC_UNDECIDED: 502,
  TICKET_MALFORMED: 400,
  TICKET_EXPIRED: 410,
  TICKET_USED: 410,
  TICKET_UNKNOWN: 410,
  TICKET_OWN: 409,
  ALREADY_MEMBER: 409,
  HAS_PEERS: 409,
  NAME_TAKEN: 409,
  NOT_IN_A_MESH: 409,
  INVITE_NO_ADDRESS: 409,
  PEER_UNKNOWN: 404,
  PEER_ID_INVALID: 400,
  PEER_AMBIGUOUS: 409,
  PEER_IS_SELF: 409,
  PEER_UNREACHABLE: 502,
  PEER_NOT_CONNECTED: 502,
  PROTOCOL_UNSUPPORTED: 502,
  CHANNEL_CLOSED: 502,
  FRAME_TOO_LARGE: 502,
  PORT_IN_USE: 503,
  LISTEN_FAILED: 503,
  TRANSPORT_STOPPED: 503,
  // daemon
  HOME_INVALID: 500,
  HOME_UNWRITABLE: 507,
  KEY_UNREADABLE: 500,
  RESTORE_NOT_EMPTY: 409,
  BACKUP_UNREADABLE: 400,
  CONFIG_INVALID: 500,
  CONFIG_UNKNOWN_KEY: 500,
  CONFIG_UNREADABLE: 500,
  ALREADY_RUNNING: 503,
  API_PORT_IN_USE: 503,
  API_LISTEN_FAILED: 503,
  SOCKET_UNSAFE: 503,
  TOKEN_UNREADABLE: 500,
  TOKEN_UNWRITABLE: 507,
  STOPPING: 503,
  REQUEST_MALFORMED: 400,
  REQUEST_INVALID: 400,
  REQUEST_TOO_SLOW: 408,
  HEADERS_TOO_LARGE: 431,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  CONTENT_TYPE_REFUSED: 403,
  CONTENT_TYPE_UNSUPPORTED: 415,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  RATE_LIMITED: 429,
  KEY_REFUSED: 400,
  KEY_NAME_TAKEN: 409,
  TOO_MANY_REQUESTS: 429,
  TOO_MANY_WATCHERS: 429,
  BODY_TOO_LARGE: 413,
  JSON_INVALID: 400,
  ROUTE_UNKNOWN: 404,
  NOT_FOUND: 404,
  CURSOR_INVALID: 400,
  SEARCH_UNAVAILABLE: 422,
  SEARCH_NOT_READY: 503,
  QUERY_INVALID: 400,
  INTERNAL: 500,
  // Only the client gives these; no answer carries them.
  DAEMON_NOT_RUNNING: 503,
  DAEMON_FORBIDDEN: 503,
  TIMED_OUT: 504,
  ANSWER_INVALID: 502,
}

/** When to try again where it cannot be known better, in seconds. */
const RETRY_AFTER_S: Readonly<Record<string, number>> = {
  TOO_MANY_REQUESTS: 1,
  TOO_MANY_WATCHERS: 5,
  SEARCH_NOT_READY: 1,
}

/** An error as it is answered. `unexpected` ones, trouble of this node's own, are logged with their cause. */
export interface AnsweredError {
  readonly status: number
  readonly answer: ErrorAnswer
  readonly unexpected: boolean
  /** Seconds after which to try again. */
  readonly retryAfter?: number | undefined
  /** The row that is there, where a write expected another. */
  readonly current?: VersionedRow | undefined
}

/** Turns whatever a route, the validator or the framework threw into status and body. Never throws. */
export function describeError(error: unknown): AnsweredError {
  const known = error instanceof MeshError ? error : fromFramework(error)
  const status = known === undefined ? undefined : STATUS_OF_CODE[known.code]
  if (known === undefined || status === undefined) {
    const failure = new MeshError('INTERNAL', 'the daemon failed; its log says why', {
      hint: 'see the log of openclaw-meshd',
    })
    return { status: 500, answer: problemOf(failure, 500), unexpected: true }
  }
  const current = known instanceof VersionMismatch ? known.current : undefined
  const answer = problemOf(known, status)
  if (known instanceof VersionMismatch) answer.current = current === undefined ? null : JSON.parse(current.json)
  const retryAfter = known instanceof RateLimited ? known.retryAfter : RETRY_AFTER_S[known.code]
  return { status, answer, unexpected: status === 500 || status === 507, current, retryAfter }
}

/** Problem details (RFC 9457), beside the fields by which tools of every age know an error. */
function problemOf({ code, message, field, hint }: MeshError, status: number): ErrorAnswer {
  const words = code.toLowerCase().replaceAll('_', ' ')
  const answer: ErrorAnswer = {
    type: `urn:openclaw-mesh:error:${code}`,
    title: `${words[0]?.toUpperCase()}${words.slice(1)}`,
    status,
    detail: message,
    error: message,
    code,
  }
  if (field !== undefined) answer.field = field
  if (hint !== undefined) answer.hint = hint
  return answer
}

function fromFramework(error: unknown): MeshError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new MeshError('BODY_TOO_LARGE', 'body: larger than 2 MiB', {
        field: 'body',
        hint: 'send less at once: values up to 256 KiB, skills up to 1 MiB',
      })
    case 'FST_ERR_BAD_URL':
      return new MeshError('REQUEST_MALFORMED', 'url: is not valid percent-encoded UTF-8', { field: 'url' })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new MeshError('REQUEST_MALFORMED', 'content-length: is not the length of the body', {
        field: 'content-length',
      })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new MeshError('CONTENT_TYPE_UNSUPPORTED', 'content-type: is no media type', { field: 'content-type' })
    default:
      return undefined
  }
}
