import { rm } from 'node:fs/promises'
import { Level } from 'level'
import type { Scope } from '../../crdt/entry/index.ts'
import type { Finding } from '../../transports/mesh.ts'
import type { FileStamp } from './guarded-folder.ts'
import { encodeName } from './names.ts'

/** What is known of a file that we wrote or were about to write. */
export interface FileRecord extends Partial<FileStamp> {
  /** SHA-256 (base64url) of what we wrote; while it is being written also of what may still be there instead. */
  readonly shas: readonly string[]
  /** Set before the file is touched and cleared after: a crash in between leaves it. */
  readonly open?: true
  /** Feed position of the entry's version that it shows. */
  readonly seq: number
  /** The unit that it shows, or the empty text for a file that shows many. */
  readonly unit: string
}

/** How far the files are, and by which rules they were written. */
export interface IndexProgress {
  /** Database and settings that the files follow: with others all of them are looked at anew. */
  readonly basis: string
  /** Feed position up to which every commit was seen to, save those that {@link walk} has still to come to. */
  readonly position: number
  /** Set while entries from before {@link position} are still to be looked at. */
  readonly walk?: WalkProgress
}

/** How far a look at every entry has come: so that one that was cut short goes on. */
export interface WalkProgress {
  /** The memory that was seen to last, in the order in which the replica lists them. */
  readonly after?: { readonly scope: Scope; readonly key: string }
}

/** One change of the index; undefined removes. */
export type IndexChange =
  | { readonly file: string; readonly record: FileRecord | undefined }
  | { readonly todo: string; readonly open: boolean }
  | { readonly notes: string; readonly findings: readonly Finding[] }
  | { readonly skill: string; readonly scope: Scope; readonly known: boolean }
  | { readonly progress: IndexProgress }

/**
 * What the view remembers: what it wrote where, what it could not write, in which scopes each skill exists. All of it
 * is derived: without it the files are compared with the mesh again.
 */
export interface FilesIndex {
  progress(): Promise<IndexProgress | undefined>
  files(paths: readonly string[]): Promise<(FileRecord | undefined)[]>
  /** At most `limit` records in order of path, of those after `path`. */
  filesAfter(path: string, limit: number): Promise<[path: string, record: FileRecord][]>
  /** Units whose files do not show them, in text form and in its order: at most `limit` of those after `unit`. */
  todosAfter(unit: string, limit: number): Promise<string[]>
  notes(): AsyncIterable<[unit: string, findings: Finding[]]>
  skillScopes(name: string): Promise<Scope[]>
  /** All or nothing. `sync` forces it to the disk. */
  write(changes: readonly IndexChange[], options?: { sync: boolean }): Promise<void>
  close(): Promise<void>
}

const PROGRESS = 'progress'
const FILE = 'file/'
const TODO = 'todo/'
const NOTES = 'notes/'
const SKILL = 'skill/'

/** Opens the index and makes it where there is none. A damaged one is thrown away. */
export async function openFilesIndex(path: string): Promise<FilesIndex> {
  const level = await openLevel(path)

  async function* range<V>(prefix: string, { after = '', limit = -1 } = {}): AsyncGenerator<[string, V]> {
    // No key goes on with a higher letter: paths are ASCII, texts come after a slash as JSON or an encoded name.
    for await (const [key, value] of level.iterator({ gt: prefix + after, lt: `${prefix}\uffff`, limit })) {
      yield [key.slice(prefix.length), value as V]
    }
  }

  return {
    progress: () => level.get(PROGRESS) as Promise<IndexProgress | undefined>,
    files: (paths) => level.getMany(paths.map((file) => FILE + file)) as Promise<(FileRecord | undefined)[]>,
    filesAfter: (after, limit) => Array.fromAsync(range<FileRecord>(FILE, { after, limit })),
    todosAfter: async (after, limit) => (await Array.fromAsync(range(TODO, { after, limit }))).map(([unit]) => unit),
    notes: () => range<Finding[]>(NOTES),
    async skillScopes(name) {
      const scopes: Scope[] = []
      for await (const [, scope] of range<Scope>(skillPrefix(name))) scopes.push(scope)
      return scopes
    },
    write: (changes, { sync } = { sync: false }) => level.batch(changes.map(operationOf), { sync }),
    close: () => level.close(),
  }
}

/** Removes an index that turned out to be damaged; the next opening makes an empty one. */
export async function dropFilesIndex(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
}

/** Whether an error of the index says that its data is damaged, rather than that the disk is full or busy. */
export function isDamage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: string }
    if (code === 'LEVEL_CORRUPTION' || code === 'LEVEL_DECODING_ERROR') return true
    // A table or manifest that the log names and that is gone.
    if (code === 'LEVEL_IO_ERROR' && /No such file/.test(cause.message)) return true
  }
  return false
}

async function openLevel(path: string): Promise<Level<string, unknown>> {
  const open = async () => {
    const level = new Level<string, unknown>(path, { valueEncoding: 'json' })
    await level.open()
    return level
  }
  try {
    return await open()
  } catch (error) {
    if (!isDamage(error)) throw error
    await dropFilesIndex(path)
    return open()
  }
}

function operationOf(change: IndexChange) {
  const put = (key: string, value: unknown) =>
    value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value }
  if ('file' in change) return put(FILE + change.file, change.record)
  if ('todo' in change) return put(TODO + change.todo, change.open ? true : undefined)
  if ('notes' in change) return put(NOTES + change.notes, change.findings.length > 0 ? change.findings : undefined)
  if ('skill' in change) return put(skillPrefix(change.skill) + change.scope, change.known ? change.scope : undefined)
  return put(PROGRESS, change.progress)
}

/** Ends with a slash, which no encoded name holds. */
function skillPrefix(name: string): string {
  return `${SKILL}${encodeName(name)}/`
}
