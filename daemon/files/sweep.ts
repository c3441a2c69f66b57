import { MESH_SCOPE, parseScope, type Scope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { FilesIndex } from './files-index.ts'
import type { GuardedFolder } from './guarded-folder.ts'
import { parseMemoryFile } from './memory-file.ts'
import { decodeName } from './names.ts'
import { Obstacle } from './obstacle.ts'
import { isCorrupt, isGone } from './plan.ts'
import { memoryPath, skillPath, type Unit } from './units.ts'

export interface SweepComponents {
  readonly store: Pick<EntryStore, 'get'>
  readonly index: FilesIndex
  readonly folder: GuardedFolder
}

/**
 * Units of files that the index does not know, though the mesh once had them: what remains where the index was lost and
 * entries were deleted before it was made again. A memory's file names its entry; of a skill's folder only the name is
 * known, so that it is taken for what it was only where the mesh knows a deleted skill of that name in scope `mesh`.
 */
export async function* leftoverUnits({ store, index, folder }: SweepComponents): AsyncGenerator<Unit> {
  for (const scopeName of (await list('memory')).folders) {
    const paths = (await list(`memory/${scopeName}`)).files
      .filter((name) => name.endsWith('.md'))
      .map((name) => `memory/${scopeName}/${name}`)
    for (const path of await unknown(paths)) {
      const unit = await memoryOf(path)
      if (unit !== undefined && (await isGone(store, unit))) yield unit
    }
  }
  const names = (await list('skills')).folders.map(decodeName).filter((name) => name !== undefined)
  const paths = new Map(names.map((name) => [skillPath(name), name]))
  for (const path of await unknown([...paths.keys()])) {
    const name = paths.get(path) as string
    if (await wasDeleted(name)) yield { kind: 'skill', name }
  }

  async function unknown(found: readonly string[]): Promise<string[]> {
    const records = await index.files(found)
    return found.filter((_, i) => records[i] === undefined)
  }

  async function wasDeleted(name: string): Promise<boolean> {
    try {
      const entry = await store.get({ kind: 'skill', scope: MESH_SCOPE, key: name })
      return entry !== undefined && entry.row === undefined
    } catch (error) {
      if (isCorrupt(error)) return false
      throw error
    }
  }

  async function memoryOf(path: string): Promise<(Unit & { kind: 'memory' }) | undefined> {
    const bytes = await readable(folder.read(path))
    const source = bytes && parseMemoryFile(bytes)
    if (source === undefined) return undefined
    const scope = scopeOf(source.scope)
    // A copy under another name is somebody's own.
    if (scope === undefined || memoryPath(scope, source.key) !== path) return undefined
    return { kind: 'memory', scope, key: source.key }
  }

  async function list(path: string) {
    return (await readable(folder.list(path))) ?? { folders: [], files: [] }
  }
}

/** What cannot be read here is met again, and said, when it is written. */
async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Obstacle) return undefined
    throw error
  }
}

function scopeOf(text: string): Scope | undefined {
  try {
    return parseScope(text)
  } catch (error) {
    if (error instanceof MeshError) return undefined
    throw error
  }
}
