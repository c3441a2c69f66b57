import { createHash } from 'node:crypto'
import { constants, type Dirent, type Stats } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, opendir, rename, rmdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { eachLimited } from './each-limited.ts'
import { type Fault, Obstacle, obstacleOf } from './obstacle.ts'

/** Enough of a file's metadata to see that it was changed or replaced. */
export interface FileStamp {
  readonly size: number
  readonly mtimeMs: number
  readonly ino: number
}

/** What {@link GuardedFolder.replace} did; `foreign` is a file whose content is not ours to replace. */
export type Replaced =
  | { readonly outcome: 'written' | 'same'; readonly stamp: FileStamp }
  | { readonly outcome: 'foreign' }

/** Says of a file's bytes whether they may be replaced or removed without anybody losing anything. */
export type IsOurs = (bytes: Buffer) => boolean

/**
 * Folders that were looked at for a group of files, so that each is looked at once: three looks a file were most of the
 * cost of writing thousands. Made empty for a group, and forgotten with it within a second.
 */
export type Looks = Map<string, Promise<boolean>>

export interface ReplaceOptions {
  /** Whether the content is forced to the disk before the file is shown. */
  readonly sync: boolean
  readonly looks?: Looks
}

/**
 * A folder in which files appear whole, under names relative to it, and never through a symbolic link: each folder on
 * the way and the file itself are looked at first. (Who can change the folder between look and write is the user that it
 * belongs to.) Methods throw {@link Obstacle} where something is in the way, and
 * nothing else.
 */
export interface GuardedFolder {
  /** Makes `bytes` the content of the file, unless another content is there that is not ours. */
  replace(path: string, bytes: Buffer, isOurs: IsOurs, options: ReplaceOptions): Promise<Replaced>
  /** Removes the file if it is ours, and the folder that it was in if that is two levels down and now empty. */
  drop(path: string, isOurs: IsOurs, looks?: Looks): Promise<'removed' | 'absent' | 'foreign'>
  /** What is there now in place of each file; undefined is nothing. Throws nothing: `blocked` is an obstacle. */
  stamps(paths: readonly string[]): Promise<(FileStamp | 'blocked' | undefined)[]>
  /** The content of a file, or undefined where there is none or one too large to be ours. */
  read(path: string): Promise<Buffer | undefined>
  /** Makes a folder, and those above it, where there is none. */
  make(path: string): Promise<void>
  /** What is in a folder, in groups: a million names are too much for memory. Nothing where there is no folder. */
  list(path: string): AsyncIterable<Listed>
}

/** Names of folders and files, and of nothing else. */
export interface Listed {
  readonly folders: readonly string[]
  readonly files: readonly string[]
}

export interface GuardedFolderInit {
  /** Absolute. */
  readonly root: string
  /** Whether the root itself is made (its parent must exist) and may be no link; else it is taken as it is. */
  readonly owned: boolean
  /** Told of a folder that has to be made though it was there a moment ago, and that we did not remove. */
  readonly onVanished?: (path: string) => void
}

/** A larger file is nothing that we wrote; it is not read. */
const MAX_READ_BYTES = 16 * 1024 * 1024
/** Looks at files at once, as in `reconcile.ts`. */
const LOOKS = 3
/** Names read from a folder at once. */
const LISTED = 500
/** Folders that are remembered, to notice when they vanish: one a scope, and the few above. */
const MAX_REMEMBERED = 10_000
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
/** O_NONBLOCK: opening a named pipe must not wait for its other end. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Opens nothing and touches nothing until it is used. */
export function createGuardedFolder({ root, owned, onVanished }: GuardedFolderInit): GuardedFolder {
  /** Absolute paths of folders that were there. */
  const seen = new Set<string>()

  function remember(folder: string): void {
    if (seen.size < MAX_REMEMBERED) seen.add(folder)
  }

  async function isThere(folder: string): Promise<boolean> {
    const there = await isFolder(folder)
    if (there) remember(folder)
    return there
  }

  async function makeFolder(folder: string): Promise<boolean> {
    if (await isThere(folder)) return true
    if (seen.delete(folder)) onVanished?.(folder)
    await createFolder(folder)
    remember(folder)
    return true
  }

  /** Calls `visit` for each folder above the file, the outermost first, until one is not there. */
  async function eachFolder(path: string, visit: (folder: string) => Promise<boolean>): Promise<boolean> {
    if (owned && !(await visit(root).catch(failEverywhere))) return false
    const parts = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) {
      if (!(await visit(join(root, ...parts.slice(0, depth))))) return false
    }
    return true
  }

  async function replaceOnce(path: string, bytes: Buffer, isOurs: IsOurs, options: ReplaceOptions): Promise<Replaced> {
    await eachFolder(path, once(options.looks, makeFolder))
    const file = join(root, path)
    const found = await readFile(file)
    if (found !== undefined) {
      const same = found.bytes?.equals(bytes) ?? false
      const foreign = found.bytes === undefined || !(same || isBlank(found.bytes) || isOurs(found.bytes))
      // Nothing is written that would use up what a crash left.
      if (same || foreign) await remove(temporaryOf(file))
      if (same) return { outcome: 'same', stamp: found.stamp }
      if (foreign) return { outcome: 'foreign' }
    }
    return { outcome: 'written', stamp: await writeFile(file, bytes, options.sync) }
  }

  return {
    async replace(path, bytes, isOurs, options) {
      try {
        return await replaceOnce(path, bytes, isOurs, options)
      } catch (error) {
        // The folder went away between the look and the write: pruned by us or removed by somebody. It is made again.
        if (!(error instanceof Obstacle) || error.errno !== 'ENOENT') throw error
        options.looks?.clear()
        return replaceOnce(path, bytes, isOurs, options)
      }
    },
    async drop(path, isOurs, looks) {
      if (!(await eachFolder(path, once(looks, isThere)))) return 'absent'
      const file = join(root, path)
      await remove(temporaryOf(file))
      const found = await readFile(file)
      if (found !== undefined) {
        if (found.bytes === undefined || !(isBlank(found.bytes) || isOurs(found.bytes))) return 'foreign'
        await remove(file)
      }
      await prune(path, looks)
      return found === undefined ? 'absent' : 'removed'
    },
    async stamps(paths) {
      const isFolderOnce = once(new Map(), isThere)
      const stamps: (FileStamp | 'blocked' | undefined)[] = []
      await eachLimited([...paths.entries()], LOOKS, async ([i, path]) => {
        try {
          const found = (await eachFolder(path, isFolderOnce)) ? await look(join(root, path)) : undefined
          stamps[i] = found && stampOf(found)
        } catch {
          stamps[i] = 'blocked'
        }
      })
      return stamps
    },
    async read(path) {
      if (!(await eachFolder(path, isThere))) return undefined
      return (await readFile(join(root, path)))?.bytes
    },
    async make(path) {
      await eachFolder(`${path}/`, makeFolder)
    },
    async *list(path) {
      if (!(await eachFolder(`${path}/`, isThere))) return
      const folder = join(root, path)
      try {
        yield* inGroups(await opendir(folder, { bufferSize: LISTED }))
      } catch (error) {
        throw obstacleOf(folder, error)
      }
    },
  }

  async function prune(path: string, looks: Looks | undefined): Promise<void> {
    if (path.split('/').length < 3) return
    looks?.delete(join(root, dirname(path)))
    seen.delete(join(root, dirname(path)))
    // Whatever keeps it (files of others, above all) is a reason to leave it.
    await rmdir(join(root, dirname(path))).catch(() => undefined)
  }
}

/** `visit`, asked once for each folder that is there; one that is not may be made meanwhile. */
function once(looks: Looks = new Map(), visit: (folder: string) => Promise<boolean>) {
  return async (folder: string): Promise<boolean> => {
    if (await looks.get(folder)) return true
    const look = visit(folder)
    looks.set(folder, look)
    return look
  }
}

async function* inGroups(entries: AsyncIterable<Dirent>): AsyncGenerator<Listed> {
  let group = { folders: [] as string[], files: [] as string[] }
  for await (const entry of entries) {
    if (entry.isDirectory()) group.folders.push(entry.name)
    else if (entry.isFile()) group.files.push(entry.name)
    if (group.folders.length + group.files.length < LISTED) continue
    yield group
    group = { folders: [], files: [] }
  }
  yield group
}

/** What is wrong with the root is wrong with all below. */
function failEverywhere(error: unknown): never {
  const { kind, path, cause } = obstacleOf('', error)
  throw new Obstacle(kind, path, cause, true)
}

async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, FOLDER_MODE)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw obstacleOf(dirname(folder), error)
    // Made by a write beside this one, or by somebody: then it has to be looked at.
    await isFolder(folder)
  }
}

/** False where nothing is there. @throws {Obstacle} where something else is */
async function isFolder(folder: string): Promise<boolean> {
  const found = await look(folder)
  if (found === undefined) return false
  if (found.isSymbolicLink()) throw new Obstacle('symlink', folder)
  if (!found.isDirectory()) throw new Obstacle('not-folder', folder)
  return true
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw obstacleOf(path, error)
  }
}

/** `bytes` is undefined for a file that is too large to be ours. */
async function readFile(file: string): Promise<{ bytes: Buffer | undefined; stamp: FileStamp } | undefined> {
  let handle: FileHandle
  try {
    handle = await open(file, READ_FLAGS)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw obstacleOf(file, error)
  }
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw new Obstacle('not-file', file)
    const bytes = found.size > MAX_READ_BYTES ? undefined : await handle.readFile()
    return { bytes, stamp: stampOf(found) }
  } catch (error) {
    throw obstacleOf(file, error)
  } finally {
    await handle.close()
  }
}

/** Writes beside the file and renames: a crash leaves the old file or the new one. Never a hard link: OpenClaw skips those. */
async function writeFile(file: string, bytes: Buffer, sync: boolean): Promise<FileStamp> {
  const temporary = temporaryOf(file)
  try {
    const handle = await createFile(temporary)
    let stamp: FileStamp
    try {
      await handle.writeFile(bytes)
      if (sync) await handle.sync()
      stamp = stampOf(await handle.stat())
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
    return stamp
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw obstacleOf(dirname(file), error)
  }
}

async function createFile(temporary: string): Promise<FileHandle> {
  try {
    return await open(temporary, CREATE_FLAGS, FILE_MODE)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    // Left by a crash: the name is ours alone, and one path is written by one writer at a time.
    await unlink(temporary)
    return open(temporary, CREATE_FLAGS, FILE_MODE)
  }
}

async function remove(file: string): Promise<void> {
  try {
    await unlink(file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw obstacleOf(dirname(file), error)
  }
}

/** In the same folder, so that renaming is atomic; without `.md`, so that nobody takes it for a memory. */
function temporaryOf(file: string): string {
  const name = createHash('sha256').update(basename(file)).digest('hex').slice(0, 16)
  return join(dirname(file), `.mesh-${name}.tmp`)
}

/** Empty, or nothing but NUL as some file systems leave it after a power cut: nobody's data. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

function stampOf({ size, mtimeMs, ino }: Stats): FileStamp {
  return { size, mtimeMs, ino }
}

function errnoOf(error: unknown): Fault {
  return (error as NodeJS.ErrnoException).code
}
