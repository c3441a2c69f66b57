import { Option } from 'commander'
import type { EntryRef, MemoryRow, SkillRow, Tagged } from '../daemon/api/client.ts'
import type { Context } from './context.ts'
import { escapeLine } from './output/index.ts'

/** Options of commands that take a memory or a skill alike. */
export interface EntryOptions {
  /** `mesh` where it is absent. */
  scope?: string
  skill?: true
}

/** No terminal is wider: what is longer is cut before it is escaped and measured. */
const MAX_CELL = 1000

/** The option that makes KEY the name of a skill. */
export function skillOption(): Option {
  return new Option('--skill', 'KEY is the name of a skill')
}

/** The entry that was meant. */
export function entryOf({ scope = 'mesh', skill }: EntryOptions, key: string): EntryRef {
  return { kind: skill ? 'skill' : 'memory', scope, key }
}

/** What an entry is called in a sentence, escaped: `mesh/plan`, `skill weather`. */
export function nameOf({ kind, scope = 'mesh', key }: EntryRef): string {
  return escapeLine(kind === 'skill' ? `skill ${key}` : `${scope}/${key}`)
}

/** The live row of an entry. */
export function readRow({ client, signal }: Context, entry: EntryRef): Promise<Tagged<MemoryRow | SkillRow>> {
  const { kind, scope = 'mesh', key } = entry
  return kind === 'skill' ? client().getSkill(key, scope, { signal }) : client().getMemory(scope, key, { signal })
}

/** What a row holds: the value of a memory; of a skill its text, or where it has none its path. */
export function contentOf(row: MemoryRow | SkillRow): unknown {
  return 'name' in row ? (row.content ?? row.path) : row.value
}

/** A value in one line of a table: text as it is, else JSON; escaped, and cut where no terminal would show it. */
export function cellOf(value: unknown): string {
  return escapeLine((typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_CELL))
}
