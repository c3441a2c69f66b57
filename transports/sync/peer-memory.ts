import { decode, encode } from 'cborg'
import { describeEntry, type EntryId, entryName, NODE_SCOPE } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApplyOutcome, Item, Replica, SideStore, Transfer } from '../../crdt/replica/index.ts'
import { itemOf, subtractFrom } from '../../crdt/summary/index.ts'
import type { Log } from '../libp2p/index.ts'
import type { PeerId } from '../transport.ts'
import type { Stand } from './wire.ts'

/** Where the replica keeps a checkpoint for each peer. */
export const CHECKPOINTS_NAMESPACE = 'checkpoints'

/** Refused entries kept for a peer. With more, the two are too far apart for a sync to end well, and it says so. */
const MAX_LEFT_OUT = 10_000
/** Wait before an entry that broke a worker's limit is tried again, doubled each time up to the longest. Milliseconds. */
const FIRST_RETRY_MS = 60_000
const LONGEST_RETRY_MS = 24 * 3600 * 1000

interface Checkpoint {
  /** Both databases: with another one on either side this is worthless. */
  readonly ownDatabase: string
  readonly database: string
  readonly mine: number
  readonly theirs: number
}

interface Retry {
  readonly attempts: number
  readonly notBefore: number
}

export interface PeerMemoryComponents {
  readonly replica: Pick<Replica, 'get' | 'apply' | 'meshId' | 'databaseId' | 'position' | 'horizon' | 'digest'>
  readonly side: SideStore
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
}

/** What this node remembers of one peer from session to session. */
export class PeerMemory {
  readonly #components: PeerMemoryComponents
  readonly #peer: PeerId
  readonly #leftOut = new Map<string, { id: EntryId; item: string | undefined }>()
  readonly #retries = new Map<string, Retry>()
  #checkpoint: Checkpoint | undefined
  #database = ''
  #boot = ''
  #rosterVersion = ''

  private constructor(components: PeerMemoryComponents, peer: PeerId, checkpoint: Checkpoint | undefined) {
    this.#components = components
    this.#peer = peer
    this.#checkpoint = checkpoint
  }

  static async load(components: PeerMemoryComponents, peer: PeerId): Promise<PeerMemory> {
    const stored = await components.side.get(CHECKPOINTS_NAMESPACE, peer)
    if (stored === undefined) return new PeerMemory(components, peer, undefined)
    const [ownDatabase, database, mine, theirs] = decode(stored) as [string, string, number, number]
    return new PeerMemory(components, peer, { ownDatabase, database, mine, theirs })
  }

  /** Entries from this peer that wait to be tried again. */
  get incomplete(): number {
    return this.#retries.size
  }

  /** Entries that one of the two refuses, and both leave out. */
  get refused(): number {
    return this.#leftOut.size
  }

  /** The peer's database, as it said when it connected. */
  setDatabase(database: string): void {
    this.#database = database
  }

  /** The process that the peer speaks from: another one may have other rules, and take what was refused. */
  heardFrom(boot: string): void {
    if (boot !== this.#boot) this.#leftOut.clear()
    this.#boot = boot
  }

  /** Where this replica stands towards the peer: without what one side refused of the other, as long as neither changed. */
  async stand(rosterVersion: string): Promise<Stand> {
    // Another roster is other rules: what was refused may pass now.
    if (rosterVersion !== this.#rosterVersion) this.#leftOut.clear()
    this.#rosterVersion = rosterVersion
    const left = await this.itemsLeftOut()
    const { replica } = this.#components
    const digest = replica.digest()
    const sum = digest.digest.slice()
    for (const item of left) subtractFrom(sum, item)
    const at = replica.position
    return {
      at,
      digest: sum,
      items: digest.items - left.length,
      roster: rosterVersion,
      checkpoint: this.#validCheckpoint(at),
    }
  }

  /**
   * The positions of the checkpoint; zeros where either side's database is another one now, or was rolled back, and where
   * the feed does not reach back so far.
   */
  #validCheckpoint(at: number): readonly [mine: number, theirs: number] {
    const kept = this.#checkpoint
    const { databaseId, horizon } = this.#components.replica
    const isSame = kept?.ownDatabase === databaseId && kept.database === this.#database
    return isSame && kept.mine >= horizon && kept.mine <= at ? [kept.mine, kept.theirs] : [0, 0]
  }

  /** Whether one of the two refuses an entry, as far as was known when the pass began. */
  isLeftOut(id: EntryId): boolean {
    return this.#leftOut.has(entryName(id))
  }

  /** Whether an item takes part in reconciling with the peer. */
  takesPart({ id, item }: Item): boolean {
    const left = this.#leftOut.get(entryName(id))
    return left === undefined || left.item !== hex(item)
  }

  /** Remembers, durably, the positions at which both were proven equal. */
  async proveEqual(mine: number, theirs: number): Promise<void> {
    const ownDatabase = this.#components.replica.databaseId
    this.#checkpoint = { ownDatabase, database: this.#database, mine, theirs }
    const value = encode([ownDatabase, this.#database, mine, theirs])
    await this.#components.side.write([{ namespace: CHECKPOINTS_NAMESPACE, key: this.#peer, value }])
  }

  /** Both sides leave out an entry that one of them refused, until either's version of it changes. */
  async leaveOut(ids: readonly EntryId[]): Promise<void> {
    for (const id of ids) {
      if (this.#leftOut.size >= MAX_LEFT_OUT) {
        const message = `${MAX_LEFT_OUT} entries and more are refused between the two nodes`
        throw new MeshError('SYNC_INCOMPLETE', message, { hint: 'update openclaw-mesh on both' })
      }
      // It takes no part anyway, and nobody may learn whether there is one.
      if (id.scope === NODE_SCOPE) continue
      const item = await this.#itemOf(id)
      this.#leftOut.set(entryName(id), { id, item: item && hex(item) })
    }
  }

  /** Takes in what the peer sent, save what broke a limit before and is not due again. */
  async take(transfers: readonly Transfer[]): Promise<ApplyOutcome[]> {
    const now = this.#components.now()
    const { due = [], waiting = [] } = Object.groupBy(transfers, ({ id }) =>
      (this.#retries.get(entryName(id))?.notBefore ?? 0) <= now ? 'due' : 'waiting',
    )
    const outcomes = await this.#components.replica.apply(due, this.#peer)
    for (const outcome of outcomes) this.#remember(outcome, now)
    this.#logRefused(outcomes)
    return [...outcomes, ...waiting.map(({ id }) => notYet(id))]
  }

  #remember(outcome: ApplyOutcome, now: number): void {
    const name = entryName(outcome.id)
    if (outcome.outcome === 'incomplete' && outcome.code === 'WORKER_LIMIT') {
      const attempts = (this.#retries.get(name)?.attempts ?? 0) + 1
      const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1))
      this.#retries.set(name, { attempts, notBefore: now + wait })
      return
    }
    this.#retries.delete(name)
    if (outcome.outcome !== 'refused') this.#leftOut.delete(name)
  }

  #logRefused(outcomes: readonly ApplyOutcome[]): void {
    const refused = outcomes.filter(({ outcome }) => outcome === 'refused')
    const first = refused[0]
    if (first?.outcome !== 'refused') return
    // A secret may stand in the key itself.
    const entry = first.code === 'SECRET_REFUSED' ? `${first.id.kind} in ${first.id.scope}` : describeEntry(first.id)
    const fields = { peerId: this.#peer, entry, code: first.code, count: refused.length }
    this.#components.log.warn(fields, `entries were refused, the first because of: ${first.message}`)
  }

  /** Items that are left out still; forgets those whose entry has changed. */
  async itemsLeftOut(): Promise<Uint8Array[]> {
    const items: Uint8Array[] = []
    for (const [name, left] of this.#leftOut) {
      const item = await this.#itemOf(left.id)
      if ((item && hex(item)) !== left.item) this.#leftOut.delete(name)
      else if (item !== undefined) items.push(item)
    }
    return items
  }

  async #itemOf(id: EntryId): Promise<Uint8Array | undefined> {
    const { replica } = this.#components
    const entry = await replica.get(id)
    return entry && itemOf(replica.meshId, id, entry.heads)
  }
}

function notYet(id: EntryId): ApplyOutcome {
  return { id, outcome: 'incomplete', code: 'WORKER_LIMIT', message: 'broke a limit before; tried again later' }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
