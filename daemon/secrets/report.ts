import type { Finding } from '../../transports/mesh.ts'
import type { StoredSecret } from './stored-secrets.ts'

/** Entries that are named; the others are counted. */
const MAX_NAMED = 5

/**
 * What `mesh doctor` says of the secrets that were found. Each is named by entry, place, rule and fingerprint, never by
 * anything of its text; an entry whose key holds it is not named at all.
 * @param isAll whether there are no more of them
 */
export function storedFinding(found: readonly StoredSecret[], isAll: boolean): Finding {
  const { length } = found
  const entries = `${isAll ? '' : 'at least '}${length} ${length === 1 ? 'entry that others read holds' : 'entries that others read hold'}`
  const named = found.slice(0, MAX_NAMED).map(placeOf).join('; ')
  const more = length > MAX_NAMED ? `; and ${length - MAX_NAMED} more` : ''
  return {
    checkId: 'secrets.stored',
    severity: 'warning',
    message: `${entries} what looks like a secret, from before the guard could refuse it: ${named}${more}`,
    fixHint:
      'change each credential where it was issued, for history and the other members hold it still; then overwrite or delete the entry (mesh resolve, where it is in conflict), or keep it in scope node; if it is no secret, put its fingerprint on the list secrets.allow',
  }
}

function placeOf({ id, finding, isHidden }: StoredSecret): string {
  const { where, path, inName, line, rule, fingerprint } = finding
  const entry = where === 'key' ? `a ${id.kind} in ${id.scope}` : `${id.kind} ${JSON.stringify(id.key)} in ${id.scope}`
  const inside = inName ? ', in a name' : line > 1 ? `, line ${line}` : ''
  const hidden = isHidden ? ', in conflict, not shown' : ''
  return `${entry} (${nameOf(where, id.kind)}${path}${inside}${hidden}: ${rule}, ${fingerprint})`
}

function nameOf(where: StoredSecret['finding']['where'], kind: StoredSecret['id']['kind']): string {
  return where === 'key' && kind === 'skill' ? 'name' : where
}

/** @param looked entries that were looked at so far */
export function checkingFinding(looked: number): Finding {
  const message = `what was stored earlier is being looked through for secrets: ${looked} entries so far`
  return { checkId: 'secrets.checking', severity: 'info', message }
}
