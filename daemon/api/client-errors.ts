import type { ErrorAnswer, MemoryRow, SkillRow } from './schemas.ts'

/** What an {@link ApiError} carries beside code and message. */
export interface ApiErrorInit {
  /** HTTP status; 0 where no answer came. */
  status?: number | undefined
  field?: string | undefined
  hint?: string | undefined
  current?: MemoryRow | SkillRow | null | undefined
  cause?: unknown
}

/**
 * Why a call to the store API failed: what the daemon answered, or that it could not be asked (`DAEMON_NOT_RUNNING`,
 * `DAEMON_FORBIDDEN`, `SOCKET_UNSAFE`, `TIMED_OUT`, `ANSWER_INVALID`). `code` is stable; docs/errors.md lists all.
 */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  /** The input at fault, as the request named it. */
  readonly field: string | undefined
  /** The way out, where the message does not already say it. */
  readonly hint: string | undefined
  /** Of a write that expected another version: the row that is there, or null for none. */
  readonly current: MemoryRow | SkillRow | null | undefined

  constructor(code: string, message: string, init: ApiErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'ApiError'
    this.code = code
    this.status = init.status ?? 0
    this.field = init.field
    this.hint = init.hint
    this.current = init.current
  }

  /** The same as `code`: the name that `{ok:false,error:{type,message}}` has for it. */
  get type(): string {
    return this.code
  }
}

/** The error that an answer's body tells of; `ANSWER_INVALID` where the body is not one of ours. */
export function errorFromAnswer(status: number, text: string): ApiError {
  const answer = parseErrorAnswer(text)
  if (answer !== undefined) {
    const { field, hint } = answer
    const current = answer.current as MemoryRow | SkillRow | null | undefined
    return new ApiError(answer.code, answer.error, { status, field, hint, current })
  }
  const hint = 'check that the address is that of openclaw-meshd'
  return new ApiError('ANSWER_INVALID', `answered with status ${status} and no error that is known`, { status, hint })
}

function parseErrorAnswer(text: string): ErrorAnswer | undefined {
  try {
    const answer = JSON.parse(text) as Partial<ErrorAnswer> | null
    return typeof answer?.error === 'string' && typeof answer.code === 'string' ? (answer as ErrorAnswer) : undefined
  } catch {
    return undefined
  }
}
