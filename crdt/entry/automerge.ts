import { decodeChange, getBackend, init } from '@automerge/automerge'

/**
 * Automerge's handle of one document: ops are put one by one and committed as a change, without the proxies and the
 * materialised copy of `Automerge.change` (create, save and free 75 µs against 181, load 32 against 68; see
 * docs/performance.md). Lives in WASM memory: `free()` it. This file is the only one that touches the handle's class.
 */
export type Handle = ReturnType<typeof getBackend>

/** A value at a key with its Automerge type and the id of the op that wrote it (`12@actor`). */
export type TypedValue = readonly [datatype: string, value: unknown, opId: string]

const HandleClass = getBackend(init()).constructor as unknown as { new: (actor: string) => Handle }

/** A new empty document that authors under `actor` (hex). */
export function newHandle(actor: string): Handle {
  return HandleClass.new(actor)
}

/** Every live value at a root key, more than one where concurrent writes disagree; the winner is last. */
export function valuesAt(handle: Handle, key: string): readonly TypedValue[] {
  return handle.getAll('_root', key) as unknown as TypedValue[]
}

/** Metadata of a change in a document. Times are as the author wrote them. */
export interface ChangeMeta {
  readonly hash: string
  readonly actor: string
  readonly startOp: number
  readonly maxOp: number
  readonly time: number
  readonly message: string | null
  readonly deps: readonly string[]
}

/** Changes of a document that one at `since` lacks (all for none), dependencies before what depends on them. */
export function changesMeta(handle: Handle, since: string[] = []): readonly ChangeMeta[] {
  return handle.getChangesMeta(since) as unknown as ChangeMeta[]
}

/** Metadata of one change, or undefined where the document does not hold it. */
export function changeMeta(handle: Handle, hash: string): ChangeMeta | undefined {
  return (handle.getChangeMetaByHash(hash) as unknown as ChangeMeta | null) ?? undefined
}

/** The change that was committed last under the handle's own actor, encoded. */
export function lastChange(handle: Handle): Uint8Array {
  const change = handle.getLastLocalChange()
  if (change === null) throw new Error('impossible: a change was just made')
  return change
}

/** Hex hash of an encoded change, with its dependencies. @throws when the bytes are no Automerge change */
export function changeHash(change: Uint8Array): { hash: string; deps: readonly string[]; time: number } {
  const { hash, deps, time } = decodeChange(change)
  if (hash === undefined) throw new RangeError('a change without a hash')
  return { hash, deps, time }
}

/** An op of a decoded change, as far as it is looked at here. */
export interface DecodedOp {
  readonly action: string
  readonly obj: string
  /** Of a map; a list's op has none. */
  readonly key?: string
  readonly value?: unknown
}

/** The ops of an encoded change. @throws when the bytes are no Automerge change */
export function decodedOps(change: Uint8Array): readonly DecodedOp[] {
  return decodeChange(change).ops as unknown as DecodedOp[]
}
