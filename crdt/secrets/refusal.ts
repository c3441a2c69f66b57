import { MeshError } from '../errors.ts'
import type { Finding } from './types.ts'

/**
 * The error for what the guard found. It names the rule and the place, never the text, and the two ways out.
 *
 * @param field how the caller names the entry's key, value or content; the place inside is appended
 */
export function secretRefused(finding: Finding, field: string = finding.where): MeshError {
  const { rule, name, path, inName, line, fingerprint } = finding
  const inside = inName ? ', in a name' : line > 1 ? `, line ${line}` : ''
  const hint = `keep it in scope node, which never leaves its machine; if it is none, put ${fingerprint} on the list secrets.allow`
  return new MeshError('SECRET_REFUSED', `${field}${path}${inside}: looks like a secret: ${name} (rule ${rule})`, {
    field: `${field}${path}`,
    hint,
  })
}
