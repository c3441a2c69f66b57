/** What stands in the way of a file. */
export type ObstacleKind = 'symlink' | 'not-folder' | 'not-file' | 'fault'

/** A system error's name (`ENOSPC`), where there is one. */
export type Fault = string | undefined

/**
 * These are no trouble of one file: until they end, no other will fare better. A full disk is not among them: a delete
 * further on may make room.
 */
const EVERYWHERE: ReadonlySet<Fault> = new Set(['EROFS', 'EMFILE', 'ENFILE', 'ENOMEM'])

/** Why a file could not be written, read or removed. Stays inside this folder; people see it as a finding. */
export class Obstacle extends Error {
  readonly kind: ObstacleKind
  /** Absolute path of what is in the way: the link, the file where a folder must be, the folder that is read-only. */
  readonly path: string
  readonly errno: Fault
  /** Whether every other file meets it as well. */
  readonly everywhere: boolean

  constructor(kind: ObstacleKind, path: string, cause?: unknown, everywhere = false) {
    super(`${kind} at ${path}`, { cause })
    this.name = 'Obstacle'
    this.kind = kind
    this.path = path
    this.errno = (cause as NodeJS.ErrnoException | undefined)?.code
    this.everywhere = everywhere || EVERYWHERE.has(this.errno)
  }
}

/** The obstacle behind an error of the file system, met at `path`. An obstacle is passed on. */
export function obstacleOf(path: string, error: unknown): Obstacle {
  if (error instanceof Obstacle) return error
  const errno = (error as NodeJS.ErrnoException).code
  // What O_NOFOLLOW answers at a link: EMLINK on FreeBSD, ELOOP elsewhere.
  if (errno === 'ELOOP' || errno === 'EMLINK') return new Obstacle('symlink', path, error)
  if (errno === 'ENOTDIR') return new Obstacle('not-folder', path, error)
  // ENXIO: a socket.
  if (errno === 'EISDIR' || errno === 'ENXIO') return new Obstacle('not-file', path, error)
  return new Obstacle('fault', path, error)
}
