import type { EntryId, Scope } from '../../crdt/entry/index.ts'
import { encodeFileName, encodeName } from './names.ts'

/** What is shown as one: a memory, or all skills of one name, of which one can have the folder. */
export type Unit =
  | { readonly kind: 'memory'; readonly scope: Scope; readonly key: string }
  | { readonly kind: 'skill'; readonly name: string }

/** The unit that shows an entry. */
export function unitOf({ kind, scope, key }: EntryId): Unit {
  return kind === 'memory' ? { kind, scope, key } : { kind, name: key }
}

/** A unit as text, for indexes and sets. */
export function unitKey(unit: Unit): string {
  return JSON.stringify(unit.kind === 'memory' ? ['memory', unit.scope, unit.key] : ['skill', unit.name])
}

/** The way back from {@link unitKey}. */
export function parseUnit(text: string): Unit {
  const [kind, first, second] = JSON.parse(text) as [Unit['kind'], string, string]
  return kind === 'memory' ? { kind, scope: first as Scope, key: second } : { kind, name: first }
}

/** Path of a memory's file, relative to the mesh folder. */
export function memoryPath(scope: Scope, key: string): string {
  return `memory/${encodeName(scope)}/${encodeFileName(key)}`
}

/** Path of a skill's SKILL.md, relative to the mesh folder. */
export function skillPath(name: string): string {
  return `skills/${encodeName(name)}/SKILL.md`
}

/** Path of a skill in the form that older tools read. No folder has such a name: {@link encodeName} sees to it. */
export function flatSkillPath(name: string): string {
  return `skills/${encodeFileName(name)}`
}
