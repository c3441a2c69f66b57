import { join } from 'node:path'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { type Commit, createReplica, openReplica, packSignatures, type Replica } from '../../crdt/replica/index.ts'
import { createSigner, type Signer } from '../../crdt/signing.ts'
import type { Clock } from '../../transports/clock.ts'
import { createLibp2pTransport } from '../../transports/libp2p/index.ts'
import type { PeerSyncReport } from '../../transports/mesh.ts'
import { newMesh, rosterWrite } from '../../transports/roster/index.ts'
import { createMesh, type MeshService } from '../../transports/sync/index.ts'
import { inFlight } from '../measure.ts'
import { benchValue } from '../values.ts'

/** One replica with its mesh, that reconciles only when it is told to. */
export interface BenchNode {
  invite(): Promise<string>
  join(ticket: string): Promise<void>
  /** Puts new entries numbered from 0. */
  fill(count: number): Promise<void>
  /** Edits one leaf of entries `from` to `to` − 1. */
  edit(from: number, to: number): Promise<void>
  /** Bytes of the changes and signatures written here since it was last asked. */
  written(): Promise<number>
  /** Makes every peer unknown. */
  forgetPeers(): Promise<void>
  /** Reconciles with the one other member. */
  sync(): Promise<PeerSyncReport>
  digest(): Promise<string>
  /** Milliseconds of CPU that this process has used, worker threads included. */
  cpu(): Promise<number>
  close(): Promise<void>
}

/** Timers never run: no repair comes in between. The time has more digits than the system clock's. */
const CLOCK: Clock = { now: () => performance.timeOrigin + performance.now(), after: () => () => {} }
const LOG = { debug() {}, info() {}, warn() {} }
/** Dials nobody by itself. */
const DIALLER = { start() {}, stop: async () => {}, kick() {}, lastError: () => undefined }
const IN_FLIGHT = 100

/** Makes a node with an empty replica in a folder. */
export async function openNode(folder: string, name: string): Promise<BenchNode> {
  const seed = Buffer.alloc(32, name)
  const signer = createSigner(seed)
  const path = join(folder, name)
  const { meshId, genesis } = newMesh(signer, { name, at: 1 })
  await createReplica(path, { meshId, records: [rosterWrite(genesis)] })
  const replica = await openReplica({ signer }, { path })
  let written = 0
  replica.onCommit((commits) => {
    for (const commit of commits) if (commit.via === undefined) written += payloadOf(commit)
  })
  // The mesh hears of no commit, so it pushes none: what differs is left for the session that is measured.
  replica.onCommit = () => () => {}
  let mesh = await startMesh({ replica, signer, seed }, name)

  const put = (n: number, count?: number) =>
    replica.putMemory({ scope: MESH_SCOPE, key: `entry/${n}`, value: benchValue(n, count), nodeId: name })

  return {
    invite: async () => (await mesh.invite({ ttlSeconds: 600 })).ticket,
    async join(ticket) {
      await mesh.join(ticket)
    },
    fill: (count) => inFlight(count, IN_FLIGHT, (n) => put(n)),
    edit: (from, to) => inFlight(to - from, IN_FLIGHT, (i) => put(from + i, 1_001)),
    async written() {
      const bytes = written
      written = 0
      return bytes
    },
    async forgetPeers() {
      await mesh.stop()
      const kept = await replica.side.list(CHECKPOINTS)
      await replica.side.write(kept.map(({ key }) => ({ namespace: CHECKPOINTS, key, value: undefined })))
      mesh = await startMesh({ replica, signer, seed }, name)
    },
    async sync() {
      const { peers } = await mesh.sync()
      const [report] = peers
      if (report === undefined || !report.equal) throw new Error(`not proven equal: ${JSON.stringify(report)}`)
      return report
    },
    digest: async () => Buffer.from(replica.digest().digest).toString('hex'),
    async cpu() {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1_000
    },
    async close() {
      await mesh.stop()
      await replica.close()
    },
  }
}

/** Where the replica keeps what it knows of its peers. */
const CHECKPOINTS = 'checkpoints'

interface MeshParts {
  readonly replica: Replica
  readonly signer: Signer
  readonly seed: Uint8Array
}

async function startMesh({ replica, signer, seed }: MeshParts, nodeId: string): Promise<MeshService> {
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
        return transport
      },
      dialler: () => DIALLER,
    },
    { nodeId, version: 'bench', repairIntervalMs: 3_600_000 },
  )
  await mesh.start()
  return mesh
}

function payloadOf({ changes, signatures }: Commit): number {
  return changes.reduce((sum, { length }) => sum + length, packSignatures(signatures).length)
}
