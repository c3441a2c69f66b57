import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { StoredEntry } from '../../crdt/replica/replica.ts'
import { callerGone, sendStream } from './streams.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
/** Rows are gathered to about this many characters a write: a write for each would cost more than the row. */
const CHUNK_CHARACTERS = 64 * 1024

/** Answers with one row, given as JSON: it is sent as it is stored. */
export function sendRow(reply: FastifyReply, row: string): void {
  reply.header('content-type', JSON_TYPE).send(row)
}

/**
 * Answers with a JSON array of rows, one a line, as fast as the caller takes it: a million rows never stand in memory.
 * A caller that goes away ends the iteration. Should the store fail half-way the connection is cut, so that nobody
 * takes the part for the whole.
 *
 * @param list begins the iteration; aborted when the caller is gone
 */
export async function sendRows(
  reply: FastifyReply,
  list: (signal: AbortSignal) => AsyncIterable<StoredEntry>,
): Promise<void> {
  const entries = list(callerGone(reply))[Symbol.asyncIterator]()
  // Read before the head is sent: what is wrong from the start still gets a status.
  const first = await entries.next()
  reply.type(JSON_TYPE)
  await sendStream(reply, Readable.from(chunks(first, entries), { highWaterMark: 1 }))
}

async function* chunks(
  first: IteratorResult<StoredEntry>,
  entries: AsyncIterator<StoredEntry>,
): AsyncGenerator<string, void, void> {
  try {
    let text = '[\n'
    let separator = ''
    for (let step = first; !step.done; step = await entries.next()) {
      if (step.value.row === undefined) continue
      text += separator + JSON.stringify(step.value.row)
      separator = ',\n'
      if (text.length < CHUNK_CHARACTERS) continue
      yield text
      text = ''
    }
    yield `${text}${separator === '' ? '' : '\n'}]\n`
  } finally {
    await entries.return?.()
  }
}
