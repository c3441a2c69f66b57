import { Level } from 'level'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { changeMessage, type Signer } from '../../crdt/signing.ts'
import { createHandle, createHighLevel, headOf, leavesOf } from '../bare-automerge.ts'
import { rateOfSync } from '../measure.ts'
import { benchValue } from '../values.ts'

/** About what the replica writes for one put of a new key: row, document, signature, feed record and sums. */
const WRITTEN_BYTES = 1_000

/** Creates, saves and signs documents by `Automerge.change`. Returns how many a second. */
export function bareNew(count: number, signer: Signer): number {
  return rateOfSync(count, (i) => {
    const document = createHighLevel(leavesOf(benchValue(i)))
    document.save()
    sign(signer, i, document.head())
    document.free()
  })
}

/** As {@link bareNew}, on the low-level handle. */
export function handleNew(count: number, signer: Signer): number {
  return rateOfSync(count, (i) => {
    const handle = createHandle(leavesOf(benchValue(i)))
    handle.save()
    sign(signer, i, headOf(handle))
    handle.free()
  })
}

/** Changes one document that stays loaded, saves what is new and signs it. Returns how many a second. */
export function bareHot(count: number, signer: Signer): number {
  const document = createHighLevel(leavesOf(benchValue(0)))
  document.save()
  const rate = rateOfSync(count, (i) => {
    document.set('/count', i)
    document.saveIncremental()
    sign(signer, 0, document.head())
  })
  document.free()
  return rate
}

function sign(signer: Signer, n: number, hash: Uint8Array): void {
  signer.signChange(changeMessage('bench', { kind: 'memory', scope: MESH_SCOPE, key: `entry/${n}` }, hash))
}

/** A Level database that nothing of ours stands around. */
export interface BareLevel {
  /** Writes 1,000 bytes, synced. */
  put(key: string): Promise<void>
  get(key: string): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

export async function openBareLevel(path: string): Promise<BareLevel> {
  const level = new Level<string, Uint8Array>(path, { valueEncoding: 'view' })
  await level.open()
  // Text that compresses about as a row and its document do.
  const value = Buffer.from(JSON.stringify(Array.from({ length: 5 }, (_, i) => benchValue(i)))).subarray(
    0,
    WRITTEN_BYTES,
  )
  return {
    put: (key) => level.put(key, value, { sync: true }),
    get: async (key) => level.getSync(key),
    close: () => level.close(),
  }
}
