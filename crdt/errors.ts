/** Codes of `crdt/`. Documented, with every other layer's, in docs/errors.md. */
export const CRDT_ERROR_CODES = [
  'SCOPE_INVALID',
  'SCOPE_TOO_LARGE',
  'SCOPE_NOT_SHARED',
  'KEY_INVALID',
  'KEY_TOO_LARGE',
  'NAME_INVALID',
  'NODE_ID_INVALID',
  'VALUE_INVALID',
  'VALUE_TOO_LARGE',
  'SKILL_INVALID',
  'SKILL_TOO_LARGE',
  'EXPIRY_INVALID',
  'VERSION_MISMATCH',
  'CONFLICT_UNKNOWN',
  'REVISION_UNKNOWN',
  'SECRET_REFUSED',
  'CHANGE_MALFORMED',
  'CHANGE_INCOMPLETE',
  'CHANGE_TOO_LARGE',
  'CHANGE_UNSIGNED',
  'SUMMARY_MALFORMED',
  'SYMBOLS_UNDECODABLE',
  'WORKER_LIMIT',
  'STORAGE_FAILED',
  'STORAGE_CORRUPT',
  'DATABASE_MISSING',
  'DATABASE_LOCKED',
  'DATABASE_TOO_NEW',
  'REPLICA_CLOSED',
  'BACKUP_INVALID',
  'BACKUP_DAMAGED',
  'BACKUP_TOO_NEW',
  'BACKUP_OTHER_MESH',
] as const

/** What a {@link MeshError} may carry beside its code and message. */
export interface MeshErrorInit {
  /** The input that is at fault, as the caller named it: a JSON path (`value.prefs[2]`), a config key, a flag. */
  field?: string
  /** The way out, one sentence, where the message does not already say it. */
  hint?: string
  /** What went wrong underneath. */
  cause?: unknown
}

/**
 * The one base class of errors that cross a part's border. `code` is stable (documented in docs/errors.md, tied to it
 * by a test) and what programs match on; `message` is for people and may change.
 */
export class MeshError extends Error {
  readonly code: string
  readonly field: string | undefined
  readonly hint: string | undefined

  constructor(code: string, message: string, init: MeshErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'MeshError'
    this.code = code
    this.field = init.field
    this.hint = init.hint
  }
}
