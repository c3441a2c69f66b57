import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type BackupHeader, readBackup } from '../../daemon/api/client.ts'
import { usageError } from '../errors.ts'
import { fileError, type InputStream } from '../input.ts'

/** A backup of which every byte was read, and is as it was written. */
export interface CheckedBackup {
  readonly header: BackupHeader
  readonly hasKey: boolean
  readonly bytes: number
}

/** A file that is about to be read, or standard input. */
export interface OpenBackup extends AsyncDisposable {
  readonly bytes: AsyncIterable<Uint8Array>
}

/** @param path `-` is standard input @throws {CliError} where there is no such file, or it may not be read */
export async function openBackup(path: string, stdin: InputStream): Promise<OpenBackup> {
  if (path === '-') {
    if (stdin.isTTY) throw usageError('FILE', 'a backup is no text that is typed', 'give its file, or pipe it in')
    return { bytes: stdin, [Symbol.asyncDispose]: async () => {} }
  }
  let file: FileHandle | undefined
  try {
    file = await open(path)
    if ((await file.stat()).isDirectory()) throw usageError(path, `${path} is a folder, not a file`)
    const stream = createReadStream(path, { fd: file, autoClose: false })
    const handle = file
    return { bytes: stream, [Symbol.asyncDispose]: () => handle.close() }
  } catch (error) {
    await file?.close()
    throw fileError(error, path)
  }
}

/**
 * Reads a backup to its end.
 * @param onProgress told how many records it has come by, and about how many there are
 * @throws {Error} with the codes of `readBackup`
 */
export async function checkBackup(
  source: AsyncIterable<Uint8Array>,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
): Promise<CheckedBackup> {
  let bytes = 0
  const counted = async function* () {
    for await (const piece of source) {
      bytes += piece.length
      yield piece
    }
  }
  let header: BackupHeader | undefined
  let hasKey = false
  let done = 0
  for await (const part of readBackup(counted())) {
    signal.throwIfAborted()
    if (part.kind === 'header') header = part.header
    if (part.kind === 'key') hasKey = true
    if (part.kind === 'pairs') done += part.pairs.length
    onProgress(done, Math.max(done, header?.pairs ?? 0))
  }
  if (header === undefined) throw new Error('impossible: a backup has a header')
  return { header, hasKey, bytes }
}
