import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import { useFleet } from '../e2e/fleet.ts'
import type { Machine } from '../support/machine.ts'

/*
 * A store as the tools of an earlier mesh know it: an address, a key, and JSON over TCP. The suite in this folder is
 * written from the description of that API alone, and uses nothing of ours to talk to it.
 */

export type Headers = Readonly<Record<string, string>>

export interface Answer {
  readonly status: number
  /** The `Content-Type`. */
  readonly type: string
  readonly body: unknown
}

/** One way of sending a request. A body goes out as bytes: no caller adds a `Content-Type` by itself. */
export type Caller = (method: string, url: string, headers: Headers, body?: string) => Promise<Answer>

export interface CallInit {
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown
  /** In place of the bearer. */
  readonly headers?: Headers
  /** `node:http` by default. */
  readonly by?: Caller
}

export interface Store {
  call(method: string, path: string, init?: CallInit): Promise<Answer>
  get(path: string): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
  /** The key that may do everything. */
  key(): string
  url(): string
  machine(): Machine
}

/** What every refusal carries. */
export const ERROR = { error: expect.any(String) }

/** Starts a daemon in a home of its own before the tests of this file, with these settings. */
export function useStore(env: Readonly<Record<string, string>> = {}): Store {
  const fleet = useFleet()
  let made: { readonly machine: Machine; readonly url: string; readonly key: string } | undefined
  beforeAll(async () => {
    const machine = await fleet.make('store', { env })
    await machine.start()
    const { api } = await machine.client.status()
    const key = await readFile(join(machine.home, 'meshd/token'), 'utf8')
    made = { machine, url: api.url ?? '', key: key.trim() }
  })

  const started = () => {
    if (made === undefined) throw new Error('the store is there from the first test on')
    return made
  }
  const store: Store = {
    call(method, path, { body, headers = bearer(store.key()), by = byHttp } = {}) {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      return by(method, store.url() + path, headers, text)
    },
    get: (path) => store.call('GET', path),
    put: (path, body) => store.call('PUT', path, { body }),
    key: () => started().key,
    url: () => started().url,
    machine: () => started().machine,
  }
  return store
}

export function bearer(key: string): Headers {
  return { authorization: `Bearer ${key}` }
}

/** Sends the path as it stands: nothing resolves `..` or adds escapes. */
export const byHttp: Caller = (method, url, headers, body) => send(method, url, headers, body ? [body] : [])

/** As `write` and `end` do it: in chunks, without a length. */
export const byPieces: Caller = (method, url, headers, body) => {
  const bytes = Buffer.from(body ?? '')
  const middle = bytes.length >> 1
  const pieces = body === undefined ? [] : [bytes.subarray(0, middle), bytes.subarray(middle)]
  return send(method, url, headers, pieces)
}

function send(method: string, url: string, headers: Headers, pieces: (string | Buffer)[]): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const { hostname, port, origin } = new URL(url)
  const path = url.slice(origin.length)
  const sent = request({ hostname, port, path, method, headers }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    response.once('error', reject)
    response.once('end', () => {
      try {
        resolve(answer(response.statusCode, response.headers['content-type'], text))
      } catch (error) {
        reject(error as Error)
      }
    })
  })
  sent.once('error', reject)
  const last = pieces.pop()
  for (const piece of pieces) sent.write(piece)
  sent.end(last)
  return promise
}

export const byFetch: Caller = async (method, url, headers, body) => {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: Buffer.from(body) }) })
  return answer(response.status, response.headers.get('content-type'), await response.text())
}

/** @throws where the text is not JSON: no answer of a store is anything else */
function answer(status: number | undefined, type: string | null | undefined, text: string): Answer {
  return { status: status ?? 0, type: type ?? '', body: JSON.parse(text) }
}
