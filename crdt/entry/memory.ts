import { type Handle, lastChange, newHandle, valuesAt } from './automerge.ts'
import { canonicalJson, parseJsonValue } from './json-value.ts'
import { ancestors, fromLeaves, isEmptyObject, isLeafPath, type Leaves, shadowedPaths, toLeaves } from './leaves.ts'
import type { JsonValue } from './types.ts'

const FIRST_ACTOR = '00'.repeat(16)

/**
 * The first change of every memory entry on every node: empty, by one fixed actor, at time 0. Entries that two nodes
 * create at once so have a common root and merge leaf by leaf.
 */
export const MEMORY_FIRST_CHANGE: Uint8Array = (() => {
  const handle = newHandle(FIRST_ACTOR)
  handle.emptyChange(null, 0)
  const change = lastChange(handle)
  handle.free()
  return change
})()

/** Holds the first change alone; kept, since a copy of it is made in a quarter of the time. */
const BEGINNING = newHandle(FIRST_ACTOR)
BEGINNING.applyChanges([MEMORY_FIRST_CHANGE])

/** A document that holds {@link MEMORY_FIRST_CHANGE} and nothing else. @param actor hex */
export function beginMemory(actor: string): Handle {
  return BEGINNING.clone(actor)
}

/** What is live at one leaf path: the value shown, and every live value (the shown one first). */
interface LeafState {
  readonly path: string
  readonly values: readonly { readonly value: JsonValue; readonly opId: string }[]
}

/** Every leaf of a memory document. Values of types that this format does not write are left out. */
export function readLeaves(handle: Handle): LeafState[] {
  const states: LeafState[] = []
  for (const path of handle.keys('_root')) {
    if (!isLeafPath(path)) continue
    const values = []
    for (const [datatype, raw, opId] of valuesAt(handle, path)) {
      const value = decodeLeaf(datatype, raw)
      if (value !== undefined) values.unshift({ value, opId })
    }
    if (values.length > 0) states.push({ path, values })
  }
  return states
}

/** Every live value of each leaf, the shown one first. */
export type LiveLeaves = ReadonlyMap<string, readonly JsonValue[]>

/** What is live, without the ops that wrote it. */
export function liveLeaves(states: readonly LeafState[]): LiveLeaves {
  return new Map(states.map(({ path, values }) => [path, values.map(({ value }) => value)]))
}

/**
 * Puts the difference between a document's leaves and `value`: nothing else is touched, so that concurrent edits of
 * other places survive, and a place in conflict stays so until something is written there.
 * @param leaves what is live in the document. Returns what is live in it then.
 * @param settled places at which `value` is written also where it is what they show, so that nothing else is live there
 */
export function writeMemory(
  handle: Handle,
  leaves: LiveLeaves,
  value: JsonValue,
  settled: ReadonlySet<string> = new Set(),
): LiveLeaves {
  const wanted = toLeaves(value)
  const after = new Map(leaves)
  const differing = [...wanted].filter(([path, leaf]) => settled.has(path) || !isShown(leaves.get(path), leaf))
  const unwanted = [...leaves.keys()].filter((path) => !wanted.has(path))
  if (unwanted.length > 0) {
    const kept = [...wanted.keys()].filter((path) => leaves.has(path))
    const stillShadowed = new Set(kept.flatMap(ancestors))
    for (const path of unwanted) {
      if (stillShadowed.has(path) && !settled.has(path)) continue
      handle.delete('_root', path)
      after.delete(path)
    }
  }
  // Sorted: a derived change must come out byte for byte alike, in whatever order a message has its members.
  for (const [path, leaf] of differing.sort(([a], [b]) => (a < b ? -1 : 1))) {
    after.set(path, [putLeaf(handle, path, leaf)])
  }
  return after
}

function isShown(live: readonly JsonValue[] | undefined, leaf: JsonValue): boolean {
  if (live === undefined) return false
  const shown = live[0] as JsonValue
  return shown === leaf || (typeof shown === 'object' && canonicalJson(shown) === canonicalJson(leaf))
}

/**
 * The value that leaves show, and the paths at which live values differ: several at one leaf, or a leaf above deeper
 * live ones.
 */
export function readMemory(leaves: LiveLeaves): { value: JsonValue; conflicts: ReadonlySet<string> } {
  const shadowed = shadowedPaths(leaves)
  const shown: Leaves = new Map()
  const conflicts = new Set<string>()
  for (const [path, values] of leaves) {
    shown.set(path, values[0] as JsonValue)
    const differ = shadowed.has(path)
      ? values.some((value) => !isEmptyObject(value))
      : values.length > 1 && new Set(values.map(canonicalJson)).size > 1
    if (differ) conflicts.add(path)
  }
  return { value: fromLeaves(shown, shadowed), conflicts }
}

type Value = Parameters<Handle['put']>[2]
type Datatype = NonNullable<Parameters<Handle['put']>[3]>

// Arrays and the empty object are one op each: their JSON as bytes. Nested Automerge objects would merge inside, need
// an op an element, and lose large numbers (Float64 inside a nested array comes back as {value: 9007199254740992n}).
const text = new TextEncoder()
const fromText = new TextDecoder('utf-8', { fatal: true })

/** Returns the leaf as it will be read. */
function putLeaf(handle: Handle, path: string, leaf: JsonValue): JsonValue {
  const [value, datatype] = typed(leaf)
  handle.put('_root', path, value, datatype)
  return decodeLeaf(datatype, value) as JsonValue
}

function typed(leaf: JsonValue): [value: Value, datatype: Datatype] {
  switch (typeof leaf) {
    case 'string':
      return [leaf, 'str']
    case 'boolean':
      return [leaf, 'boolean']
    case 'number':
      // Beyond ±(2^53−1) an integer would come back as another one, or as a BigInt. −0 becomes 0.
      return [leaf === 0 ? 0 : leaf, Number.isSafeInteger(leaf) ? 'int' : 'f64']
    default:
      return leaf === null ? [null, 'null'] : [text.encode(canonicalJson(leaf)), 'bytes']
  }
}

function decodeLeaf(datatype: string, raw: unknown): JsonValue | undefined {
  switch (datatype) {
    case 'str':
    case 'boolean':
    case 'null':
      return raw as JsonValue
    case 'int':
    case 'uint':
      // Integers of more than 32 bits arrive as BigInt.
      return Number(raw)
    case 'f64':
      return Number.isFinite(raw) ? (raw as number) : undefined
    case 'bytes':
      return decodeNested(raw as Uint8Array)
    default:
      return undefined
  }
}

function decodeNested(bytes: Uint8Array): JsonValue | undefined {
  try {
    const value = parseJsonValue(JSON.parse(fromText.decode(bytes)))
    return Array.isArray(value) || isEmptyObject(value) ? value : undefined
  } catch {
    // Another's document may hold any bytes; what this format does not write is not shown.
    return undefined
  }
}
