import type { EntryId, JsonValue, Row } from '../../crdt/entry/index.ts'
import type { ScannedEntry } from '../../crdt/secrets/index.ts'

/** An entry as the guard looks at it. */
export function scannedRow({ key }: EntryId, row: Row): ScannedEntry {
  return 'value' in row
    ? { kind: 'memory', key, value: row.value }
    : { kind: 'skill', key, content: row.content, path: row.path }
}

/**
 * One value of an entry in its place, so that the names above it count: the value of a memory under an RFC 6901 path, the
 * `content` or `path` of a skill.
 */
export function scannedPlace({ kind, key }: EntryId, path: string, value: JsonValue): ScannedEntry {
  if (kind === 'skill') return { kind, key, content: null, path: null, [path]: String(value) }
  const names = path.split('/').slice(1).reverse()
  const placed = names.reduce<JsonValue>((inner, name) => ({ [unescaped(name)]: inner }), value)
  return { kind, key, value: placed }
}

const unescaped = (name: string) => name.replaceAll('~1', '/').replaceAll('~0', '~')
