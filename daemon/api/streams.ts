import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { FastifyReply } from 'fastify'

/** A signal that is aborted when the caller goes away before its answer is out. */
export function callerGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const check = () => {
    if (!reply.raw.writableFinished) gone.abort()
  }
  if (reply.raw.closed) check()
  else reply.raw.once('close', check)
  return gone.signal
}

/** Sends a stream as the answer, with back-pressure; resolves when it is out, cut or the caller is gone. */
export async function sendStream(reply: FastifyReply, stream: Readable): Promise<void> {
  stream.once('error', (err) => {
    if (!reply.raw.destroyed) reply.log.error({ err }, 'an answer was cut short')
  })
  reply.send(stream)
  // A caller that leaves early is no error of ours; Fastify has destroyed the stream by then.
  await finished(reply.raw).catch(() => {})
}
