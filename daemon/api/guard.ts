import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { MeshError } from '../../crdt/errors.ts'
import { type Access, authenticate, type Credentials, PUBLIC } from './access/index.ts'

export interface GuardInit {
  /** The address that TCP was told to listen on. */
  readonly host: string
  /** The port that TCP listens on. */
  readonly port: () => number | undefined
  /** Whether TCP callers need the token. */
  readonly auth: boolean
  /** Further Hosts that are let in: `host:port`, or `host` for any port. */
  readonly allowedHosts: readonly string[]
}

/**
 * What stands before every route, by headers alone: nothing of a refused request's body is read. Web pages are kept
 * out by Host (DNS rebinding), Origin and Sec-Fetch-Site (foreign pages) and Content-Type (forms, which browsers send
 * anywhere without asking); other users of the machine by token or key.
 *
 * @param request as Node parsed it
 * @param local whether it came through the unix socket, whose file rights let only its user in
 * @returns what the caller may do
 * @throws {MeshError} `HOST_REFUSED`, `ORIGIN_REFUSED`, `CONTENT_TYPE_REFUSED`, `CONTENT_TYPE_UNSUPPORTED`,
 * `UNAUTHORIZED`, `RATE_LIMITED`
 */
export type Guard = (request: IncomingMessage, local: boolean) => Access

export function createGuard(credentials: Credentials, init: GuardInit): Guard {
  // Callers repeat themselves: the Host that was let in last is not taken apart again.
  let known: string | null = null
  return (request, local) => {
    const { host } = request.headers
    if (!local && host !== known) known = checkHost(host, init)
    checkOrigin(request)
    checkContentType(request.headers['content-type'], request.url)
    return isPublic(request.url) ? PUBLIC : authenticate(request.headers, credentials, local || !init.auth)
  }
}

const PUBLIC_PATHS: ReadonlySet<string> = new Set(['/health', '/openapi.json', '/docs'])

/** What tells nothing of what is stored, and so needs no credentials. */
function isPublic(url = ''): boolean {
  const end = url.indexOf('?')
  return PUBLIC_PATHS.has(end === -1 ? url : url.slice(0, end))
}

/** @returns the Host that is let in, as it came */
function checkHost(header = '', init: GuardInit): string {
  const { name, port } = splitHost(header)
  if (port === init.port() && isAllowedName(name, init.host)) return header
  const isNamed = (host: string) => host === name || host === `${name}:${port}`
  if (init.allowedHosts.some((host) => isNamed(host.toLowerCase()))) return header
  throw new MeshError('HOST_REFUSED', `host: ${JSON.stringify(header)} is not this API's address`, {
    field: 'host',
    hint: `use http://127.0.0.1:${init.port()}, or let this one in by api.allowedHosts (MESH_API_ALLOWED_HOSTS)`,
  })
}

function splitHost(header: string): { name: string; port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[^:]+)(?::(\d{1,5}))?$/i.exec(header)
  return { name: match?.[1]?.toLowerCase() ?? '', port: Number(match?.[2] ?? 80) }
}

function isAllowedName(name: string, listensOn: string): boolean {
  if (name === '127.0.0.1' || name === 'localhost' || name === '[::1]') return true
  const bare = name.replace(/^\[|\]$/g, '')
  if (listensOn !== '0.0.0.0' && listensOn !== '::') return bare === listensOn.toLowerCase()
  // On every interface no list of addresses is complete. An attacker's page needs a name of its own: none is taken.
  return isIP(bare) !== 0 || bare === hostname().toLowerCase()
}

function checkOrigin(request: IncomingMessage): void {
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  if (origin === undefined && site !== 'cross-site' && site !== 'same-site') return
  const hint = 'call it from a program; no web page is allowed to'
  throw new MeshError('ORIGIN_REFUSED', 'origin: web pages may not call this API', { field: 'origin', hint })
}

/** The one call that takes a file. No web form sends it: they have three types, and this is none of them. */
const takesFile = (url = '') => /^\/restore(\?|$)/.test(url)

/** JSON, or no type at all: many callers leave it out. */
function checkContentType(header: string | undefined, url: string | undefined): void {
  const type = header?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (type === 'application/octet-stream' && takesFile(url)) return
  if (type === '' || type === 'application/json' || /^application\/[\w.+-]+\+json$/.test(type)) return
  const simple = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'].includes(type)
  const init = { field: 'content-type', hint: 'send application/json' }
  if (simple) throw new MeshError('CONTENT_TYPE_REFUSED', `content-type: ${type} is what web forms send`, init)
  throw new MeshError('CONTENT_TYPE_UNSUPPORTED', `content-type: ${JSON.stringify(type)} is not JSON`, init)
}
