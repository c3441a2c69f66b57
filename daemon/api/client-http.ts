import { lstatSync, readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { HomeLayout } from '../home.ts'
import { ApiError, errorFromAnswer } from './client-errors.ts'

/** Where a daemon is asked: its unix socket, or its TCP address with a token. */
export type Target =
  | { readonly kind: 'socket'; readonly path: string; readonly home: string }
  | { readonly kind: 'tcp'; readonly url: URL; readonly token: string | undefined }

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Path and query, encoded. */
  readonly path: string
  readonly body?: unknown
  /** A body that is no JSON, and of any length: sent as it comes. */
  readonly file?: AsyncIterable<Uint8Array> | undefined
  readonly accept?: string
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** Whether the answer has no end: it gets a connection beside those that are shared, for other calls would wait for one. */
  readonly isEndless?: boolean
  /** Longest silence, in milliseconds, before `TIMED_OUT`. Undefined waits for ever. */
  readonly idleMs?: number | undefined
}

/** Connections that one client keeps: enough for a batch of puts, far below what the daemon takes. */
const MAX_SOCKETS = 16

/**
 * Chooses the target. A token is read from the home's file only for a loopback address: it is sent to no one else.
 * @throws {ApiError} `REQUEST_INVALID`
 */
export function chooseTarget(layout: HomeLayout, init: { socketPath?: string; url?: string; token?: string }): Target {
  if (init.url === undefined) return { kind: 'socket', path: init.socketPath ?? layout.socketPath, home: layout.home }
  const url = URL.parse(init.url)
  if (url === null || url.protocol !== 'http:') {
    const hint = 'give it as http://127.0.0.1:4078'
    throw new ApiError('REQUEST_INVALID', `url: ${JSON.stringify(init.url)} is no http address`, { field: 'url', hint })
  }
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  const token = init.token ?? (loopback ? readToken(layout.tokenPath) : undefined)
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new ApiError('REQUEST_INVALID', 'token: holds white space or other characters that no token has', {
      field: 'token',
    })
  }
  return { kind: 'tcp', url, token }
}

/** Undefined where there is none: with auth switched off none is needed, otherwise the daemon's 401 says so. */
function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}

/** Sends calls to one target over connections that are kept alive. */
export class HttpCaller {
  readonly #target: Target
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  readonly #endless = new Agent()

  constructor(target: Target) {
    this.#target = target
  }

  close(): void {
    this.#agent.destroy()
    this.#endless.destroy()
  }

  /**
   * @returns the answer with its body unread, status 200
   * @throws {ApiError} what the daemon answered, or why it could not be asked; the signal's reason when aborted
   */
  async open(call: Call): Promise<IncomingMessage> {
    call.signal?.throwIfAborted()
    const response = await this.#send(call, true)
    const status = response.statusCode ?? 0
    if (status === 200) return response
    throw errorFromAnswer(status, await this.text(response, call))
  }

  /** The answer's JSON. @throws {ApiError} as {@link open} */
  async json<T>(call: Call): Promise<T> {
    return (await this.tagged<T>(call)).body
  }

  /** As {@link json}, with the answer's ETag. @throws {ApiError} as {@link open} */
  async tagged<T>(call: Call): Promise<{ readonly body: T; readonly etag: string }> {
    const response = await this.open(call)
    const text = await this.text(response, call)
    try {
      return { body: JSON.parse(text) as T, etag: response.headers.etag ?? '' }
    } catch (cause) {
      throw new ApiError('ANSWER_INVALID', `${call.method} ${call.path}: the answer is no JSON`, { status: 200, cause })
    }
  }

  /** The body's bytes. Throws when the connection is lost: a cut answer is never a whole one. */
  bytes(response: IncomingMessage, call: Call): AsyncGenerator<Uint8Array> {
    return this.#chunks(response, call)
  }

  /** The body's lines, without their ends. Throws as {@link bytes}. */
  async *lines(response: IncomingMessage, call: Call): AsyncGenerator<string> {
    let rest = ''
    for await (const chunk of this.#text(response, call)) {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      yield* parts
    }
    if (rest !== '') yield rest
  }

  async text(response: IncomingMessage, call: Call): Promise<string> {
    return (await Array.fromAsync(this.#text(response, call))).join('')
  }

  #text(response: IncomingMessage, call: Call): AsyncGenerator<string> {
    return this.#chunks<string>(response.setEncoding('utf8'), call)
  }

  /** The idle limit runs only while this side waits, so that a slow consumer is not taken for a silent daemon. */
  async *#chunks<Chunk>(response: IncomingMessage, call: Call): AsyncGenerator<Chunk> {
    const abort = () => response.destroy(asError(call.signal?.reason))
    call.signal?.addEventListener('abort', abort, { once: true })
    const chunks: AsyncIterator<Chunk> = response[Symbol.asyncIterator]()
    try {
      call.signal?.throwIfAborted()
      for (;;) {
        const step = await within(chunks.next(), call, (reason) => response.destroy(reason))
        if (step.done) return
        yield step.value
      }
    } catch (cause) {
      throw this.#fault(cause, call)
    } finally {
      call.signal?.removeEventListener('abort', abort)
      response.destroy()
    }
  }

  async #send(call: Call, retry: boolean): Promise<IncomingMessage> {
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    const agent = call.isEndless ? this.#endless : this.#agent
    const outgoing = request({ ...this.#address(), ...headersOf(call, body, this.#target), agent })
    const abort = () => outgoing.destroy(asError(call.signal?.reason))
    call.signal?.addEventListener('abort', abort, { once: true })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', (response) => {
        // Whoever has answered, and said all, does not want the rest of a file.
        if (call.file !== undefined) response.once('close', () => outgoing.destroy())
        resolve(response)
      })
      outgoing.on('error', reject)
      if (call.file === undefined) outgoing.end(body)
      // Where the daemon does not want all of it, its answer says why; what the file itself throws is told.
      else pipeline(call.file, outgoing).catch(reject)
    })
    try {
      return await within(answered, call, (reason) => outgoing.destroy(reason))
    } catch (cause) {
      // The daemon closed an idle connection just as we took it: it has not seen the request.
      if (retry && outgoing.reusedSocket && codeOf(cause) === 'ECONNRESET' && call.method !== 'POST') {
        return await this.#send(call, false)
      }
      throw this.#fault(cause, call)
    } finally {
      call.signal?.removeEventListener('abort', abort)
    }
  }

  #address(): RequestOptions {
    if (this.#target.kind === 'tcp') {
      const { hostname, port } = this.#target.url
      return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) }
    }
    // Another user could have made the folder first (the short path lies in /tmp): ask nobody but ourselves.
    const owner = ownerOf(dirname(this.#target.path))
    if (owner !== undefined && owner !== process.getuid?.() && owner !== 0 && process.getuid?.() !== 0) {
      const message = `the folder of ${this.#target.path} belongs to another user (uid ${owner})`
      throw new ApiError('SOCKET_UNSAFE', message, { hint: 'run this as the user who runs openclaw-meshd' })
    }
    return { socketPath: this.#target.path, host: 'localhost' }
  }

  #fault(cause: unknown, call: Call): unknown {
    if (call.signal?.aborted) return call.signal.reason
    if (cause instanceof ApiError) return cause
    const at = this.#target.kind === 'socket' ? this.#target.path : this.#target.url.origin
    const code = codeOf(cause)
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      const home = this.#target.kind === 'socket' ? ` (its home is ${this.#target.home})` : ''
      const hint = `start it with \`openclaw-meshd\`${home}`
      return new ApiError('DAEMON_NOT_RUNNING', `no daemon answers at ${at}`, { hint, cause })
    }
    if (code === 'EACCES' || code === 'EPERM') {
      const hint = 'run this as the user who runs openclaw-meshd'
      return new ApiError('DAEMON_FORBIDDEN', `this user may not open ${at}`, { hint, cause })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    return new ApiError('ANSWER_INVALID', `${call.method} ${call.path}: the answer broke off (${why})`, { cause })
  }
}

function headersOf(call: Call, body: Buffer | undefined, target: Target): RequestOptions {
  const headers: Record<string, string> = { accept: call.accept ?? 'application/json', ...call.headers }
  if (body !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = String(body.length)
  }
  if (call.file !== undefined) headers['content-type'] = 'application/octet-stream'
  if (target.kind === 'tcp' && target.token !== undefined) headers['authorization'] = `Bearer ${target.token}`
  return { method: call.method, path: call.path, headers }
}

function ownerOf(folder: string): number | undefined {
  return lstatSync(folder, { throwIfNoEntry: false })?.uid
}

/** Waits for `step`, at most the call's idle limit; then `end` drops the exchange. @throws {ApiError} `TIMED_OUT` */
async function within<T>(step: Promise<T>, call: Call, end: (reason: Error) => void): Promise<T> {
  const { idleMs } = call
  if (idleMs === undefined) return step
  const { promise: limit, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const hint = 'see `mesh doctor`, or the log of openclaw-meshd'
    const reason = new ApiError('TIMED_OUT', `${call.method} ${call.path}: no answer for ${idleMs / 1000} s`, { hint })
    reject(reason)
    end(reason)
  }, idleMs)
  try {
    return await Promise.race([step, limit])
  } finally {
    clearTimeout(timer)
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}
