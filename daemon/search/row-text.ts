import type { JsonValue, Kind, MemoryRow, SkillRow } from '../../crdt/entry/types.ts'
import { indexable, nameParts } from './words.ts'

/** Expiry of a row, where rows have one. */
interface Expiring {
  /** Unix seconds. */
  readonly expires_at?: number | null
}

/** What the index holds of an entry. */
export interface IndexedText {
  /** The words of key or name. */
  readonly key: string
  readonly body: string
  /** Unix seconds, or null. */
  readonly expiresAt: number | null
}

/** What is indexed of a row. @param json the row as the replica stores it */
export function indexedText(kind: Kind, key: string, json: string): IndexedText {
  const row = JSON.parse(json) as (MemoryRow | SkillRow) & Expiring
  return { key: withParts(key), body: withParts(bodyOf(kind, row)), expiresAt: row.expires_at ?? null }
}

/** The text of a row that people read in snippets, and that is searched. */
export function readableText(kind: Kind, json: string): string {
  return bodyOf(kind, JSON.parse(json) as MemoryRow | SkillRow)
}

function bodyOf(kind: Kind, row: MemoryRow | SkillRow): string {
  if (kind === 'memory') return flat((row as MemoryRow).value)
  const { content, path } = row as SkillRow
  return [content, path].filter((part) => part !== null).join('\n')
}

/** `title: Plan, tags: a, b`: every text, number and literal, and every member's name. */
function flat(value: JsonValue): string {
  const parts: string[] = []
  flatten(value, '', parts)
  return parts.join(', ')
}

function flatten(value: JsonValue, label: string, parts: string[]): void {
  if (typeof value !== 'object' || value === null) {
    parts.push(`${label}${value}`)
    return
  }
  const members = Object.entries(value)
  if (members.length === 0 && label !== '') parts.push(label)
  for (const [index, [name, member]] of members.entries()) {
    // The name of what is nested stands before the first thing in it.
    const outer = index === 0 ? label : ''
    flatten(member, Array.isArray(value) ? outer : `${outer}${name}: `, parts)
  }
}

/** Parts of names come last, so that what stands together in the text does so in the index. */
function withParts(text: string): string {
  const parts = nameParts(text)
  return indexable(parts.length === 0 ? text : `${text} ${parts.join(' ')}`)
}
