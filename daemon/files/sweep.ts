import { MESH_SCOPE, parseScope, type Scope } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import { nextTurn } from '../../crdt/turns.ts'
import type { FilesIndex } from './files-index.ts'
import type { GuardedFolder, Listed } from './guarded-folder.ts'
import { parseMemoryFile } from './memory-file.ts'
import { decodeFileName, decodeName } from './names.ts'
import { Obstacle } from './obstacle.ts'
import { isCorrupt, isGone } from './plan.ts'
import { memoryPath, parseUnit, skillPath, type Unit } from './units.ts'

export interface SweepComponents {
  readonly store: Pick<EntryStore, 'get'>
  readonly index: FilesIndex
  readonly folder: GuardedFolder
}

/** What the mesh once had, as far as the index or the files themselves show it. In groups, also empty ones. */
export interface Sweep {
  /** Memories of which there are files, but that the mesh has no longer. */
  goneMemories(): AsyncGenerator<Unit[]>
  /** All skills of which there are files or were any, for what is gone in one scope may be there in another. */
  skills(): AsyncGenerator<Unit[]>
}

/** Records of the index read at once. Level keeps what an iterator read until it is collected: few, not many small. */
const PAGE = 1000
/** Entries are read in runs of so many, a millisecond: then others have their turn. */
const BREATH = 100

/**
 * Files that the index does not know are looked at too: they remain where the index was lost and entries were deleted
 * before it was made again. A memory's file names its entry; of a skill's folder only the name is known, so that it is
 * taken for what it was only where the mesh knows a deleted skill of that name in scope `mesh`.
 */
export function createSweep({ store, index, folder }: SweepComponents): Sweep {
  /** Units of what the index knows below a folder. */
  async function* indexed(below: string): AsyncGenerator<Unit[]> {
    for (let path = below; ; ) {
      const records = (await index.filesAfter(path, PAGE)).filter(([found]) => found.startsWith(below))
      const last = records.at(-1)
      if (last === undefined) return
      path = last[0]
      yield records.map(([, { unit }]) => parseUnit(unit))
    }
  }

  let run = 0
  async function isGoneNow(unit: Unit & { kind: 'memory' }): Promise<boolean> {
    if (++run % BREATH === 0) await nextTurn()
    return isGone(store, unit)
  }

  async function goneAmong(units: readonly Unit[]): Promise<Unit[]> {
    const gone: Unit[] = []
    for (const unit of units) if (unit.kind === 'memory' && (await isGoneNow(unit))) gone.push(unit)
    return gone
  }

  async function* leftoverMemories(): AsyncGenerator<Unit[]> {
    for await (const scopes of list('memory')) {
      for (const scopeName of scopes.folders) {
        for await (const { files } of list(`memory/${scopeName}`)) {
          const paths = files.filter((name) => name.endsWith('.md')).map((name) => `memory/${scopeName}/${name}`)
          const units: Unit[] = []
          for (const path of await unknown(paths)) {
            // Most are as they should be, and their names say so: a million need not be read.
            const named = namedBy(path)
            if (named !== undefined && !(await isGoneNow(named))) continue
            const unit = await memoryOf(path)
            if (unit !== undefined && (await isGoneNow(unit))) units.push(unit)
          }
          yield units
        }
      }
    }
  }

  async function* leftoverSkills(): AsyncGenerator<Unit[]> {
    for await (const { folders } of list('skills')) {
      const names = folders.map(decodeName).filter((name) => name !== undefined)
      const paths = new Map(names.map((name) => [skillPath(name), name]))
      const units: Unit[] = []
      for (const path of await unknown([...paths.keys()])) {
        const name = paths.get(path) as string
        if (await wasDeleted(name)) units.push({ kind: 'skill', name })
      }
      yield units
    }
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
    const bytes = await folder.read(path).catch(ignoreObstacle)
    const source = bytes && parseMemoryFile(bytes)
    if (source === undefined) return undefined
    const scope = scopeOf(source.scope)
    // A copy under another name is somebody's own.
    if (scope === undefined || memoryPath(scope, source.key) !== path) return undefined
    return { kind: 'memory', scope, key: source.key }
  }

  return {
    async *goneMemories() {
      for await (const units of indexed('memory/')) yield await goneAmong(units)
      yield* leftoverMemories()
    },
    async *skills() {
      yield* indexed('skills/')
      yield* leftoverSkills()
    },
  }

  async function* list(path: string): AsyncGenerator<Listed> {
    try {
      yield* folder.list(path)
    } catch (error) {
      ignoreObstacle(error)
    }
  }
}

/** What cannot be read here is met again, and said, when it is written. */
function ignoreObstacle(error: unknown): undefined {
  if (!(error instanceof Obstacle)) throw error
}

/** The memory that a path is of, by its names alone; undefined where one of them has a hash or is none of ours. */
function namedBy(path: string): (Unit & { kind: 'memory' }) | undefined {
  const [, scopeName = '', fileName = ''] = path.split('/')
  const scope = scopeOf(decodeName(scopeName) ?? '')
  const key = decodeFileName(fileName)
  return scope === undefined || key === undefined ? undefined : { kind: 'memory', scope, key }
}

function scopeOf(text: string): Scope | undefined {
  try {
    return parseScope(text)
  } catch (error) {
    if (error instanceof MeshError) return undefined
    throw error
  }
}
