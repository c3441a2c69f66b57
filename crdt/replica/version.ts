import { hash } from 'node:crypto'
import { MeshError } from '../errors.ts'

/**
 * Names a version of an entry: 32 hex characters, the beginning of the SHA-256 of its heads. Equal on every node that
 * holds this version; another after each change.
 */
export function versionOf(heads: readonly Uint8Array[]): string {
  return hash('sha256', heads.length === 1 ? (heads[0] as Uint8Array) : Buffer.concat(heads), 'hex').slice(0, 32)
}

/** What a writer expects to find, as in HTTP's `If-Match` and `If-None-Match` (RFC 9110, 13.1). Only what is live counts. */
export interface Expectation {
  /** One of these versions, or any. */
  readonly match?: '*' | readonly string[] | undefined
  /** None of these versions, or no live entry at all. */
  readonly noneMatch?: '*' | readonly string[] | undefined
}

/** @param version of the live entry; undefined where there is none */
export function meets({ match, noneMatch }: Expectation, version: string | undefined): boolean {
  if (match !== undefined && !names(match, version)) return false
  return noneMatch === undefined || !names(noneMatch, version)
}

function names(versions: '*' | readonly string[], version: string | undefined): boolean {
  return version !== undefined && (versions === '*' || versions.includes(version))
}

/** A live row as its JSON, and its version. */
export interface VersionedRow {
  readonly json: string
  readonly version: string
  /** Unix seconds from which on it is not live any more; undefined for never. */
  readonly expiresAt: number | undefined
}

/** The entry is not what its writer expected: nothing was written. */
export class VersionMismatch extends MeshError {
  /** What it is; undefined where there is no live entry. */
  readonly current: VersionedRow | undefined

  constructor(current: VersionedRow | undefined) {
    const found = current === undefined ? 'there is no such entry' : `it is at version ${current.version} now`
    super('VERSION_MISMATCH', `version: the entry is not at the version that this write expects: ${found}`, {
      field: 'version',
      hint: 'read it again, make the change to what is there now, and send that with its version',
    })
    this.current = current
  }
}
