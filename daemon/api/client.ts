/**
 * The typed client of the store API, and all that a program above the daemon may import of it. It needs nothing but
 * Node: no dependency is loaded.
 */
import { setTimeout } from 'node:timers/promises'
import type { BackupPart } from '../../crdt/backup/index.ts'
import { type Environment, layoutOf, resolveHome } from '../home.ts'
import type { RestoreReport } from './backup-schemas.ts'
import { ApiError } from './client-errors.ts'
import { type Call, chooseTarget, HttpCaller } from './client-http.ts'
import type { Conflicted, ScopeCounts, Scopes } from './overview-schemas.ts'
import type {
  ApiKey,
  ApiKeys,
  BulkPut,
  BulkReport,
  ConfigView,
  Conflicts,
  CreateKey,
  DeletedMemory,
  DeletedSkill,
  Doctor,
  EventData,
  Health,
  History,
  ImportBatch,
  ImportReport,
  Invitation,
  InviteBody,
  JoinReport,
  LeaveReport,
  MemoryRow,
  NewApiKey,
  Peer,
  PeerIdentity,
  Peers,
  Progress,
  PutMemory,
  PutSkill,
  RebuiltSearch,
  ResolveBody,
  RotatedToken,
  RotateToken,
  SearchAnswer,
  SkillRow,
  Status,
  SyncReport,
} from './schemas.ts'

export type { BackupHeader, BackupPart } from '../../crdt/backup/index.ts'
export { type Environment, type HomeLayout, layoutOf, resolveHome } from '../home.ts'
export type { RestoreReport } from './backup-schemas.ts'
export { ApiError, type ApiErrorInit } from './client-errors.ts'
export type { Conflicted, ScopeCounts } from './overview-schemas.ts'
export type * from './schemas.ts'

/** Where the daemon is. Without `url` its unix socket is used, which needs no token. */
export interface ClientInit {
  /** OpenClaw's state folder; what `env` says where absent. */
  readonly home?: string
  /** `process.env` where absent. */
  readonly env?: Environment
  /** The unix socket, where it is not the home's own. */
  readonly socketPath?: string
  /** `http://127.0.0.1:4078`: TCP instead of the socket. */
  readonly url?: string
  /** For TCP. Read from the home's token file where absent and `url` is on this machine. */
  readonly token?: string
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** Longest wait for the daemon to say something, in milliseconds. Long work waits for ever unless this is given. */
  readonly timeoutMs?: number
}

export interface LongCallOptions extends CallOptions {
  readonly onProgress?: (progress: Progress) => void
}

export interface ListQuery {
  readonly scope?: string
  /** Only keys or names that begin with this. */
  readonly prefix?: string
  readonly limit?: number
  /** Only rows that changed at this time or later, in Unix seconds. */
  readonly updatedSince?: number
  /** Gives each row its `etag`. */
  readonly etags?: boolean
}

/** An entry as a call names it; `scope` is `mesh` where it is absent. */
export interface EntryRef {
  readonly kind: 'memory' | 'skill'
  readonly scope?: string | undefined
  /** Key of a memory, name of a skill. */
  readonly key: string
}

/** Which entries in conflict are listed; all where nothing is said. */
export interface ConflictedQuery extends Pick<ListQuery, 'scope' | 'prefix' | 'limit'> {
  readonly kind?: 'memory' | 'skill'
}

/** What is watched; everything from now on where nothing is said. */
export interface WatchQuery {
  readonly kind?: 'memory' | 'skill' | undefined
  readonly scope?: string | undefined
  readonly prefix?: string | undefined
  /** A feed position: what was committed after it comes first. */
  readonly since?: number | undefined
  /** The id of the last event that was read, to go on behind it. */
  readonly lastEventId?: string | undefined
}

/** `ready` comes first, unless it is `reset`. */
export type MeshEvent =
  | { readonly type: 'ready'; readonly id: string; readonly position: number }
  | {
      readonly type: 'reset'
      readonly id: string
      readonly position: number
      readonly reason: 'behind' | 'database'
    }
  | ({ readonly type: 'put' | 'delete' | 'expire'; readonly id: string } & EventData)

/** What is searched for: all these words, `"phrases"`, `beginnings*`, none of `-these`. */
export interface SearchInit {
  readonly q: string
  readonly kind?: 'memory' | 'skill' | undefined
  readonly scope?: string | undefined
  /** Only keys or names that begin with this. */
  readonly prefix?: string | undefined
  /** At most so many, up to 100; 25 unless given. */
  readonly limit?: number | undefined
}

/** A row with its version, as `If-Match` takes it. */
export type Tagged<Row> = Row & { readonly etag: string }

/** A write that is made only where the entry is as expected; else it rejects with `VERSION_MISMATCH`. */
export interface WriteOptions extends CallOptions {
  /** The `etag` that a row had, or `*` for any live entry. */
  readonly ifMatch?: string | undefined
  /** `*`: only where there is no live entry. */
  readonly ifNoneMatch?: string | undefined
}

/**
 * Every call rejects with an {@link ApiError}, or with the signal's reason when it is aborted.
 * Rows come in order of scope, then key or name.
 */
export interface MeshClient {
  /** Whom this client asks, for messages: a socket's path or a URL. */
  readonly target: string
  health(options?: CallOptions): Promise<Health>
  status(options?: CallOptions): Promise<Status>

  listMemory(query?: ListQuery, options?: CallOptions): Promise<MemoryRow[]>
  /** As {@link listMemory}, row by row, in constant memory. */
  eachMemory(query?: ListQuery, options?: CallOptions): AsyncIterable<MemoryRow>
  /** Rejects with `NOT_FOUND` where there is no live entry; so do the other single reads and deletes. */
  getMemory(scope: string, key: string, options?: CallOptions): Promise<Tagged<MemoryRow>>
  /** Resolves when the write is durable. */
  putMemory(put: PutMemory, options?: WriteOptions): Promise<Tagged<MemoryRow>>
  deleteMemory(scope: string, key: string, options?: WriteOptions): Promise<DeletedMemory>

  listSkills(query?: ListQuery, options?: CallOptions): Promise<SkillRow[]>
  eachSkill(query?: ListQuery, options?: CallOptions): AsyncIterable<SkillRow>
  /** `scope` is `mesh` where it is undefined. */
  getSkill(name: string, scope?: string, options?: CallOptions): Promise<Tagged<SkillRow>>
  putSkill(put: PutSkill, options?: WriteOptions): Promise<Tagged<SkillRow>>
  deleteSkill(name: string, scope?: string, options?: WriteOptions): Promise<DeletedSkill>

  /** Finds words in keys, names, values and skills, the best first. A commit is found a moment after it. */
  search(query: SearchInit, options?: CallOptions): Promise<SearchAnswer>
  /**
   * What is committed, as it is committed, for as long as it is read. Where the connection breaks it goes on by itself
   * from the last event. A `reset` says that events are missing: whoever keeps rows lists them anew.
   */
  watch(query?: WatchQuery, options?: CallOptions): AsyncIterable<MeshEvent>
  /** Throws the search index away and makes it anew. */
  rebuildSearch(options?: CallOptions): Promise<RebuiltSearch>

  /** Scopes that hold something, by name, and how much. All entries are counted for it. */
  scopes(options?: CallOptions): Promise<ScopeCounts[]>

  /** Many puts, each made or refused for itself; at most 500 and 2 MiB of JSON a call. */
  bulk(puts: readonly BulkPut[], options?: CallOptions): Promise<BulkReport>
  /** Changes of an entry, latest first, as many as a page holds (`limit`, at most 100; 25 unless given). */
  history(
    entry: EntryRef,
    page?: { readonly before?: string | undefined; readonly limit?: number | undefined },
    options?: CallOptions,
  ): Promise<History>
  conflicts(entry: EntryRef, options?: CallOptions): Promise<Conflicts['conflicts']>
  /** Every entry whose writers disagree: memory first, each kind in order of scope, then key. In constant memory. */
  eachConflicted(query?: ConflictedQuery, options?: CallOptions): AsyncIterable<Conflicted>
  /** Ends conflicts: those given, or all with what is shown. */
  resolve(entry: EntryRef, body?: ResolveBody, options?: WriteOptions): Promise<Tagged<MemoryRow | SkillRow>>

  /** Takes in what earlier tools kept: last write wins, nothing twice. At most 500 items and 2 MiB of JSON a call. */
  import(batch: ImportBatch, options?: CallOptions): Promise<ImportReport>

  peers(options?: CallOptions): Promise<Peer[]>
  /** By name or peer id. */
  removePeer(peer: string, options?: CallOptions): Promise<PeerIdentity>
  invite(init?: InviteBody, options?: CallOptions): Promise<Invitation>
  /** Once begun it is finished, also when this client goes away. */
  join(ticket: string, options?: LongCallOptions): Promise<JoinReport>
  /** Once begun it is finished, also when this client goes away. */
  leave(options?: LongCallOptions): Promise<LeaveReport>
  /** Reconciles with all members now. It ends when this client goes away or the signal is aborted. */
  sync(options?: LongCallOptions): Promise<SyncReport>

  /**
   * A backup of the node as of one moment, piece by piece, with its key unless `key` is false. That all has come, and
   * nothing of it is damaged, is for `readBackup` to say.
   */
  backup(init?: { readonly key?: boolean | undefined }, options?: CallOptions): AsyncIterable<Uint8Array>
  /**
   * Takes in what a backup of this mesh has and the node lacks. It ends when this client goes away or the signal is
   * aborted; what was taken in until then stays.
   */
  restore(backup: AsyncIterable<Uint8Array>, options?: LongCallOptions): Promise<RestoreReport>

  doctor(options?: CallOptions): Promise<Doctor>
  /** Makes a new token and writes it to the file; the old one is dead at once. The operator's unless it says `agent`. */
  rotateToken(rotate?: RotateToken, options?: CallOptions): Promise<RotatedToken>
  keys(options?: CallOptions): Promise<ApiKey[]>
  /** Its `key` is given this once. */
  createKey(key: CreateKey, options?: CallOptions): Promise<NewApiKey>
  /** By name or id. */
  revokeKey(key: string, options?: CallOptions): Promise<ApiKey>
  config(options?: CallOptions): Promise<ConfigView>

  /** Drops the idle connections. Needed only to be tidy: they do not keep a process alive. */
  close(): void
}

/** A daemon that says nothing for this long is not well. */
const DEFAULT_TIMEOUT_MS = 30_000
/** The daemon says something to watchers four times as often. */
const WATCH_TIMEOUT_MS = 60_000
/** Waits before a broken watch is gone on with, doubled each time. */
const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 10_000
const NDJSON = 'application/x-ndjson'

/** Makes a client; nothing is asked of the daemon yet. @throws {ApiError} `REQUEST_INVALID` for a malformed `url` or `token` */
export function createClient(init: ClientInit = {}): MeshClient {
  const target = chooseTarget(layoutOf(init.home ?? resolveHome(init.env)), init)
  const http = new HttpCaller(target)

  const ask = <T>(method: Call['method'], path: string, options: CallOptions = {}, body?: unknown) =>
    http.json<T>({ method, path, body, signal: options.signal, idleMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS })

  const askRow = async <T>(method: Call['method'], path: string, options: WriteOptions = {}, body?: unknown) => {
    const { signal, timeoutMs: idleMs = DEFAULT_TIMEOUT_MS } = options
    const { body: row, etag } = await http.tagged<T>({
      method,
      path,
      body,
      headers: preconditions(options),
      signal,
      idleMs,
    })
    return { ...row, etag }
  }

  const askDelete = <T>(path: string, { signal, timeoutMs: idleMs = DEFAULT_TIMEOUT_MS, ...rest }: WriteOptions = {}) =>
    http.json<T>({ method: 'DELETE', path, headers: preconditions(rest), signal, idleMs })

  async function* rows<T>(
    path: string,
    query: ListQuery & ConflictedQuery = {},
    options: CallOptions = {},
  ): AsyncGenerator<T> {
    const idleMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const { updatedSince: updated_since, ...rest } = query
    const text = queryString({ ...rest, updated_since })
    const call: Call = { method: 'GET', path: path + text, signal: options.signal, idleMs }
    // The daemon writes the array's brackets and each row on lines of their own.
    for await (const line of http.lines(await http.open(call), call)) {
      if (line !== '[' && line !== ']') yield parseLine<T>(line.endsWith(',') ? line.slice(0, -1) : line)
    }
  }

  async function* watch({ lastEventId, ...query }: WatchQuery = {}, options: CallOptions = {}) {
    let last = lastEventId
    for (let wait = FIRST_RETRY_MS, connected = false; ; ) {
      const call: Call = {
        method: 'GET',
        path: `/events${queryString({ ...query })}`,
        accept: 'text/event-stream',
        headers: last === undefined ? undefined : { 'last-event-id': last },
        signal: options.signal,
        isEndless: true,
        idleMs: options.timeoutMs ?? WATCH_TIMEOUT_MS,
      }
      try {
        for await (const event of eventsIn(http.lines(await http.open(call), call))) {
          connected = true
          wait = FIRST_RETRY_MS
          last = event.id
          yield event
        }
      } catch (error) {
        // What was refused from the start would be so again.
        if (!connected || !(error instanceof ApiError) || !isPassing(error)) throw error
      }
      await setTimeout(wait, undefined, { signal: options.signal }).catch(() => options.signal?.throwIfAborted())
      wait = Math.min(2 * wait, LONGEST_RETRY_MS)
    }
  }

  async function* backup({ key }: { readonly key?: boolean | undefined } = {}, options: CallOptions = {}) {
    const { signal, timeoutMs: idleMs = DEFAULT_TIMEOUT_MS } = options
    const call: Call = { method: 'GET', path: `/backup${queryString({ key })}`, signal, idleMs }
    yield* http.bytes(await http.open(call), call)
  }

  const longWork = async <T>(
    path: string,
    sent: Pick<Call, 'body' | 'file'>,
    options: LongCallOptions = {},
  ): Promise<T> => {
    const { signal, timeoutMs: idleMs } = options
    const call: Call = { method: 'POST', path, ...sent, accept: NDJSON, signal, idleMs }
    for await (const line of http.lines(await http.open(call), call)) {
      const news = parseLine<WorkLine<T>>(line)
      if ('result' in news) return news.result
      if ('error' in news) throw errorFromLine(news.error)
      options.onProgress?.(news.progress)
    }
    throw new ApiError('ANSWER_INVALID', `POST ${path}: the answer ended without a result`)
  }

  const memoryPath = (scope: string, key: string) => `/mesh/memory/${segment(scope, 'scope')}/${segment(key, 'key')}`
  const skillPath = (name: string, scope: string | undefined) =>
    `/mesh/skills/${segment(name, 'name')}${queryString({ scope })}`

  const entryPath = (
    { kind, scope, key }: EntryRef,
    part: 'history' | 'conflicts' | 'resolve',
    query: Readonly<Record<string, string | number | undefined>> = {},
  ) =>
    kind === 'memory'
      ? `${memoryPath(scope ?? 'mesh', key)}/${part}${queryString(query)}`
      : `/mesh/skills/${segment(key, 'name')}/${part}${queryString({ scope, ...query })}`

  const eachMemory = (query?: ListQuery, options?: CallOptions) => rows<MemoryRow>('/mesh/memory', query, options)
  const eachSkill = (query?: ListQuery, options?: CallOptions) => rows<SkillRow>('/mesh/skills', query, options)

  return {
    target: target.kind === 'socket' ? target.path : target.url.origin,
    health: (options) => ask('GET', '/health', options),
    status: (options) => ask('GET', '/status', options),
    listMemory: (query, options) => Array.fromAsync(eachMemory(query, options)),
    eachMemory,
    getMemory: async (scope, key, options) => askRow('GET', memoryPath(scope, key), options),
    putMemory: (put, options) => askRow('PUT', '/mesh/memory', options, put),
    deleteMemory: async (scope, key, options) => askDelete(memoryPath(scope, key), options),
    listSkills: (query, options) => Array.fromAsync(eachSkill(query, options)),
    eachSkill,
    getSkill: async (name, scope, options) => askRow('GET', skillPath(name, scope), options),
    putSkill: (put, options) => askRow('PUT', '/mesh/skills', options, put),
    deleteSkill: async (name, scope, options) => askDelete(skillPath(name, scope), options),
    search: async (query, options) => ask('GET', `/search${queryString({ ...query })}`, options),
    rebuildSearch: ({ signal, timeoutMs } = {}) =>
      http.json({ method: 'POST', path: '/search/rebuild', body: {}, signal, idleMs: timeoutMs }),
    watch,
    bulk: (puts, options) => ask('POST', '/mesh/bulk', options, { puts }),
    history: async (entry, page = {}, options) => ask('GET', entryPath(entry, 'history', { ...page }), options),
    conflicts: async (entry, options) =>
      (await ask<Conflicts>('GET', entryPath(entry, 'conflicts'), options)).conflicts,
    resolve: async (entry, body, options) => askRow('POST', entryPath(entry, 'resolve'), options, body ?? {}),
    eachConflicted: (query, options) => rows<Conflicted>('/conflicts', query, options),
    scopes: async (options) => (await ask<Scopes>('GET', '/scopes', options)).scopes,
    import: (batch, options) => ask('POST', '/import', options, batch),
    peers: async (options) => (await ask<Peers>('GET', '/peers', options)).peers,
    removePeer: async (peer, options) => ask('DELETE', `/peers/${segment(peer, 'peer')}`, options),
    invite: (invite, options) => ask('POST', '/invite', options, invite ?? {}),
    join: (ticket, options) => longWork('/join', { body: { ticket } }, options),
    leave: (options) => longWork('/leave', { body: {} }, options),
    sync: (options) => longWork('/sync', { body: {} }, options),
    backup,
    restore: (file, options) => longWork('/restore', { file }, options),
    doctor: (options) => ask('GET', '/doctor', options),
    rotateToken: (rotate, options) => ask('POST', '/token/rotate', options, rotate ?? {}),
    keys: async (options) => (await ask<ApiKeys>('GET', '/keys', options)).keys,
    createKey: (key, options) => ask('POST', '/keys', options, key),
    revokeKey: async (key, options) => ask('DELETE', `/keys/${segment(key, 'key')}`, options),
    config: (options) => ask('GET', '/config', options),
    close: () => http.close(),
  }
}

/**
 * Reads what {@link MeshClient.backup} gave, or a file of it, front to back. It is whole, and every byte as it was written,
 * only when this has ended without an error.
 * @throws {Error} with `code`: `BACKUP_INVALID`, `BACKUP_DAMAGED`, `BACKUP_TOO_NEW`; what ended the making of it; what the
 * source throws
 */
export async function* readBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupPart> {
  // Loaded by whoever needs it alone: most programs never see a backup.
  const backup = await import('../../crdt/backup/index.ts')
  yield* backup.readBackup(source)
}

/** Events of a stream, as its lines have them (the WHATWG's text/event-stream). */
async function* eventsIn(lines: AsyncIterable<string>): AsyncGenerator<MeshEvent> {
  let fields: Record<string, string> = {}
  for await (const line of lines) {
    if (line !== '') {
      const [, name = '', value = ''] = /^([a-z]*): ?(.*)$/s.exec(line) ?? []
      fields[name] = value
    } else {
      const { id, event, data } = fields
      fields = {}
      if (id !== undefined && event !== undefined && data !== undefined) {
        yield { type: event, id, ...parseLine<object>(data) } as MeshEvent
      }
    }
  }
}

/** Whether it is worth trying again: the daemon was stopped, or is not there yet. */
function isPassing({ code, status }: ApiError): boolean {
  return status >= 500 || ['DAEMON_NOT_RUNNING', 'ANSWER_INVALID', 'TIMED_OUT', 'TOO_MANY_WATCHERS'].includes(code)
}

/** One line of long work: any number of `progress`, then exactly one of the others. */
type WorkLine<T> = { readonly progress: Progress } | { readonly result: T } | { readonly error: WorkError }

interface WorkError {
  readonly type: string
  readonly message: string
  readonly field?: string
  readonly hint?: string
}

function errorFromLine({ type, message, field, hint }: WorkError): ApiError {
  return new ApiError(type, message, { status: 200, field, hint })
}

function parseLine<T>(line: string): T {
  try {
    return JSON.parse(line) as T
  } catch (cause) {
    throw new ApiError('ANSWER_INVALID', 'a line of the answer is no JSON', { status: 200, cause })
  }
}

function segment(text: string, field: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text)
  throw new ApiError('REQUEST_INVALID', `${field}: holds a lone surrogate, which is no Unicode text`, { field })
}

function preconditions({ ifMatch, ifNoneMatch }: WriteOptions): Record<string, string> {
  return { ...(ifMatch && { 'if-match': ifMatch }), ...(ifNoneMatch && { 'if-none-match': ifNoneMatch }) }
}

function queryString(query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = Object.entries(query).filter((pair) => pair[1] !== undefined)
  if (given.length === 0) return ''
  return `?${given.map(([name, value]) => `${name}=${segment(String(value), name)}`).join('&')}`
}
