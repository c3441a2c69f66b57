/** A mesh in one process, with nothing left out but the API and files, whose pushes are counted on their way out. */
import { setTimeout as delay } from 'node:timers/promises'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { DocumentWorkers, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { layoutOf } from '../../daemon/home.ts'
import { setUp } from '../../daemon/setup.ts'
import { systemClock } from '../../transports/clock.ts'
import { createDialler, createLibp2pTransport } from '../../transports/libp2p/index.ts'
import { createMesh, type MeshService } from '../../transports/sync/index.ts'
import type { Transport } from '../../transports/transport.ts'
import { serveParent } from '../child.ts'
import { benchValue } from '../values.ts'

const LOG = { debug() {}, info() {}, warn() {} }
const LOOK_MS = 20
/** Without a push for so long there are no more for what was put. */
const SILENCE_MS = 300
const LONGEST_MS = 120_000

interface LiveNode {
  readonly replica: Replica
  readonly mesh: MeshService
}

const nodes: LiveNode[] = []
const workers = new DocumentWorkers()
let pushes = 0
let puts = 0

export const methods = {
  /** Makes a mesh in which each is connected to all others; their homes are made in a folder. */
  async open(folder: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) nodes.push(await startNode(`${folder}/node${i}`, `node${i}`))
    const [first, ...others] = nodes
    for (const { mesh } of others) await mesh.join((await first?.mesh.invite({ ttlSeconds: 600 }))?.ticket ?? '')
    await until(() =>
      nodes.every(({ mesh }) => {
        const peers = mesh.peers()
        return peers.length === count - 1 && peers.every(({ connected, equal }) => connected && equal)
      }),
    )
  },

  /** Puts so many entries on the first node, each when all have the one before. Returns the pushes for one. */
  async perCommit(count: number): Promise<number> {
    const before = pushes
    for (let i = 0; i < count; i++) {
      const id = { kind: 'memory', scope: MESH_SCOPE, key: `pushed/${puts++}` } as const
      await nodes[0]?.replica.putMemory({ scope: id.scope, key: id.key, value: benchValue(i), nodeId: 'node0' })
      await until(async () => {
        const rows = await Promise.all(nodes.map(({ replica }) => replica.get(id)))
        return rows.every((row) => row !== undefined)
      })
    }
    for (let last = -1; last !== pushes; ) {
      last = pushes
      await delay(SILENCE_MS)
    }
    return (pushes - before) / count
  },
}

async function startNode(home: string, nodeId: string): Promise<LiveNode> {
  const layout = layoutOf(home)
  const { seed } = await setUp(layout, nodeId)
  const signer = createSigner(seed)
  const replica = await openReplica({ signer, workers }, { path: layout.databasePath })
  const mesh = await createMesh(
    {
      replica,
      signer,
      clock: systemClock,
      log: LOG,
      random: Math.random,
      transport: (gate) =>
        counting(createLibp2pTransport({ gate, log: LOG }, { seed, listen: ['/ip4/127.0.0.1/tcp/0'] })),
      dialler: (transport, targets) => createDialler({ transport, log: LOG, targets }),
    },
    { nodeId, version: 'bench', repairIntervalMs: 3_600_000 },
  )
  await mesh.start()
  return { replica, mesh }
}

/** Counts each frame on a channel of pushes: with one put at a time it carries one commit to one peer. */
function counting(transport: Transport): Transport {
  const open = transport.open.bind(transport)
  transport.open = async (peer, protocol, options) => {
    const channel = await open(peer, protocol, options)
    if (!/\/push\//.test(protocol)) return channel
    const send = channel.send.bind(channel)
    channel.send = (frame) => {
      pushes++
      return send(frame)
    }
    return channel
  }
  return transport
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > LONGEST_MS) throw new Error('the mesh does not become equal')
    await delay(LOOK_MS)
  }
}

serveParent(methods)
