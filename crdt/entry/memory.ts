import { type Handle, newHandle, valuesAt } from './automerge.ts'
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
  const [change] = handle.getChanges([])
  handle.free()
  if (change === undefined) throw new Error('impossible: an empty change was just made')
  return change
})()

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

/** The shown value of each leaf. */
export function shownLeaves(states: readonly LeafState[]): Leaves {
  return new Map(states.map(({ path, values }) => [path, values[0]?.value as JsonValue]))
}

/**
 * Puts the difference between a document's leaves and `value`: nothing else is touched, so that concurrent edits of
 * other places survive, and a place in conflict stays so until something is written there.
 */
export function writeMemory(handle: Handle, value: JsonValue): void {
  const wanted = toLeaves(value)
  const shown = shownLeaves(readLeaves(handle))
  const kept = (path: string) => wanted.has(path) && shown.has(path)
  const stillShadowed = new Set([...shown.keys()].filter(kept).flatMap((path) => [...ancestors(path)]))
  for (const path of shown.keys()) {
    if (!wanted.has(path) && !stillShadowed.has(path)) handle.delete('_root', path)
  }
  // Sorted: a derived change must come out byte for byte alike, in whatever order a message has its members.
  for (const [path, leaf] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const current = shown.get(path)
    if (current === undefined || canonicalJson(current) !== canonicalJson(leaf)) putLeaf(handle, path, leaf)
  }
}

/** The value that a document shows. */
export function readMemory(handle: Handle): JsonValue {
  return fromLeaves(shownLeaves(readLeaves(handle)))
}

/** Places at which live values differ: several at one leaf, or a leaf above deeper live ones. */
export function memoryConflicts(states: readonly LeafState[]): LeafState[] {
  const shadowed = shadowedPaths(states.map(({ path }) => path))
  return states.filter(({ path, values }) => {
    if (shadowed.has(path)) return values.some(({ value }) => !isEmptyObject(value))
    return new Set(values.map(({ value }) => canonicalJson(value))).size > 1
  })
}

type Value = Parameters<Handle['put']>[2]
type Datatype = NonNullable<Parameters<Handle['put']>[3]>

// Arrays and the empty object are one op each: their JSON as bytes. Nested Automerge objects would merge inside, need
// an op an element, and lose large numbers (Float64 inside a nested array comes back as {value: 9007199254740992n}).
const text = new TextEncoder()
const fromText = new TextDecoder('utf-8', { fatal: true })

function putLeaf(handle: Handle, path: string, leaf: JsonValue): void {
  handle.put('_root', path, ...typed(leaf))
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
