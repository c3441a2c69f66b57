/** Memory (a JSON fact under scope and key) or skill (a SKILL.md document under scope and name). */
export type Kind = 'memory' | 'skill'

/** `node`, `mesh`, `federation`, `user:<id>`, `user:<tenant>:<id>` or `tenant:<id>`; made by `parseScope`. */
export type Scope = string & { readonly __brand: 'Scope' }

/** The unit that merges, syncs and has a history. For a skill `key` is its name. */
export interface EntryId {
  readonly kind: Kind
  readonly scope: Scope
  readonly key: string
}

/** Any JSON value. Numbers are finite; strings are well-formed Unicode. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** The JSON view of a memory entry, field names as every mesh tool knows them. */
export interface MemoryRow {
  readonly scope: string
  readonly key: string
  readonly value: JsonValue
  /** The name that the latest author gave: who says this. */
  readonly node_id: string
  /** Unix seconds of the latest change. For people: it decides nothing between replicas. */
  readonly updated_at: number
  /** Unix seconds from which on each node, by its own clock, hides the entry; absent where it never does. */
  readonly expires_at?: number
}

/** The JSON view of a skill. Exactly one of `content` and `path` is text, or both where both were written. */
export interface SkillRow {
  readonly name: string
  /** The name that the latest author gave. */
  readonly source_node: string
  /** SKILL.md, byte for byte; null for a skill that is only a path. */
  readonly content: string | null
  /** Where the author says it lives; text that nothing here opens. */
  readonly path: string | null
  /** Unix seconds of the latest change. */
  readonly updated_at: number
  readonly scope: string
  /** As for a memory. */
  readonly expires_at?: number
}

export type Row = MemoryRow | SkillRow

/** One place of an entry at which concurrent writes disagree. The row shows the first of `values`. */
export interface Conflict {
  /** RFC 6901 path inside the value (`''` is the whole); `content` or `path` for a skill. */
  readonly path: string
  /** Every value that is live there, the one that the row shows first. */
  readonly values: readonly ConflictingValue[]
}

export interface ConflictingValue {
  readonly value: JsonValue
  /** Hex hash of the change that wrote it, or undefined for a value shadowed by deeper paths of the row. */
  readonly nodeId: string
  readonly updatedAt: number
}

/** One change of an entry, oldest first in a history. */
export interface Revision {
  /** Hex hash of the Automerge change. */
  readonly hash: string
  readonly nodeId: string
  /** Unix seconds, as the author's clock and the entry's monotony rule gave it. */
  readonly at: number
  readonly action: 'put' | 'delete'
}
