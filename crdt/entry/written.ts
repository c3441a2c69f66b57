import { type DecodedOp, decodedOps } from './automerge.ts'
import { fromLeaves, isLeafPath, type Leaves, shadowedPaths } from './leaves.ts'
import type { JsonValue, Kind } from './types.ts'

/** What a change adds to an entry: leaves of a memory as one value, lines and path of a skill. */
export type Written =
  | { readonly kind: 'memory'; readonly value: JsonValue }
  | { readonly kind: 'skill'; readonly content: string | null; readonly path: string | null }

const fromText = new TextDecoder()

/**
 * What a change writes, whether or not the entry shows it: another change may hide it, and it travels all the same.
 * @param change encoded, sound
 */
export function writtenBy(kind: Kind, change: Uint8Array): Written {
  const ops = decodedOps(change).filter(({ action, value }) => action === 'set' && value !== undefined)
  if (kind === 'memory') {
    const leaves: Leaves = new Map(ops.flatMap((op) => (isLeaf(op) ? [[op.key, textOf(op.value)] as const] : [])))
    return { kind, value: fromLeaves(leaves, shadowedPaths(leaves)) }
  }
  const texts = ops.filter(({ value }) => typeof value === 'string')
  const path = texts.find(({ key }) => key === 'path')?.value as string | undefined
  const lines = texts.filter(({ key }) => key === undefined).map(({ value }) => value as string)
  return { kind, content: lines.length === 0 ? null : lines.join(''), path: path ?? null }
}

const isLeaf = (op: DecodedOp): op is DecodedOp & { readonly key: string } =>
  op.obj === '_root' && op.key !== undefined && isLeafPath(op.key)

/** Arrays are bytes of their JSON, which come as a list of numbers: as text here, which says as much. */
function textOf(value: unknown): JsonValue {
  if (Array.isArray(value)) return fromText.decode(Uint8Array.from(value as number[]))
  return typeof value === 'string' || typeof value === 'boolean' ? value : null
}
