/** Changes made by hand, as a hostile member would. */

import { createHash } from 'node:crypto'
import { type Handle, newHandle } from '../entry/automerge.ts'
import { type EntryId, firstChange, inspectChange } from '../entry/index.ts'
import { changeMessage } from '../signing.ts'
import { packOffered, type Transfer } from './index.ts'
import { MESH, signerOf } from './lab-suite.ts'

/** The first change of every memory. */
export const FIRST = firstChange(
  { kind: 'memory', scope: 'mesh' as EntryId['scope'], key: 'k' },
  { kind: 'memory', value: 1 },
)

export interface ForgeInit {
  /** Whose key signs; `ceo`, `sec` and `lab` are members. */
  readonly by?: string
  readonly mesh?: string
  readonly time?: number
  readonly message?: string | null
  readonly actor?: string
  /** What the change builds on. */
  readonly base?: readonly Uint8Array[]
}

/** A change that does what `write` does to a handle, beneath what it builds on, signed. It is live. */
export function forge(id: EntryId, write: (handle: Handle) => void, init: ForgeInit = {}): Transfer {
  const { by = 'sec', mesh = MESH, time = 1_000, message = by, actor = '5e'.repeat(16), base = [FIRST] } = init
  const handle = newHandle(actor)
  try {
    handle.applyChanges([...base])
    const heads = handle.getHeads()
    write(handle)
    handle.put('_root', 'live', 1, 'int')
    handle.commit(message, time)
    const made = handle.getChanges(heads)
    return { id, chunks: [...base, ...made], signatures: signAll(id, made, by, mesh) }
  } finally {
    handle.free()
  }
}

/** Somebody's signatures of changes that can be read, packed. */
export function signAll(id: EntryId, changes: readonly Uint8Array[], by: string, mesh = MESH): Uint8Array {
  return packOffered(changes.map((change) => signHash(id, inspectChange(change).hash, by, mesh)))
}

/** Somebody's signature of a change by its hash (hex). */
export function signHash(id: EntryId, hash: string, by: string, mesh = MESH) {
  const signer = signerOf(by)
  const change = Buffer.from(hash, 'hex')
  return { change, publicKey: signer.publicKey, signature: signer.signChange(changeMessage(mesh, id, change)) }
}

/** A change with its checksum made to fit what it holds. */
export function mendChecksum(change: Uint8Array): Uint8Array {
  const sum = createHash('sha256').update(change.subarray(8)).digest()
  return Buffer.concat([change.subarray(0, 4), sum.subarray(0, 4), change.subarray(8)])
}

/** Writes one leaf. */
export const leaf =
  (path: string, value: string | number = 1) =>
  (handle: Handle): void =>
    handle.put('_root', path, value, typeof value === 'string' ? 'str' : 'int')
