import { zstdCompressSync } from 'node:zlib'
import { MESH_SCOPE } from '../crdt/entry/index.ts'
import { type Commit, openReplica, type Replica } from '../crdt/replica/index.ts'
import { createSigner, type Signer } from '../crdt/signing.ts'
import { layoutOf } from '../daemon/home.ts'
import { setUp } from '../daemon/setup.ts'
import type { Clock } from '../transports/clock.ts'
import { createLibp2pTransport } from '../transports/libp2p/index.ts'
import type { PeerSyncReport } from '../transports/mesh.ts'
import { createMesh, type MeshService } from '../transports/sync/index.ts'
import type { PeerId, Transport } from '../transports/transport.ts'
import { summaryBytes } from './json-summary.ts'
import { inFlight } from './measure.ts'
import { benchValue } from './values.ts'
import { type VitalSigns, Vitals } from './vitals.ts'

/** Where another node can be reached. */
export interface Whereabouts {
  readonly peerId: PeerId
  readonly addresses: readonly string[]
}

/** One replica with its mesh, that reconciles only when it is told to. */
export interface BenchNode {
  invite(): Promise<string>
  join(ticket: string): Promise<void>
  whereabouts(): Promise<Whereabouts>
  /** Connects to a member. */
  meet(member: Whereabouts): Promise<void>
  /** Puts new entries numbered from 0. */
  fill(count: number): Promise<void>
  /** How many entries are shared. */
  entries(): Promise<number>
  /** Edits one leaf of each of the entries with these numbers. */
  edit(entries: readonly number[]): Promise<void>
  /**
   * Bytes of the changes and signatures written here since it was last asked, and once of each public key that signed
   * them: all as one stream of Zstandard, for what travels is compressed. Nothing is counted before it is asked for the
   * first time.
   */
  written(): Promise<number>
  /** Makes every peer unknown; where this node is reached changes with it. */
  forgetPeers(): Promise<void>
  /** Reconciles with the one other member. @throws Error unless both are proven equal */
  sync(): Promise<PeerSyncReport>
  /** Digest and number of all shared entries. */
  digest(): Promise<string>
  /** Makes this node's `sync_summary` of everything, as older tools send it. Returns its bytes. */
  summaryBytes(): Promise<number>
  /** Waits until this process is calm. */
  settle(): Promise<void>
  watch(): Promise<void>
  /** What this process did since {@link watch}. */
  watched(): Promise<VitalSigns>
  close(): Promise<void>
}

/** Timers never run: no repair comes in between. The time has more digits than the system clock's. */
const CLOCK: Clock = { now: () => performance.timeOrigin + performance.now(), after: () => () => {} }
const LOG = { debug() {}, info() {}, warn() {} }
/** Dials nobody by itself. */
const DIALLER = { start() {}, stop: async () => {}, kick() {}, lastError: () => undefined }
const IN_FLIGHT = 256
/** Where the replica keeps what it knows of its peers. */
const CHECKPOINTS = 'checkpoints'

/** Opens the node of a home, which is made where there is none. */
export async function openNode(home: string, nodeId: string): Promise<BenchNode> {
  const layout = layoutOf(home)
  const { seed } = await setUp(layout, nodeId)
  const signer = createSigner(seed)
  const replica = await openReplica({ signer }, { path: layout.databasePath })
  let news: Commit[] | undefined
  replica.onCommit((commits) => {
    news?.push(...commits.filter(({ via }) => via === undefined))
  })
  // The mesh hears of no commit, so it pushes none: what differs is left for the session that is measured.
  replica.onCommit = () => () => {}
  const vitals = new Vitals()
  const start = () => startMesh({ replica, signer, seed }, nodeId)
  let { mesh, transport } = await start()

  const put = (n: number, count?: number) =>
    replica.putMemory({ scope: MESH_SCOPE, key: `entry/${n}`, value: benchValue(n, count), nodeId })

  return {
    invite: async () => (await mesh.invite({ ttlSeconds: 600 })).ticket,
    async join(ticket) {
      await mesh.join(ticket)
    },
    whereabouts: async () => ({ peerId: mesh.peerId, addresses: mesh.addresses() }),
    meet: ({ peerId, addresses }) => transport.dial(peerId, addresses),
    fill: (count) => inFlight(count, IN_FLIGHT, (n) => put(n)),
    entries: async () => replica.digest().items,
    edit: (entries) => inFlight(entries.length, IN_FLIGHT, (i) => put(entries[i] as number, 1_001)),
    async written() {
      const commits = news ?? []
      news = []
      return commits.length === 0 ? 0 : payloadBytes(commits)
    },
    async forgetPeers() {
      await mesh.stop()
      const kept = await replica.side.list(CHECKPOINTS)
      await replica.side.write(kept.map(({ key }) => ({ namespace: CHECKPOINTS, key, value: undefined })))
      const started = await start()
      mesh = started.mesh
      transport = started.transport
    },
    async sync() {
      const { peers } = await mesh.sync()
      const [report] = peers
      if (report === undefined || !report.equal) throw new Error(`not proven equal: ${JSON.stringify(report)}`)
      return report
    },
    async digest() {
      const { digest, items } = replica.digest()
      return `${Buffer.from(digest).toString('hex')}, ${items} entries`
    },
    summaryBytes: () => summaryBytes(replica, nodeId),
    settle: () => vitals.settle(),
    watch: () => vitals.begin(),
    watched: () => vitals.end(),
    async close() {
      await mesh.stop()
      await replica.close()
    },
  }
}

function payloadBytes(commits: readonly Commit[]): number {
  const signatures = commits.flatMap((commit) => commit.signatures)
  const signers = new Map(signatures.map(({ publicKey }) => [Buffer.from(publicKey).toString('hex'), publicKey]))
  const said = commits.flatMap((commit) => [...commit.changes, ...commit.signatures.map(({ signature }) => signature)])
  return zstdCompressSync(Buffer.concat([...signers.values(), ...said])).length
}

interface MeshParts {
  readonly replica: Replica
  readonly signer: Signer
  readonly seed: Uint8Array
}

async function startMesh(
  { replica, signer, seed }: MeshParts,
  nodeId: string,
): Promise<{ mesh: MeshService; transport: Transport }> {
  const made = Promise.withResolvers<Transport>()
  const mesh = await createMesh(
    {
      replica,
      signer,
      clock: CLOCK,
      log: LOG,
      random: Math.random,
      transport: (gate) => {
        const transport = createLibp2pTransport({ gate, log: LOG }, { seed, listen: ['/ip4/127.0.0.1/tcp/0'] })
        // Nobody hears of new connections: the session that begins by itself on one is not the one that is measured.
        const onPeer = transport.onPeer.bind(transport)
        transport.onPeer = (listener) => onPeer((event) => event.type === 'disconnected' && listener(event))
        made.resolve(transport)
        return transport
      },
      dialler: () => DIALLER,
    },
    { nodeId, version: 'bench', repairIntervalMs: 3_600_000 },
  )
  await mesh.start()
  return { mesh, transport: await made.promise }
}
