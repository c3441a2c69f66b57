/**
 * Automerge and a signature with nothing of ours around them: what a put cannot be faster than. Leaves are plain values
 * at the root under their paths, as an entry holds them; collaborative text would be slower still.
 */
import { change, type Doc, free, getHeads, ImmutableString, init, save, saveIncremental } from '@automerge/automerge'
import { type Handle, newHandle } from '../crdt/entry/automerge.ts'
import type { JsonValue } from '../crdt/entry/index.ts'

export const ACTOR = 'aa'.repeat(16)

/** Paths with their values. */
export type FlatLeaves = readonly (readonly [path: string, leaf: string | number | boolean])[]

/** A value's leaves under their paths. Arrays and null do not occur in what the bench writes. */
export function leavesOf(value: JsonValue, path = ''): FlatLeaves {
  if (typeof value === 'object') {
    return Object.entries(value ?? {}).flatMap(([name, member]) => leavesOf(member as JsonValue, `${path}/${name}`))
  }
  return [[path, value]]
}

/** A new document with these leaves. */
export function createHandle(leaves: FlatLeaves): Handle {
  const handle = newHandle(ACTOR)
  for (const [path, leaf] of leaves) handle.put('_root', path, leaf, TYPES[typeof leaf as keyof typeof TYPES])
  handle.commit('ceo', 1)
  return handle
}

const TYPES = { string: 'str', number: 'int', boolean: 'boolean' } as const

/** A document of Automerge's own interface, kept loaded. */
export interface HighLevelDocument {
  /** Sets one leaf in a change of its own. */
  set(path: string, leaf: string | number | boolean): void
  /** The hash of its last change, 32 bytes. */
  head(): Uint8Array
  save(): Uint8Array
  /** What was added since it was last saved. */
  saveIncremental(): Uint8Array
  free(): void
}

/** As {@link createHandle}, by `Automerge.change`. */
export function createHighLevel(leaves: FlatLeaves): HighLevelDocument {
  type Root = Record<string, unknown>
  const options = { message: 'ceo', time: 1 }
  const plain = (leaf: string | number | boolean) => (typeof leaf === 'string' ? new ImmutableString(leaf) : leaf)
  let document: Doc<Root> = change(init<Root>({ actor: ACTOR }), options, (root) => {
    for (const [path, leaf] of leaves) root[path] = plain(leaf)
  })
  return {
    set(path, leaf) {
      document = change(document, options, (root) => {
        root[path] = plain(leaf)
      })
    },
    head: () => Buffer.from(getHeads(document)[0] ?? '', 'hex'),
    save: () => save(document),
    saveIncremental: () => saveIncremental(document),
    free: () => free(document),
  }
}

/** Hash of a handle's last change, 32 bytes. */
export const headOf = (handle: Handle): Uint8Array => Buffer.from(handle.getHeads()[0] ?? '', 'hex')
