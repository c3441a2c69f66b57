import type { MemoryRow, SkillRow } from '../../daemon/api/client.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'

export const FORMATS = ['jsonl', 'memory-json'] as const
export type FormatName = (typeof FORMATS)[number]

/** Turns rows into the text of one export, in their order. */
export interface Format {
  /** Whether skills have a place in it. */
  readonly holdsSkills: boolean
  /** Stands before the first row. */
  readonly head: string
  memory(row: MemoryRow): string
  skill(row: SkillRow): string
  /** Stands behind the last row. @throws {CliError} where what was written could not be told apart when read */
  tail(): string
  /** What a reader should know about what was written, a line each. */
  notes(): string[]
}

/** Makes the format of one export. */
export function createFormat(name: FormatName): Format {
  return name === 'jsonl' ? lines() : legacyMemory()
}

/** A row a line, its kind first. */
function lines(): Format {
  const line = (kind: string, row: object) => `${JSON.stringify({ kind, ...row })}\n`
  return {
    holdsSkills: true,
    head: '',
    memory: (row) => line('memory', row),
    skill: (row) => line('skill', row),
    tail: () => '',
    notes: () => [],
  }
}

/**
 * One object as older tools keep it: keys `scope:key`, values `{value, nodeId, ts}`. Of `user:a:b:c` such a key does not
 * say whether the scope is `user:a` or `user:a:b`; who reads it must know that `a` is a tenant.
 */
function legacyMemory(): Format {
  let first = true
  let ending = 0
  const tenants = new Set<string>()
  /** Users with a key that holds a colon: were they tenants too, it could be read in two ways. */
  const users = new Set<string>()
  const look = ({ scope, key, expires_at }: MemoryRow): void => {
    const [head, id = '', second] = scope.split(':')
    if (head === 'tenant' || (head === 'user' && second !== undefined)) tenants.add(id)
    else if (head === 'user' && key.includes(':')) users.add(id)
    if (expires_at !== undefined) ending++
  }
  return {
    holdsSkills: false,
    head: '{',
    memory(row) {
      look(row)
      const comma = first ? '\n' : ',\n'
      first = false
      const entry = { value: row.value, nodeId: row.node_id, ts: row.updated_at }
      return `${comma}${JSON.stringify(`${row.scope}:${row.key}`)}: ${JSON.stringify(entry)}`
    },
    skill: () => '',
    tail() {
      const [both] = users.intersection(tenants)
      if (both === undefined) return first ? '}\n' : '\n}\n'
      throw new CliError(`memory-json cannot tell user:${both} and tenant ${both} apart`, {
        type: 'EXPORT_AMBIGUOUS',
        exit: EXIT.refused,
        field: '--format',
        hint: `export them one by one (--scope), or as jsonl`,
      })
    },
    notes: () => [
      ...(tenants.size > 0
        ? [`to read it: mesh import FILE${[...tenants].map((id) => ` --tenant ${id}`).join('')}`]
        : []),
      ...(ending > 0 ? [`memory-json cannot say when an entry ends; ${ending} of these have an end`] : []),
    ],
  }
}
