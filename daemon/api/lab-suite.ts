/** What the API's tests share: a real replica behind a real API on both listeners, in a home of its own. */
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import pino from 'pino'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import type { Finding, JoinReport, LongWorkOptions, Mesh, PeerStatus, SyncReport } from '../../transports/mesh.ts'
import type { PeerId } from '../../transports/transport.ts'
import { loadConfig } from '../config/index.ts'
import { type Environment, type HomeLayout, layoutOf } from '../home.ts'
import type { ApiInit } from './components.ts'
import { type Api, createApi } from './server.ts'
import { openTokenFile } from './token.ts'

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
  readonly mesh: SteeredMesh
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

/** Whose long work a test steers; everything else is a mesh of two that is at rest. */
export class SteeredMesh implements Mesh {
  readonly meshId = 'm'.repeat(64)
  readonly nodeId = 'ceo'
  readonly peerId = '12D3KooWCeo' as PeerId
  readonly sec: PeerStatus = {
    nodeId: 'sec',
    peerId: '12D3KooWSec' as PeerId,
    connected: true,
    equal: true,
    lastSync: 1_750_000_000_000,
    address: '/ip4/10.0.0.2/tcp/4079',
    incomplete: 0,
    error: null,
  }
  join: Mesh['join'] = async (): Promise<JoinReport> => ({ meshId: this.meshId, members: ['ceo', 'sec'], vouched: 3 })
  leave: Mesh['leave'] = async () => ({ meshId: this.meshId, told: 1 })
  sync: (options?: LongWorkOptions) => Promise<SyncReport> = async () => ({ equal: true, peers: [] })
  removePeer: Mesh['removePeer'] = async () => ({ nodeId: this.sec.nodeId, peerId: this.sec.peerId })
  invite: Mesh['invite'] = async ({ ttlSeconds }) => ({
    ticket: 'mesh-ticket-1.test',
    expiresAt: ttlSeconds,
    addresses: this.addresses(),
  })
  peers = () => [this.sec]
  findings = () => []
  addresses = () => ['/ip4/10.0.0.1/tcp/4079']
}

export interface LabInit {
  /** Sets config keys; TCP takes a free port unless it says otherwise. */
  readonly env?: Environment
  readonly limits?: NonNullable<ApiInit['limits']>
  /** Folders between the temporary one and the home. */
  readonly below?: string
}

export async function openLab(init: LabInit = {}): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'api-'))
  const home = join(folder, init.below ?? '')
  await mkdir(home, { recursive: true })
  const layout = layoutOf(home)
  const config = await loadConfig({ home, env: { MESH_API_PORT: '0', ...init.env }, hostname: 'ceo' })
  const mesh = new SteeredMesh()
  const database = join(home, 'db')
  await createReplica(database, { meshId: mesh.meshId, records: [] })
  const store = await openReplica({ signer: createSigner(new Uint8Array(32).fill(7)) }, { path: database })
  const logged: Record<string, unknown>[] = []
  const log = pino(
    { level: 'debug' },
    new Writable({
      write(line, _encoding, done) {
        logged.push(JSON.parse(String(line)) as Record<string, unknown>)
        done()
      },
    }),
  )
  const findings: Finding[] = []
  const components = { store, mesh, config, log, findings: async () => findings }
  const options = {
    layout,
    version: '0.1.0',
    startedAt: 1_750_000_000_000,
    ...(init.limits && { limits: init.limits }),
  }
  const makeApi = async () => createApi({ ...components, token: await openTokenFile(layout.tokenPath) }, options)
  let api: Api | undefined
  const close = async () => {
    await api?.stop()
    await store.close()
    await rm(folder, { recursive: true })
  }
  try {
    await mkdir(layout.meshdDir)
    api = await makeApi()
    await api.start()
  } catch (error) {
    await close()
    throw error
  }
  const url = api.url() ?? ''
  const port = Number(new URL(url === '' ? 'http://none:1' : url).port)
  return {
    layout,
    api,
    store,
    mesh,
    findings,
    logged,
    url,
    port,
    token: async () => (await readFile(layout.tokenPath, 'utf8')).trim(),
    another: makeApi,
    local: (path, call) => send({ socketPath: layout.socketPath }, path, call),
    tcp: (path, call) => send({ host: '127.0.0.1', port }, path, call),
    close,
  }
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
