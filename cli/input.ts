import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { CliError, inputError, usageError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { bytes } from './output/index.ts'

/** What one request to the daemon may hold (DESIGN's body limit): more than this can never be put. */
export const MAX_INPUT_BYTES = 2 * 1024 * 1024

/** The standard input of a run; a terminal when a person types it. */
export interface InputStream extends Readable {
  readonly isTTY?: boolean
}

/**
 * Reads standard input to its end.
 * @throws {CliError} above `limit` bytes, and for bytes that are not UTF-8
 */
export async function readStdin(stdin: InputStream, limit: number = MAX_INPUT_BYTES): Promise<string> {
  return readText(stdin, 'standard input', limit)
}

/**
 * Reads a file of text; a pipe (`<(command)`) counts as one.
 * @throws {CliError} when it is missing, a folder, unreadable, above `limit` bytes or not UTF-8
 */
export async function readTextFile(path: string, limit: number = MAX_INPUT_BYTES): Promise<string> {
  try {
    return await readText(createReadStream(path), path, limit)
  } catch (error) {
    throw fileError(error, path)
  }
}

async function readText(stream: Readable, field: string, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const piece = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
    size += piece.length
    if (size > limit) {
      throw inputError(field, `${field} holds more than ${bytes(limit)}, the most that is taken at once`)
    }
    chunks.push(piece)
  }
  return decodeUtf8(Buffer.concat(chunks), field)
}

/** Says a file system error in words; what is none passes unchanged. */
export function fileError(error: unknown, path: string): unknown {
  if (error instanceof CliError || !(error instanceof Error) || !('code' in error)) return error
  const code = String(error.code)
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new CliError(`${path} does not exist`, { type: 'NOT_FOUND', exit: EXIT.notFound, field: path, cause: error })
  }
  if (code === 'EISDIR') return usageError(path, `${path} is a folder, not a file`)
  const why = code === 'EACCES' || code === 'EPERM' ? 'may not be read by this user' : `cannot be read (${code})`
  return new CliError(`${path} ${why}`, { type: 'FILE_UNREADABLE', exit: EXIT.failure, field: path, cause: error })
}

/** @throws {CliError} for bytes that are not UTF-8. A byte order mark stays: files are kept byte for byte. */
export function decodeUtf8(data: Uint8Array, field: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    throw inputError(field, `${field} is not UTF-8 text`)
  }
}
