import type { MemoryRow, Scope, SkillRow } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { EntryStore, StoredEntry } from '../../crdt/replica/replica.ts'
import type { Finding } from '../../transports/mesh.ts'
import type { FilesIndex, IndexChange } from './files-index.ts'
import type { IsOurs } from './guarded-folder.ts'
import { parseMemoryFile, renderMemory } from './memory-file.ts'
import { encodeName } from './names.ts'
import { skillFault } from './skill-rules.ts'
import { flatSkillPath, memoryPath, skillPath, type Unit, unitKey } from './units.ts'

/** A file as it should be. */
export interface WantedFile {
  /** Relative to the mesh folder. */
  readonly path: string
  /** Its content, or undefined where there should be none. */
  readonly bytes: Buffer | undefined
  /** Feed position of the version that it shows. */
  readonly seq: number
  /** Whether a file is looked for also where the index knows of none: the mesh deleted the entry. */
  readonly deleted: boolean
  /** Whether a content is ours by what stands in it, whatever the index says. */
  readonly isOurs: IsOurs
}

/** How a unit should be shown. */
export interface Plan {
  readonly unit: Unit
  readonly files: readonly WantedFile[]
  /** What to remember with it. */
  readonly changes: readonly IndexChange[]
  /** What there is to say of it; paths relative to the mesh folder. */
  readonly notes: readonly Finding[]
}

export interface PlanComponents {
  readonly store: Pick<EntryStore, 'get'>
  readonly index: FilesIndex
  /** Whether skills are also written as `skills/<name>.md`. */
  readonly flatSkills: boolean
}

/** Which scope's skill has the folder where several have one of its name. Within a rank the scope's text decides. */
const SCOPE_RANKS = ['mesh', 'federation', 'tenant', 'user', 'node']

/**
 * @throws {MeshError} what reading the replica throws, save for a damaged entry, which becomes undefined: its file is
 * left as it is
 */
export async function planUnit(unit: Unit, components: PlanComponents): Promise<Plan | undefined> {
  try {
    if (unit.kind === 'skill') return await planSkill(unit, components)
    return planMemory(unit, await components.store.get({ ...unit }))
  } catch (error) {
    if (isCorrupt(error)) return undefined
    throw error
  }
}

/** Whether the mesh does not have this entry, or no longer. A damaged entry is there. */
export async function isGone(store: Pick<EntryStore, 'get'>, unit: Unit & { kind: 'memory' }): Promise<boolean> {
  try {
    return (await store.get({ ...unit }))?.row === undefined
  } catch (error) {
    if (isCorrupt(error)) return false
    throw error
  }
}

/** Whether the replica could not be read because some value in it is damaged. */
export function isCorrupt(error: unknown): boolean {
  return error instanceof MeshError && error.code === 'STORAGE_CORRUPT'
}

function planMemory(unit: Unit & { kind: 'memory' }, entry: StoredEntry | undefined): Plan {
  const row = entry?.row as MemoryRow | undefined
  const file: WantedFile = {
    path: memoryPath(unit.scope, unit.key),
    bytes: row && renderMemory(row),
    seq: entry?.seq ?? 0,
    deleted: row === undefined,
    isOurs: (bytes) => {
      const source = parseMemoryFile(bytes)
      return source?.scope === unit.scope && source.key === unit.key
    },
  }
  return { unit, files: [file], changes: [], notes: [] }
}

async function planSkill(unit: Unit & { kind: 'skill' }, { store, index, flatSkills }: PlanComponents): Promise<Plan> {
  const { name } = unit
  const changes: IndexChange[] = []
  const live: { scope: Scope; row: SkillRow; seq: number }[] = []
  for (const scope of (await index.skillScopes(name)).sort(byRank)) {
    const entry = await store.get({ kind: 'skill', scope, key: name })
    if (entry?.row === undefined) changes.push({ skill: name, scope, known: false })
    else live.push({ scope, row: entry.row as SkillRow, seq: entry.seq })
  }
  // What is only a path has nothing to be written.
  const [shown, ...hidden] = live.filter(({ row }) => row.content !== null)
  const content = shown?.row.content ?? undefined
  const bytes = content === undefined ? undefined : Buffer.from(content)
  const of = { bytes, seq: shown?.seq ?? 0, isOurs: () => false }
  const files = [
    { ...of, path: skillPath(name), deleted: live.length === 0 },
    { ...of, path: flatSkillPath(name), bytes: flatSkills ? bytes : undefined, deleted: false },
  ]
  const notes: Finding[] = []
  const fault = content === undefined ? undefined : skillFault(name, content)
  if (fault !== undefined) notes.push(skillNote(name, fault))
  if (shown !== undefined && hidden.length > 0) notes.push(hiddenNote(name, shown, hidden))
  changes.push({ notes: unitKey(unit), findings: notes })
  return { unit, files, changes, notes }
}

function skillNote(name: string, fault: string): Finding {
  return {
    checkId: 'files.skill-name',
    severity: 'info',
    message: `the skill is written, but OpenClaw ${fault}`,
    path: skillPath(name),
    fixHint: 'give it frontmatter with its name (lower-case letters, digits, hyphens) and a description',
  }
}

function hiddenNote(name: string, shown: { scope: Scope }, hidden: readonly { scope: Scope }[]): Finding {
  // As folders are named: a scope's own letters are not for terminals.
  const others = hidden.map(({ scope }) => encodeName(scope)).join(', ')
  return {
    checkId: 'files.skill-shadowed',
    severity: 'info',
    message: `agents see this skill of scope ${encodeName(shown.scope)}; those of its name in ${others} are not written`,
    path: skillPath(name),
    fixHint: 'give the skills of the other scopes names of their own',
  }
}

function byRank(one: Scope, other: Scope): number {
  return rankOf(one) - rankOf(other) || (one < other ? -1 : 1)
}

function rankOf(scope: Scope): number {
  return SCOPE_RANKS.indexOf(scope.split(':')[0] as string)
}
