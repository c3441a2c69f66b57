import { decode, encode } from 'cborg'
import { EntryDocument, type EntryId, NODE_SCOPE, type Scope } from '../entry/index.ts'
import { changeMessage, type Signer } from '../signing.ts'
import { addTo, itemOfVersion, subjectOf, zeroDigest } from '../summary/index.ts'
import type { Database, Operation } from './database.ts'
import {
  digestKey,
  digestRange,
  entryRange,
  itemKey,
  type KeyRange,
  metaKey,
  parseEntryKey,
  sideKey,
  sideRange,
} from './keys.ts'
import { type ChangeSignature, decodeHeads, encodeDigest, encodeItem } from './records.ts'
import type { Adoption, ScopeDigest } from './replica.ts'
import { readStored, resigned } from './stored.ts'
import { required } from './totals.ts'

/** Entries signed anew in one batch: the most work that an interruption repeats. */
const BATCH_ENTRIES = 256

/** Where an adoption stands, written with every batch so that it goes on from there after a crash. */
export interface AdoptionState {
  readonly adoption: Adoption
  /** Feed position of the replica: what was written since is not signed for the new mesh. */
  readonly position: number
  /** The last entry key that is done, or undefined at the beginning. */
  readonly after: Uint8Array | undefined
  readonly done: number
  /** Digests under the new mesh id of what is done. */
  readonly digests: Map<Scope, ScopeDigest>
}

/**
 * The adoption that was interrupted, if any: where it stands, or from its beginning where a failed write ended it and
 * the process wrote on.
 */
export async function interruptedAdoption(database: Database, position: number): Promise<AdoptionState | undefined> {
  const stored = await database.get(metaKey('adoption'))
  if (stored === undefined) return undefined
  const [adoption, began, after, done, digests] = decode(stored) as [
    Adoption,
    number,
    Uint8Array | null,
    number,
    [Scope, ScopeDigest][],
  ]
  if (began !== position) return newAdoption(adoption, position)
  return { adoption, position, after: after ?? undefined, done, digests: new Map(digests) }
}

/** An interrupted adoption as it is stored, so that it will begin anew: what it has counted does not hold any more. */
export function restarted(stored: Uint8Array): Uint8Array {
  const [adoption] = decode(stored) as [Adoption]
  return encodeState(newAdoption(adoption, NO_POSITION))
}

/** No replica stands there: an adoption that began there is gone on with from its beginning. */
const NO_POSITION = -1

/** The beginning of an adoption by a replica that stands at a feed position. */
export function newAdoption(adoption: Adoption, position: number): AdoptionState {
  return { adoption, position, after: undefined, done: 0, digests: new Map() }
}

/**
 * Signs every change of every entry for the new mesh, batch by batch, then switches in one. Nothing else may write
 * meanwhile. Returns the digests under the new mesh and how many entries there are.
 */
export async function runAdoption(
  database: Database,
  signer: Signer,
  state: AdoptionState,
  onBatch: (done: number) => void,
): Promise<{ digests: Map<Scope, ScopeDigest>; entries: number }> {
  const oldMesh = Buffer.from(await required(database, 'mesh')).toString()
  let { after, done } = state
  for (;;) {
    const batch = await nextEntries(database, after)
    const last = batch.at(-1)
    if (last === undefined) break
    const operations: Operation[] = []
    for (const { id, heads } of batch) {
      operations.push(...(await signAnew(database, signer, state.adoption.meshId, id)))
      operations.push(...count(state, oldMesh, id, heads))
    }
    after = last.key
    done += batch.length
    operations.push({ key: metaKey('adoption'), value: encodeState({ ...state, after, done }) })
    await database.write(operations)
    onBatch(done)
  }
  await database.write(await lastBatch(database, state))
  return { digests: state.digests, entries: done }
}

function encodeState({ adoption, position, after, done, digests }: AdoptionState): Uint8Array {
  return encode([adoption, position, after ?? null, done, [...digests]])
}

async function nextEntries(database: Database, after: Uint8Array | undefined) {
  const entries: { key: Uint8Array; id: EntryId; heads: Uint8Array[] }[] = []
  for await (const [key, stored] of database.range(allEntries(after), BATCH_ENTRIES)) {
    entries.push({ key, id: parseEntryKey(key), heads: decodeHeads(stored) })
  }
  return entries
}

/** Entry keys of both kinds, behind `after`. */
function allEntries(after: Uint8Array | undefined): KeyRange {
  const first = entryRange('memory').gte
  return { gte: after === undefined ? first : Buffer.concat([after, Buffer.of(0)]), lt: entryRange('skill').lt }
}

async function signAnew(database: Database, signer: Signer, meshId: string, id: EntryId): Promise<Operation[]> {
  const stored = await readStored(database, id)
  if (stored === undefined) throw new Error('impossible: an entry is written with its document')
  const document = EntryDocument.load(id, stored.bytes, 'ee'.repeat(16))
  try {
    const signatures = document.authoredHashes().map((hash): ChangeSignature => {
      const change = Buffer.from(hash, 'hex')
      const signature = signer.signChange(changeMessage(meshId, id, change))
      return { change, publicKey: signer.publicKey, signature }
    })
    return resigned(id, stored, signatures)
  } finally {
    document.free()
  }
}

/** Counts an entry in the new mesh's digests; gives what puts its new item in the place of the old one. */
function count({ adoption, digests }: AdoptionState, oldMesh: string, id: EntryId, heads: Uint8Array[]): Operation[] {
  const { digest, items } = digests.get(id.scope) ?? { digest: zeroDigest(), items: 0 }
  const subject = subjectOf(adoption.meshId, id)
  const item = itemOfVersion(subject, heads)
  addTo(digest, item)
  digests.set(id.scope, { digest, items: items + 1 })
  if (id.scope === NODE_SCOPE) return []
  return [{ key: itemKey(subjectOf(oldMesh, id)) }, { key: itemKey(subject), value: encodeItem({ id, item }) }]
}

/** What makes the switch: mesh id, digests, the caller's records; what held for the old mesh goes. */
async function lastBatch(database: Database, { adoption, digests }: AdoptionState): Promise<Operation[]> {
  const operations: Operation[] = [
    { key: metaKey('mesh'), value: Buffer.from(adoption.meshId) },
    { key: metaKey('adoption') },
    { key: metaKey('symbols') },
  ]
  for (const range of [digestRange, ...adoption.forget.map(sideRange)]) {
    for await (const [key] of database.range(range)) operations.push({ key })
  }
  for (const [scope, digest] of digests) operations.push({ key: digestKey(scope), value: encodeDigest(digest) })
  for (const { namespace, key, value } of adoption.records) operations.push({ key: sideKey(namespace, key), value })
  return operations
}
