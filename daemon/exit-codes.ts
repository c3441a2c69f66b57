/** Exit codes of `openclaw-meshd`, by the code of the error that ended it. 3 is the Node version guard's. */
const BY_CODE: Readonly<Record<string, number>> = {
  HOME_INVALID: 2,
  CONFIG_INVALID: 2,
  CONFIG_UNKNOWN_KEY: 2,
  CONFIG_UNREADABLE: 2,
  RESTORE_NOT_EMPTY: 2,
  BACKUP_UNREADABLE: 2,
  BACKUP_INVALID: 2,
  ALREADY_RUNNING: 11,
  DATABASE_LOCKED: 11,
  PORT_IN_USE: 12,
  API_PORT_IN_USE: 12,
  HOME_UNWRITABLE: 13,
  TOKEN_UNWRITABLE: 13,
  DATABASE_MISSING: 14,
  DATABASE_TOO_NEW: 14,
  STORAGE_CORRUPT: 14,
  KEY_UNREADABLE: 14,
  BACKUP_DAMAGED: 14,
  BACKUP_TOO_NEW: 14,
}

/** 1 for everything that has no code of its own. */
export function exitCodeOf(code: string | undefined): number {
  return (code === undefined ? undefined : BY_CODE[code]) ?? 1
}
