import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EntryId } from '../../crdt/entry/index.ts'
import {
  type ApplyOutcome,
  createReplica,
  type DocumentWorkers,
  openReplica,
  type Replica,
} from '../../crdt/replica/index.ts'
import { createSigner, type Signer } from '../../crdt/signing.ts'
import { peerIdFromSeed } from '../../transports/libp2p/index.ts'
import { meshIdOf, type RosterRecord, rosterWrite, signRecord } from '../../transports/roster/index.ts'
import { createMesh, type MeshService } from '../../transports/sync/index.ts'
import type { PeerId } from '../../transports/transport.ts'
import { Activity } from './activity.ts'
import { SeededRandom } from './random.ts'
import { SimNetwork } from './sim-network.ts'

/** So few that checkpoints and symbols fall behind the feed's horizon now and then. */
const FEED_KEPT = 25
const SILENT = { debug() {}, info() {}, warn() {} }

/** One node of a simulated mesh: a real replica and a real mesh service on a simulated network. */
export interface SimNode {
  readonly name: string
  readonly peer: PeerId
  replica: Replica
  mesh: MeshService
}

/** What is not as usual in a simulated mesh. */
export interface SimInit {
  /** A node that the others do not know as a member before {@link SimMesh.admit}. */
  readonly late?: string
  /** Entries that one of the nodes refuses, as one of another version might. */
  readonly refuses?: { readonly node: string; readonly key: string }
}

/** Members whose roster is equal from the beginning, but for a late one, on one {@link SimNetwork}. */
export class SimMesh {
  readonly network: SimNetwork
  readonly random: SeededRandom
  readonly nodes: SimNode[] = []
  readonly #folder: string
  readonly #workers: DocumentWorkers
  readonly #seeds: readonly Uint8Array[]
  readonly #skews: readonly number[]
  readonly #init: SimInit
  #unknown: readonly RosterRecord[] = []

  private constructor(
    init: { seed: number; names: readonly string[]; folder: string; workers: DocumentWorkers } & SimInit,
  ) {
    this.#init = init
    this.random = new SeededRandom(init.seed)
    this.network = new SimNetwork(this.random, new Activity())
    this.#folder = init.folder
    this.#workers = init.workers
    this.#seeds = init.names.map((name) => createHash('sha256').update(`${init.seed} ${name}`).digest())
    // Clocks that are wrong by up to ten years either way.
    this.#skews = init.names.map(() => (this.random.next() - 0.5) * 20 * 365 * 24 * 3600 * 1000)
  }

  /** @param seed drives everything: equal seeds, equal runs */
  static async create(
    seed: number,
    names: readonly string[],
    workers: DocumentWorkers,
    init: SimInit = {},
  ): Promise<SimMesh> {
    // In memory where the system has such a folder: the disk is not what is tested here.
    const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sim-mesh-'))
    const sim = new SimMesh({ ...init, seed, names, folder, workers })
    const records = rosterOf(names, sim.#seeds.map(createSigner))
    const meshId = meshIdOf(records[0] as RosterRecord)
    const late = init.late === undefined ? records.length : names.indexOf(init.late)
    sim.#unknown = records.slice(late)
    for (const [i, name] of names.entries()) {
      const known = name === init.late ? records : records.slice(0, late)
      await createReplica(join(folder, name), { meshId, records: known.map(rosterWrite) })
      sim.nodes.push(await sim.#open(i, name))
    }
    for (const [a, b] of sim.pairs()) await sim.network.link(a.peer, b.peer, true)
    return sim
  }

  *pairs(): Generator<[SimNode, SimNode]> {
    for (const [i, a] of this.nodes.entries()) for (const b of this.nodes.slice(i + 1)) yield [a, b]
  }

  /** Stops a node and starts it again on what it had stored, as after a crash between two commits. */
  restart(index: number): Promise<void> {
    return this.#whileStopped(index, async () => {})
  }

  /** Copies what a node has stored, while it is stopped. */
  backUp(index: number): Promise<void> {
    return this.#whileStopped(index, (folder) => cp(folder, `${folder}.kept`, { recursive: true, force: true }))
  }

  /** Starts a node again on the copy that was made of it: it has forgotten what it did since. */
  restore(index: number): Promise<void> {
    return this.#whileStopped(index, async (folder) => {
      await rm(folder, { recursive: true })
      await cp(`${folder}.kept`, folder, { recursive: true })
    })
  }

  /** The founder makes the late node a member. */
  async admit(): Promise<void> {
    const [founder] = this.nodes as [SimNode]
    await founder.replica.side.write(this.#unknown.map(rosterWrite))
    // A roster is read at the start.
    await this.restart(0)
  }

  async #whileStopped(index: number, act: (folder: string) => Promise<void>): Promise<void> {
    const node = this.nodes[index] as SimNode
    for (const other of this.nodes) if (other !== node) await this.network.link(node.peer, other.peer, false)
    await node.mesh.stop()
    await node.replica.close()
    await act(join(this.#folder, node.name))
    this.nodes[index] = await this.#open(index, node.name)
    for (const other of this.nodes) if (other !== node) await this.network.link(node.peer, other.peer, true)
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ mesh }) => mesh.stop()))
    for (const [a, b] of this.pairs()) await this.network.link(a.peer, b.peer, false)
    await this.network.timeOut()
    await Promise.all(this.nodes.map(({ replica }) => replica.close()))
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #open(i: number, name: string): Promise<SimNode> {
    const seed = this.#seeds[i] as Uint8Array
    const signer = createSigner(seed)
    const clock = this.network.clock(this.#skews[i] as number)
    const { activity } = this.network
    const opened = await openReplica(
      { signer, now: clock.now, workers: this.#workers },
      { path: join(this.#folder, name), feedKept: FEED_KEPT },
    )
    const side = activity.watch(opened.side)
    const watched = activity.watch(opened)
    const { refuses } = this.#init
    const picky = refuses?.node === name ? { apply: refusing(watched, refuses.key) } : {}
    const replica = new Proxy(watched, {
      get: (target, property) => Reflect.get({ side, ...picky }, property) ?? Reflect.get(target, property),
    })
    const peer = peerIdFromSeed(seed)
    const mesh = await createMesh(
      {
        replica,
        signer,
        clock,
        log: SILENT,
        random: this.random.next,
        transport: (gate) => this.network.transport(peer, gate),
        // Who is linked is connected: there is nobody to dial.
        dialler: () => ({ start() {}, async stop() {}, kick() {}, lastError: () => undefined }),
      },
      { nodeId: name, version: 'sim', repairIntervalMs: 60_000 },
    )
    await mesh.start()
    return { name, peer, replica, mesh }
  }
}

/** Takes in all but the entries with one key. */
function refusing(replica: Replica, key: string): Replica['apply'] {
  return async (transfers, via) => {
    const outcomes = await replica.apply(
      transfers.filter(({ id }) => id.key !== key),
      via,
    )
    return transfers.map(({ id }): ApplyOutcome => {
      if (id.key === key) return { id, outcome: 'refused', code: 'CHANGE_UNSIGNED', message: 'not wanted here' }
      return outcomes.shift() as ApplyOutcome
    })
  }
}

/** What every node must agree on: entries with their versions, rows and histories. */
export async function stateOf({ replica }: SimNode): Promise<string> {
  const lines: string[] = []
  for (const kind of ['memory', 'skill'] as const) {
    for await (const { row, heads, conflicts } of replica.list(kind)) {
      lines.push(JSON.stringify([row, heads.map((head) => Buffer.from(head).toString('hex')), conflicts]))
    }
  }
  return [Buffer.from(replica.digest().digest).toString('hex'), ...lines].join('\n')
}

/** Hashes of all changes that a node holds of an entry. */
export async function changesOf({ replica }: SimNode, id: EntryId): Promise<Set<string>> {
  return new Set((await replica.history(id)).map(({ hash }) => hash))
}

function rosterOf(names: readonly string[], signers: readonly Signer[]): RosterRecord[] {
  const [founder, ...others] = signers as [Signer, ...Signer[]]
  const at = 1_700_000_000
  const genesis = signRecord(founder, {
    parents: [],
    at,
    statement: { type: 'genesis', name: names[0] as string, nonce: '00' },
  })
  const records = [genesis]
  for (const [i, { publicKey }] of others.entries()) {
    const statement = {
      type: 'add',
      member: Buffer.from(publicKey).toString('hex'),
      name: names[i + 1] as string,
    } as const
    records.push(signRecord(founder, { parents: [(records.at(-1) as RosterRecord).hash], at, statement }))
  }
  return records
}
