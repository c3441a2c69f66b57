import { PassThrough } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LongWorkOptions, Progress } from '../../transports/mesh.ts'
import { describeError } from './http-errors.ts'
import { sendStream } from './streams.ts'

const NDJSON = 'application/x-ndjson'

export interface LongWorkInit<T> {
  readonly run: (options: LongWorkOptions) => Promise<T>
  /** Ends the work: the caller going away, or the API stopping. Undefined for what must be finished once begun. */
  readonly endsWith?: AbortSignal
}

/**
 * Does work that may take minutes. Callers that accept `application/x-ndjson` get lines: any number of
 * `{"progress":…}`, then one `{"result":…}` or `{"error":{type,message,field?,hint?}}`. Others wait for one document.
 */
export async function doLongWork<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  { run, endsWith }: LongWorkInit<T>,
): Promise<T | undefined> {
  const signal = endsWith === undefined ? {} : { signal: endsWith }
  // Nothing may be said for long; the bound on unread answers is for other callers.
  request.raw.socket.setTimeout(0)
  if (request.headers.accept?.includes(NDJSON) !== true) return run(signal)

  const lines = new PassThrough()
  const progress = createProgressWriter(lines)
  const sent = sendStream(reply.type(NDJSON), lines)
  const last = await run({ ...signal, onProgress: progress }).then(
    (result) => ({ result }),
    (error: unknown) => ({ error: toErrorLine(error, request) }),
  )
  lines.end(`${JSON.stringify(last)}\n`)
  await sent
  return undefined
}

/** While the caller does not read, only the latest progress is kept. */
function createProgressWriter(lines: PassThrough): (progress: Progress) => void {
  let latest: Progress | undefined
  const write = (progress: Progress) => lines.write(`${JSON.stringify({ progress })}\n`)
  lines.on('drain', () => {
    if (latest !== undefined && !lines.writableEnded) write(latest)
    latest = undefined
  })
  return (progress) => {
    if (lines.destroyed) return
    if (lines.writableNeedDrain) latest = progress
    else write(progress)
  }
}

function toErrorLine(error: unknown, request: FastifyRequest): Record<string, string> {
  const { answer, unexpected } = describeError(error)
  if (unexpected) request.log.error({ err: error }, 'long work failed')
  const { code: type, error: message, field, hint } = answer
  return { type, message, ...(field && { field }), ...(hint && { hint }) }
}
