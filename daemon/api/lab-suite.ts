/** What the API's tests share: a real replica and mesh behind a real API on both listeners, in a home of its own. */
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import pino from 'pino'
import { openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { systemClock } from '../../transports/clock.ts'
import { createDialler, createLibp2pTransport } from '../../transports/libp2p/index.ts'
import type { Finding } from '../../transports/mesh.ts'
import { createMesh, type MeshService } from '../../transports/sync/index.ts'
import { loadConfig } from '../config/index.ts'
import { type Environment, type HomeLayout, layoutOf } from '../home.ts'
import { listenAddresses } from '../listen.ts'
import { createSearch, type Search } from '../search/index.ts'
import { setUp } from '../setup.ts'
import { openCredentials } from './access/index.ts'
import type { ApiInit } from './components.ts'
import { type Api, createApi } from './server.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Parsed on access. */
  readonly json: unknown
}

export interface RawCall {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** Sent as it is. */
  readonly body?: string | Buffer
}

export interface Lab {
  readonly layout: HomeLayout
  readonly api: Api
  readonly store: Replica
  readonly mesh: MeshService
  readonly search: Search
  readonly findings: Finding[]
  /** Lines of the log, parsed. */
  readonly logged: Record<string, unknown>[]
  readonly url: string
  readonly port: number
  token(): Promise<string>
  /** A second API on the same home and replica. It is the caller's to stop. */
  another(): Promise<Api>
  /** Through the unix socket. */
  local(path: string, call?: RawCall): Promise<Answer>
  /** Over TCP, without any header that is not given but Host. */
  tcp(path: string, call?: RawCall): Promise<Answer>
  close(): Promise<void>
}

/** When the node says that it started. */
export const STARTED_AT = 1_750_000_000_000

export interface LabInit {
  /** The node's; `ceo` unless given. */
  readonly name?: string
  /** Sets config keys; TCP takes a free port unless it says otherwise. */
  readonly env?: Environment
  readonly limits?: NonNullable<ApiInit['limits']>
  /** As a replica takes it. */
  readonly feedKept?: number
  /** Folders between the temporary one and the home. */
  readonly below?: string
}

export async function openLab(init: LabInit = {}): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'api-'))
  const home = join(folder, init.below ?? '')
  await mkdir(home, { recursive: true })
  const layout = layoutOf(home)
  const env = { MESH_API_PORT: '0', MESH_P2P_HOST: '127.0.0.1', MESH_P2P_PORT: '0', ...init.env }
  const loaded = await loadConfig({ home, env, hostname: init.name ?? 'ceo' })
  const { nodeId, p2p } = loaded.config
  const logged: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, collectLines(logged))
  const findings: Finding[] = []

  await using parts = new AsyncDisposableStack()
  parts.defer(() => rm(folder, { recursive: true }))
  const { seed } = await setUp(layout, nodeId)
  const signer = createSigner(seed)
  const secrets = loaded.config.secrets.guard ? { allowed: loaded.config.secrets.allow } : undefined
  const store = await openReplica({ signer, secrets }, { path: layout.databasePath, feedKept: init.feedKept })
  parts.defer(() => store.close())
  const mesh = await createMesh(
    {
      replica: store,
      signer,
      clock: systemClock,
      log,
      random: Math.random,
      transport: (gate) => createLibp2pTransport({ gate, log }, { seed, listen: listenAddresses(p2p), announce: [] }),
      dialler: (transport, targets) => createDialler({ transport, log, targets }),
    },
    { nodeId, version: '0.1.0', repairIntervalMs: 60_000 },
  )
  parts.defer(() => mesh.stop())
  await mesh.start()
  const search = createSearch({ store, log, now: Date.now }, { path: layout.searchPath })
  parts.defer(() => search.stop())
  await search.start()
  const another = async () => {
    const credentials = await openCredentials(store.side, { ...layout, tenantRate: loaded.config.api.tenantRate })
    const components = { store, mesh, credentials, search, config: loaded, log, findings: async () => findings }
    return createApi(components, {
      layout,
      version: '0.1.0',
      startedAt: STARTED_AT,
      ...(init.limits && { limits: init.limits }),
    })
  }
  const api = await another()
  parts.defer(() => api.stop())
  await api.start()

  const running = parts.move()
  const url = api.url() ?? ''
  const port = Number(new URL(url === '' ? 'http://none:1' : url).port)
  return {
    layout,
    api,
    store,
    search,
    mesh,
    findings,
    logged,
    url,
    port,
    token: async () => (await readFile(layout.tokenPath, 'utf8')).trim(),
    another,
    local: (path, call) => send({ socketPath: layout.socketPath }, path, call),
    tcp: (path, call) => send({ host: '127.0.0.1', port }, path, call),
    close: () => running.disposeAsync(),
  }
}

function collectLines(into: Record<string, unknown>[]): Writable {
  return new Writable({
    write(line, _encoding, done) {
      into.push(JSON.parse(String(line)) as Record<string, unknown>)
      done()
    },
  })
}

/**
 * Puts something else in the place of one method of a real part, until disposed: for what the real one does not do on
 * demand, such as failing, or going on for as long as the test likes.
 */
export function interfere<Part extends object, Name extends keyof Part>(
  part: Part,
  name: Name,
  by: Part[Name],
): Disposable {
  part[name] = by
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(part, name) }
}

type Door = { readonly socketPath: string } | { readonly host: string; readonly port: number }

async function send(door: Door, path: string, { method = 'GET', headers = {}, body }: RawCall = {}): Promise<Answer> {
  const outgoing = request({ ...door, path, method, headers, agent: false })
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  // The daemon may answer, and hang up, before it has read all of a body.
  outgoing.on('error', () => {})
  response.setEncoding('utf8')
  const text = (await Array.fromAsync(response as AsyncIterable<string>)).join('')
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as unknown
    },
  }
}

/** A PUT's options. */
export function put(body: unknown, headers: Record<string, string> = {}): RawCall {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { method: 'PUT', headers: { 'content-type': 'application/json', ...headers }, body: text }
}

/** A POST's options. */
export function post(body: unknown, headers: Record<string, string> = {}): RawCall {
  return { ...put(body, headers), method: 'POST' }
}

/** A server on a free loopback port, its port known. */
export async function listenAnywhere(
  onSocket: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<Server & { port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}
