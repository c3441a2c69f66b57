import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { EntryId, Kind } from '../../crdt/entry/index.ts'
import { type VersionedRow, versionOf } from '../../crdt/replica/index.ts'
import type { EntryStore, StoredEntry } from '../../crdt/replica/replica.ts'
import { readable } from './access/index.ts'
import { etagOf, expectationOf } from './etag.ts'
import { cursorOf, parseListQuery, type RawListQuery } from './list-query.ts'
import { callerGone, sendStream } from './streams.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
/** Rows are gathered to about this many characters a write: a write for each would cost more than the row. */
const CHUNK_CHARACTERS = 64 * 1024
/** A list of at most so many rows is a page: it says how to go on. Larger ones are streamed. */
export const MAX_PAGE_ROWS = 1_000
/** A page ends when it has this many characters, for it is made before it is sent. */
const MAX_PAGE_CHARACTERS = 8 * 1024 * 1024

/** Answers with what is JSON already. */
export function sendJson(reply: FastifyReply, json: string): void {
  reply.header('content-type', JSON_TYPE).send(json)
}

/** Answers with one row: it is sent as it is stored, or 304 to a caller who has this version. */
export function sendRow(headers: IncomingHttpHeaders, reply: FastifyReply, { json, version }: VersionedRow): void {
  reply.header('etag', etagOf(version))
  const { noneMatch } = expectationOf(headers)
  if (noneMatch === '*' || noneMatch?.includes(version)) reply.code(304).send()
  else sendJson(reply, json)
}

/**
 * Answers with a JSON array of rows, one a line. With a limit of up to {@link MAX_PAGE_ROWS} it is a page, whose `Link`
 * leads to the next where there is one; else the rows come as fast as the caller takes them, so that a million never
 * stand in memory. A caller that goes away ends the iteration. Should the store fail half-way the connection is cut, so
 * that nobody takes the part for the whole.
 *
 * Only what the caller may read is in it. @throws {MeshError} `FORBIDDEN` for a scope that it may not read
 */
export async function sendList(
  request: FastifyRequest,
  reply: FastifyReply,
  { store, kind }: { readonly store: EntryStore; readonly kind: Kind },
): Promise<void> {
  const query = request.query as RawListQuery & { readonly etags?: boolean }
  const { limit, ...asked } = parseListQuery(query)
  const scopes =
    asked.scopes?.map((scope) => readable(request.access, scope)) ?? store.scopes().filter(request.access.mayRead)
  const entries = store.list(kind, { ...asked, scopes, signal: callerGone(reply) })
  return sendPages(request, reply, { limit, entries, render: query.etags === true ? withEtag : withoutEtag, cursorOf })
}

/** What {@link sendPages} sends. */
export interface Listing {
  /** What the caller said. */
  readonly limit: number | undefined
  /** All there are; no more is read of them than is sent. */
  readonly entries: AsyncIterable<StoredEntry>
  /** An entry as JSON. */
  readonly render: (entry: StoredEntry) => string
  readonly cursorOf: (id: EntryId) => string
}

/** As {@link sendList}, of whatever can be listed. */
export async function sendPages(
  request: FastifyRequest,
  reply: FastifyReply,
  { limit, entries, render, cursorOf: placeOf }: Listing,
): Promise<void> {
  if (limit === undefined || limit > MAX_PAGE_ROWS) {
    if (request.method === 'HEAD') return sendNothing(reply)
    return sendRows(reply, limit === undefined ? entries : upTo(limit, entries), render)
  }
  const lines: string[] = []
  let characters = 0
  let last: EntryId | undefined
  let isMore = false
  for await (const entry of entries) {
    isMore = lines.length === limit || characters > MAX_PAGE_CHARACTERS
    if (isMore) break
    const line = render(entry)
    lines.push(line)
    characters += line.length
    last = entry.id
  }
  if (isMore && last !== undefined) {
    const next = new URL(request.url, 'http://localhost')
    next.searchParams.set('cursor', placeOf(last))
    reply.header('link', `<${next.pathname}${next.search}>; rel="next"`)
  }
  reply.type(JSON_TYPE).send(lines.length === 0 ? '[\n]\n' : `[\n${lines.join(',\n')}\n]\n`)
}

async function* upTo(limit: number, entries: AsyncIterable<StoredEntry>): AsyncGenerator<StoredEntry> {
  let left = limit
  for await (const entry of entries) {
    yield entry
    if (--left === 0) return
  }
}

/** Answers a HEAD of what would be streamed: nothing is read, and so no length is told. */
function sendNothing(reply: FastifyReply): void {
  reply.type(JSON_TYPE).send(Readable.from([]))
}

async function sendRows(
  reply: FastifyReply,
  list: AsyncIterable<StoredEntry>,
  render: (entry: StoredEntry) => string,
): Promise<void> {
  const entries = list[Symbol.asyncIterator]()
  // Read before the head is sent: what is wrong from the start still gets a status.
  const first = await entries.next()
  reply.type(JSON_TYPE)
  await sendStream(reply, Readable.from(chunks(first, entries, render), { highWaterMark: 1 }))
}

const withoutEtag = ({ row }: StoredEntry) => JSON.stringify(row)
const withEtag = ({ row, heads }: StoredEntry) => JSON.stringify({ ...row, etag: etagOf(versionOf(heads)) })

async function* chunks(
  first: IteratorResult<StoredEntry>,
  entries: AsyncIterator<StoredEntry>,
  render: (entry: StoredEntry) => string,
): AsyncGenerator<string, void, void> {
  try {
    let text = '[\n'
    let separator = ''
    for (let step = first; !step.done; step = await entries.next()) {
      text += separator + render(step.value)
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
