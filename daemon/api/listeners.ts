import { lstatSync } from 'node:fs'
import { chmod, mkdir, stat, unlink } from 'node:fs/promises'
import { createServer, type RequestListener, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { MeshError } from '../../crdt/errors.ts'
import type { ApiLimits } from './components.ts'
import { type Connections, capConnections } from './connections.ts'
import { describeError } from './http-errors.ts'

/** Ample for a key of 1 KiB, which is 3 KiB in a URL. */
const MAX_HEADER_BYTES = 16 * 1024
/** How often overdue requests are looked for, in milliseconds. */
const CHECK_MS = 1_000

export interface ServerEvents {
  /** What goes wrong while it listens (no file descriptors left), which ends nothing. */
  readonly onError: (error: Error) => void
  /** An answer is out, or its caller gone. */
  readonly onAnswered: (response: ServerResponse) => void
}

export interface BoundedServer {
  readonly server: Server
  readonly connections: Connections
}

/**
 * A server with the bounds that every port of the API has. It does not listen yet.
 */
export function createBoundedServer(listener: RequestListener, limits: ApiLimits, hears: ServerEvents): BoundedServer {
  const server = createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: limits.headersMs + limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    // The guard asks for it where it counts, with an answer that says why.
    requireHostHeader: false,
  })
  server.timeout = limits.unreadMs
  const connections = capConnections(server, limits.maxConnections, hears.onAnswered)
  server.on('request', (request, response) => {
    if (!request.socket.destroyed) listener(request, response)
  })
  server.on('error', hears.onError)
  server.on('clientError', answerMalformed)
  return { server, connections }
}

/** Node's parser gave up on what came: it says so, where the connection still takes it, and hangs up. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const { status, answer } = describeError(nameParserFault(error.code))
  const body = JSON.stringify(answer)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

function nameParserFault(code: string | undefined): MeshError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new MeshError('REQUEST_TOO_SLOW', 'the request did not arrive in time')
    case 'HPE_HEADER_OVERFLOW':
      return new MeshError('HEADERS_TOO_LARGE', `URL and headers are larger than ${MAX_HEADER_BYTES} bytes`)
    default:
      return new MeshError('REQUEST_MALFORMED', 'this is not HTTP/1.1')
  }
}

/**
 * Lets the body that comes over a socket take any time until disposed, as long as it does not pause for `silentMs`. Node
 * has one bound on the time of a body for all of a server, and so it is off for its other callers meanwhile: those are
 * cut when this is over. For what only an operator may send, one at a time.
 */
export function allowLongBody(socket: Socket, silentMs: number): Disposable {
  const { server } = socket as Socket & { readonly server: Server }
  const before = server.requestTimeout
  server.requestTimeout = 0
  socket.setTimeout(silentMs)
  return {
    [Symbol.dispose]() {
      server.requestTimeout = before
      socket.setTimeout(0)
    },
  }
}

/**
 * Listens on 127.0.0.1 or wherever the config says. Port 0 takes a free one.
 * @returns the port
 * @throws {MeshError} `API_PORT_IN_USE`, `API_LISTEN_FAILED`
 */
export async function listenOnTcp(server: Server, host: string, port: number): Promise<number> {
  try {
    await listen(server, () => server.listen({ host, port }))
  } catch (cause) {
    const used = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
    const hint = 'set api.port (MESH_API_PORT) to another port, 0 for a free one, or api.tcp to false'
    if (used) {
      throw new MeshError('API_PORT_IN_USE', `api.port: ${host}:${port} is in use`, { field: 'api.port', hint, cause })
    }
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MeshError('API_LISTEN_FAILED', `api.host: cannot listen on ${host}:${port}: ${why}`, {
      field: 'api.host',
      hint: 'set api.host to an address of this machine and api.port to one above 1023',
      cause,
    })
  }
  return (server.address() as AddressInfo).port
}

/**
 * Listens on a unix socket that only this user can open: 0600, in a folder of 0700. The socket of a daemon that died
 * is taken away first.
 * @throws {MeshError} `ALREADY_RUNNING`, `SOCKET_UNSAFE`, `API_LISTEN_FAILED`
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await makePrivate(dirname(path))
  await removeStale(path)
  // `listen` binds before it returns, so nothing else is made under this mask.
  try {
    await listen(server, () => {
      const mask = process.umask(0o177)
      try {
        server.listen(path)
      } finally {
        process.umask(mask)
      }
    })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MeshError('API_LISTEN_FAILED', `cannot make the socket ${path}: ${why}`, { field: path, cause })
  }
}

/** Makes the folder, or takes back the rights that others have to it; refuses one that is another user's. */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const owners = [lstatSync(folder).uid, (await stat(folder)).uid]
  const self = process.getuid?.()
  if (self !== undefined && owners.some((owner) => owner !== self)) {
    throw unsafe(folder, 'belongs to another user', 'remove the folder, or run the daemon as its owner')
  }
  await chmod(folder, 0o700)
  const { mode } = await stat(folder)
  if ((mode & 0o022) !== 0)
    throw unsafe(folder, 'others may write into it', 'move the home to a file system with rights')
}

function unsafe(folder: string, what: string, hint: string): MeshError {
  return new MeshError('SOCKET_UNSAFE', `${folder}: ${what}, so the API's socket cannot lie there`, {
    field: folder,
    hint,
  })
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new MeshError('API_LISTEN_FAILED', `${path} is in the way: it is no socket`, {
      field: path,
      hint: 'move it elsewhere',
    })
  }
  if (await answers(path)) {
    const hint = 'stop it first, or give this one another home (MESH_HOME)'
    throw new MeshError('ALREADY_RUNNING', `a daemon answers at ${path} already`, { field: path, hint })
  }
  await unlink(path)
}

/** Only a refused connection proves that nobody listens: a daemon too busy to accept fails in another way. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}

function listen(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    start()
  })
}
