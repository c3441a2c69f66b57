import { decode, encode } from 'cborg'
import { EntryDocument, type EntryId, type Scope } from '../entry/index.ts'
import { changeMessage, type Signer } from '../signing.ts'
import { addTo, itemOf, zeroDigest } from '../summary/index.ts'
import type { Database, Operation } from './database.ts'
import {
  digestKey,
  digestRange,
  documentKey,
  entryRange,
  type KeyRange,
  metaKey,
  parseEntryKey,
  sideKey,
  sideRange,
} from './keys.ts'
import { type ChangeSignature, decodeDocument, decodeHeads, encodeDigest, encodeDocument } from './records.ts'
import type { Adoption, ScopeDigest } from './replica.ts'

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
  let { after, done } = state
  for (;;) {
    const batch = await nextEntries(database, after)
    const last = batch.at(-1)
    if (last === undefined) break
    const operations: Operation[] = []
    for (const { id, heads } of batch) {
      operations.push(await signAnew(database, signer, state.adoption.meshId, id))
      count(state, id, heads)
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

async function signAnew(database: Database, signer: Signer, meshId: string, id: EntryId): Promise<Operation> {
  const key = documentKey(id)
  const stored = await database.get(key)
  if (stored === undefined) throw new Error('impossible: an entry is written with its document')
  const { bytes } = decodeDocument(stored)
  const document = EntryDocument.load(id, bytes, 'ee'.repeat(16))
  try {
    const signatures = document.authoredHashes().map((hash): ChangeSignature => {
      const change = Buffer.from(hash, 'hex')
      const signature = signer.signChange(changeMessage(meshId, id, change))
      return { change, publicKey: signer.publicKey, signature }
    })
    return { key, value: encodeDocument({ bytes, signatures }) }
  } finally {
    document.free()
  }
}

function count({ adoption, digests }: AdoptionState, id: EntryId, heads: Uint8Array[]): void {
  const { digest, items } = digests.get(id.scope) ?? { digest: zeroDigest(), items: 0 }
  addTo(digest, itemOf(adoption.meshId, id, heads))
  digests.set(id.scope, { digest, items: items + 1 })
}

/** What makes the switch: mesh id, digests, the caller's records; what held for the old mesh goes. */
async function lastBatch(database: Database, { adoption, digests }: AdoptionState): Promise<Operation[]> {
  const operations: Operation[] = [
    { key: metaKey('mesh'), value: Buffer.from(adoption.meshId) },
    { key: metaKey('adoption') },
  ]
  for (const range of [digestRange, ...adoption.forget.map(sideRange)]) {
    for await (const [key] of database.range(range)) operations.push({ key })
  }
  for (const [scope, digest] of digests) operations.push({ key: digestKey(scope), value: encodeDigest(digest) })
  for (const { namespace, key, value } of adoption.records) operations.push({ key: sideKey(namespace, key), value })
  return operations
}
