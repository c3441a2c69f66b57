import { createHash } from 'node:crypto'
import { type EntryId, entryName, type Kind, type Scope } from '../../crdt/entry/index.ts'
import type { SideStore, SideWrite } from '../../crdt/replica/index.ts'
import type { Finding } from '../../crdt/secrets/index.ts'

/** Where the replica keeps it: the state under {@link STATE}, what was found under a hash of each entry's name. */
const NAMESPACE = 'secrets'
const STATE = 'state'

/** An entry that holds what looks like a secret, and where; nothing of the secret itself. */
export interface StoredSecret {
  readonly id: EntryId
  readonly finding: Finding
  /** Whether it is in a value that is in conflict, and not shown here. */
  readonly isHidden?: true | undefined
}

/** How far everything has been looked at. */
export interface AuditState {
  /** Feed positions of another database mean nothing. */
  readonly databaseId: string
  /** Names the rules and the list of false alarms that it was looked at with. */
  readonly rules: string
  /** What was committed up to here has been looked at, but for what the walk has not come by yet. */
  readonly position: number
  /** How far the walk over all entries is; undefined when it is over. */
  readonly walk: Walk | undefined
}

/** A place in the order of all entries: memory first, each kind in order of scope, then key. */
export interface Walk {
  readonly kind: Kind
  /** The last entry that was looked at; undefined at the beginning of the kind. */
  readonly after: { readonly scope: Scope; readonly key: string } | undefined
}

/** What an earlier run has left, or undefined where there was none. */
export async function readStored(
  side: SideStore,
): Promise<{ state: AuditState | undefined; found: Map<string, StoredSecret> }> {
  const found = new Map<string, StoredSecret>()
  let state: AuditState | undefined
  for (const { key, value } of await side.list(NAMESPACE)) {
    const record: unknown = JSON.parse(Buffer.from(value).toString())
    if (key === STATE) state = record as AuditState
    else found.set(entryName((record as StoredSecret).id), record as StoredSecret)
  }
  return { state, found }
}

/**
 * Writes how far it is, with what was found or mended since, all or nothing.
 * @param changed by names of entries, undefined for what is found no more
 * @throws {MeshError} `STORAGE_FAILED`
 */
export function writeStored(
  side: SideStore,
  state: AuditState,
  changed: ReadonlyMap<string, StoredSecret | undefined>,
): Promise<void> {
  const writes = Array.from(changed, ([name, secret]) => recordOf(hashOf(name), secret))
  return side.write([...writes, recordOf(STATE, state)])
}

function recordOf(key: string, record: StoredSecret | AuditState | undefined): SideWrite {
  return { namespace: NAMESPACE, key, value: record && Buffer.from(JSON.stringify(record)) }
}

/** A key of an entry may be long, and may be the secret. */
function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex')
}
