import type { IncomingHttpHeaders } from 'node:http'
import { MeshError } from '../../crdt/errors.ts'
import type { Expectation } from '../../crdt/replica/index.ts'

/** Most characters of a precondition: hundreds of tags. */
const MAX_CHARACTERS = 8_192

const TAG = /^\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*$/

/** A row's version as a strong entity tag (RFC 9110, 8.8.3). */
export const etagOf = (version: string) => `"${version}"`

/**
 * What a request expects of the entry, by `If-Match` and `If-None-Match` (RFC 9110, 13.1).
 * @throws {MeshError} `REQUEST_INVALID`
 */
export function expectationOf(headers: IncomingHttpHeaders): Expectation {
  return {
    // A weak tag says that two rows are alike, not the same: nothing that depends on it may be overwritten.
    match: versionsIn(headers, 'if-match', { takesWeak: false }),
    noneMatch: versionsIn(headers, 'if-none-match', { takesWeak: true }),
  }
}

/** As {@link expectationOf}, of what a body says: versions with or without quotes, or `*`. */
export function expectationOfVersions(
  match: string | readonly string[] | undefined,
  noneMatch: string | readonly string[] | undefined,
): Expectation {
  return { match: versionsOf(match), noneMatch: versionsOf(noneMatch) }
}

function versionsOf(given: string | readonly string[] | undefined): '*' | readonly string[] | undefined {
  if (given === undefined || given === '*') return given
  return (typeof given === 'string' ? [given] : given).map((one) => one.replace(/^"(.*)"$/, '$1'))
}

function versionsIn(
  headers: IncomingHttpHeaders,
  name: 'if-match' | 'if-none-match',
  { takesWeak }: { readonly takesWeak: boolean },
): '*' | readonly string[] | undefined {
  const header = headers[name]
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  const tags = header.length > MAX_CHARACTERS ? [] : header.split(',')
  const found = tags.map((tag) => TAG.exec(tag))
  if (found.length === 0 || found.includes(null)) {
    throw new MeshError('REQUEST_INVALID', `${name}: is no list of entity tags`, {
      field: name,
      hint: `send it as the answer's ETag had it, with its quotes, or *`,
    })
  }
  return found.flatMap((tag) => (tag?.[2] === undefined || (tag[1] !== undefined && !takesWeak) ? [] : [tag[2]]))
}
