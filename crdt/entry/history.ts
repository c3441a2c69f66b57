import { type ChangeMeta, changesMeta, type Handle } from './automerge.ts'
import { canonicalJson } from './json-value.ts'
import { namesOf } from './leaves.ts'
import { readLeaves, readMemory } from './memory.ts'
import { readPaths, readTexts } from './skill.ts'
import { LIVE, type State } from './state.ts'
import type { Conflict, ConflictingValue, JsonValue, Revision } from './types.ts'

/** Changes of a document that have an author, dependencies first: all but the first ones. */
export function authoredChanges(handle: Handle): ChangeMeta[] {
  return changesMeta(handle).filter(({ deps }) => deps.length > 0)
}

/** See {@link EntryDocument.history}. */
export function readHistory(handle: Handle): Revision[] {
  return inOrder(authoredChanges(handle)).map(({ hash, message, time }) => {
    const ops = handle.getDecodedChangeByHash(hash)?.ops ?? []
    const deletes = ops.some((op) => op.action === 'del' && op.obj === '_root' && op.key === LIVE)
    return { hash, nodeId: message ?? '', at: time, action: deletes ? 'delete' : 'put' }
  })
}

/** Every place of a live memory at which values differ. */
export function readMemoryConflicts(handle: Handle, { leaves, author, updatedAt }: State): Conflict[] {
  const { value: whole, conflicts } = readMemory(leaves)
  const places = readLeaves(handle).filter(({ path }) => conflicts.has(path))
  return places.map(({ path, values }) => {
    const said = values.map(({ value, opId }) => whoSaid(handle, value, opId))
    const shownValue = valueAt(whole, path)
    const isShown = canonicalJson(shownValue) === canonicalJson(values[0]?.value ?? null)
    return { path, values: isShown ? said : [{ value: shownValue, nodeId: author, updatedAt }, ...said] }
  })
}

/** Every place of a live skill at which values differ. */
export function readSkillConflicts(handle: Handle): Conflict[] {
  const texts = readTexts(handle).map(({ value, objectId }) => ({ value, opId: objectId }))
  const places = { content: texts, path: readPaths(handle) }
  return Object.entries(places).flatMap(([path, values]) =>
    new Set(values.map(({ value }) => value)).size > 1
      ? [{ path, values: values.map(({ value, opId }) => whoSaid(handle, value, opId)) }]
      : [],
  )
}

/** Whom and when a live value is from: the change that holds its op. */
function whoSaid(handle: Handle, value: JsonValue, opId: string): ConflictingValue {
  const [counter, actor] = opId.split('@')
  const op = Number(counter)
  const all = changesMeta(handle)
  const holder = all.find((m) => m.actor === actor && m.startOp <= op && op <= m.maxOp)
  // A first change is nobody's: it is said by whoever was the first to build on it.
  const meta = holder?.deps.length === 0 ? inOrder(all).find(({ deps }) => deps.includes(holder.hash)) : holder
  return { value, nodeId: meta?.message ?? '', updatedAt: meta?.time ?? 0 }
}

/** Dependencies first, else by time, then hash: one order on every node, in whatever order changes came. */
function inOrder(changes: readonly ChangeMeta[]): ChangeMeta[] {
  const depth = new Map<string, number>()
  for (const { hash, deps } of changes) depth.set(hash, 1 + Math.max(0, ...deps.map((dep) => depth.get(dep) ?? 0)))
  return changes.toSorted(
    (a, b) => a.time - b.time || (depth.get(a.hash) ?? 0) - (depth.get(b.hash) ?? 0) || (a.hash < b.hash ? -1 : 1),
  )
}

function valueAt(whole: JsonValue, path: string): JsonValue {
  let node = whole
  for (const name of namesOf(path)) {
    node = (node as { readonly [name: string]: JsonValue })[name] ?? null
  }
  return node
}
