import { once } from 'node:events'
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { CliError, usageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'

/** Where an export goes. Writes are awaited, so that no more is held than the reader of the other end leaves lying. */
export interface Sink {
  write(data: string | Uint8Array): Promise<void>
  /** Everything was written, and is now to be seen. */
  commit(): Promise<void>
  /** Leaves things as they were; after a commit it does nothing. */
  abandon(): Promise<void>
}

/** Characters that are gathered before they are written: a system call a row would be the slowest part. */
const GATHER = 64 * 1024

/** A stream that others own: it is left open, and what was written cannot be taken back. */
export function streamSink(stream: Writable, signal: AbortSignal): Sink {
  const gather = createGatherer(async (data) => {
    if (!stream.write(data)) await once(stream, 'drain', { signal })
  })
  return { write: gather.write, commit: gather.flush, abandon: async () => {} }
}

export interface FileSinkInit {
  /** Replace a file that is there. */
  readonly force: boolean
  /** Looks at what was written before it gets its name; what it throws leaves things as they were. */
  readonly check?: (path: string) => Promise<void>
}

/**
 * A file that appears whole, under its name, at the commit: until then it is written beside it, readable by its owner
 * alone. A link is followed, so that it stays one.
 * @throws {CliError} where there is one already, where it is no ordinary file, and where the folder takes no writes
 */
export async function openFileSink(path: string, { force, check }: FileSinkInit): Promise<Sink> {
  const target = await checkTarget(path, force)
  const beside = join(dirname(target), `${basename(target)}.${process.pid}.part`)
  const said = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw unwritable(path, cause)
    })
  const file: FileHandle = await said(open(beside, 'wx', 0o600))
  const gather = createGatherer(async (data) => void (await said(file.writeFile(data))))
  let over = false
  return {
    write: gather.write,
    async commit() {
      await gather.flush()
      await said(file.sync())
      await file.close()
      await check?.(beside)
      await checkTarget(path, force)
      await said(rename(beside, target))
      over = true
    },
    async abandon() {
      if (over) return
      over = true
      await file.close().catch(() => {})
      await rm(beside, { force: true })
    },
  }
}

async function checkTarget(path: string, force: boolean): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw unwritable(path, error)
  })
  if (found === undefined) return path
  // A rename would put a file in the place of /dev/null.
  if (!found.isFile())
    throw usageError('FILE', `${path} is no ordinary file`, 'leave FILE out to write to standard output')
  if (!force) throw usageError('FILE', `${path} exists`, 'give --force to replace it')
  return realpath(path)
}

function unwritable(path: string, cause: unknown): CliError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
  const why =
    code === 'ENOENT' || code === 'ENOTDIR'
      ? 'its folder does not exist'
      : code === 'ENOSPC'
        ? 'the disk is full'
        : `the system says ${code}`
  return new CliError(`${path} cannot be written: ${why}`, {
    type: 'FILE_UNWRITABLE',
    exit: EXIT.storage,
    field: 'FILE',
    cause,
  })
}

/** Texts are gathered; bytes come in pieces that are large enough. */
function createGatherer(write: (data: string | Uint8Array) => Promise<void>): {
  write(data: string | Uint8Array): Promise<void>
  flush(): Promise<void>
} {
  let parts: string[] = []
  let size = 0
  const flush = async (): Promise<void> => {
    const text = parts.join('')
    parts = []
    size = 0
    if (text !== '') await write(text)
  }
  return {
    async write(data) {
      if (typeof data !== 'string') {
        await flush()
        return write(data)
      }
      parts.push(data)
      size += data.length
      if (size >= GATHER) await flush()
    },
    flush,
  }
}
