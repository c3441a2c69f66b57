import { once } from 'node:events'
import { NODE_SCOPE } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { Commit, Replica } from '../../crdt/replica/index.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../libp2p/index.ts'
import type { LongWorkOptions, PeerSyncReport } from '../mesh.ts'
import type { Channel, PeerId, Transport } from '../transport.ts'
import type { ExchangeCounts } from './exchange.ts'
import type { Introduction } from './hello.ts'
import { Link, type Traffic } from './link.ts'
import type { SessionComponents } from './pass.ts'
import type { PeerMemory } from './peer-memory.ts'
import { Pusher, receivePushes } from './push.ts'
import { initiate, respond } from './session.ts'
import { type Message, PROTOCOLS } from './wire.ts'

/** Wait before a gap is repaired, so that a burst of lost pushes makes one session. Milliseconds. */
const REPAIR_MS = 250
/** Longest wait before a session that failed is tried again on the same connection; it begins with {@link REPAIR_MS}. */
const LONGEST_RETRY_MS = 60_000

/** How often a session is begun at most while the peer says that it is busy, and how long between if nothing happens. */
const MAX_ATTEMPTS = 10
const BUSY_MS = 5_000

/** Sessions served to one peer at once; an honest one has one, and another when a connection has just been replaced. */
const MAX_SERVED = 2

export interface PeerComponents {
  readonly replica: Replica
  readonly transport: Pick<Transport, 'self' | 'open' | 'connected'>
  readonly clock: Clock
  readonly log: Log
  readonly roster: SessionComponents['roster']
  readonly memory: PeerMemory
  readonly presence: SessionComponents['presence']
  readonly introduce: () => Introduction
  /** What the peer said of itself. */
  readonly onHello: (peer: PeerId, hello: Introduction) => Promise<void>
  readonly nameOf: (peer: PeerId) => string
  /** Tags of the peers that this node pushes to. */
  readonly told: () => readonly string[]
}

/** One connected member: introduction, sessions, pushes. Ends with the connection. */
export class Peer {
  readonly id: PeerId
  readonly #components: PeerComponents
  readonly #pusher: Pusher
  #greeting: Promise<void> | undefined
  #session: Promise<PeerSyncReport> | undefined
  /** The channel of the last session of this side, kept for the next. */
  #resting: Link | undefined
  #cancelRepair: (() => void) | undefined
  readonly #closing = new AbortController()
  #failures = 0
  #reconciling = false
  #serving = 0
  /** Resolves when the session of the peer's that is under way, or else the next, is over. */
  #answered = Promise.withResolvers<void>()
  /** Sessions that are under way, of this side at most one; what has gone over in them, and who is told of it. */
  #talks = 0
  #counts: ExchangeCounts = { sent: 0, received: 0, expected: undefined }
  #say: (() => void) | undefined
  #inboundPush: Channel | undefined
  /** Something was committed, not by way of this peer, since the last stand that a session began from. */
  #changed = true
  #proven = false
  /** Tags of the peers that it pushes to, as its latest push said. */
  told: readonly string[] = []
  lastSync: number | null = null
  lastError: string | null = null

  constructor(components: PeerComponents, id: PeerId) {
    this.id = id
    this.#components = components
    const { told } = components
    this.#pusher = new Pusher({ connect: () => this.#open(PROTOCOLS.push), told, onGap: () => this.repairSoon() })
  }

  /** Whether both were proven equal and nothing was committed here since. */
  get equal(): boolean {
    return this.#proven && !this.#changed
  }

  get incomplete(): number {
    return this.#components.memory.incomplete
  }

  /** Whether it is this side's part to begin: of two that connect, the one with the smaller id. */
  get begins(): boolean {
    return this.#components.transport.self < this.id
  }

  /** Takes note of commits, and pushes those that `isForIt` says to. What came from the peer is nothing new to it. */
  onCommits(commits: readonly Commit[], isForIt: (commit: Commit) => boolean): void {
    const news = commits.filter(({ id, via }) => id.scope !== NODE_SCOPE && via !== this.id)
    if (news.length === 0) return
    this.#changed = true
    this.#pusher.push(news.filter(isForIt))
  }

  /** Reconciles now. A call during a session waits for it and begins another. */
  async sync(options: LongWorkOptions = {}): Promise<PeerSyncReport> {
    while (this.#session !== undefined) await this.#session
    this.#session = this.#runSession(options)
    try {
      return await this.#session
    } finally {
      this.#session = undefined
    }
  }

  /** Reconciles when the session that runs, if any, has ended. Any number of calls meanwhile make one session. */
  reconcile(): void {
    if (this.#reconciling) return
    this.#reconciling = true
    const begin = async () => {
      while (this.#session !== undefined) await this.#session
      this.#reconciling = false
      await this.sync()
    }
    void begin()
  }

  /** Reconciles in a moment, unless that is about to happen already. */
  repairSoon(wait = REPAIR_MS): void {
    if (this.#closing.signal.aborted) return
    this.#cancelRepair ??= this.#components.clock.after(wait, () => {
      this.#cancelRepair = undefined
      if (!this.#closing.signal.aborted) this.reconcile()
    })
  }

  async serveHello(channel: Channel): Promise<void> {
    const link = new Link(channel)
    const hello = await link.expect('hello')
    await this.#components.onHello(this.id, hello)
    await link.send({ type: 'hello', ...this.#components.introduce() })
    this.#greeting = Promise.resolve()
  }

  async serveSession(channel: Channel): Promise<void> {
    if (this.#serving >= MAX_SERVED) throw new MeshError('MESH_BUSY', 'too many sessions with one peer at once')
    const link = new Link(channel)
    this.#serving++
    try {
      for (let open = await nextSession(link); open !== undefined; open = await nextSession(link)) {
        // Two sessions at once would carry everything twice. Where both sides have begun one, that of the side whose part
        // it is goes first.
        if (this.begins && this.#session !== undefined) {
          await link.send(refused(new MeshError('MESH_BUSY', 'a session that this side has begun comes first')))
          return
        }
        try {
          this.#ended(await respond(this.#beginTalk(), link, open), null)
        } finally {
          this.#talks--
          this.#answered.resolve()
          this.#answered = Promise.withResolvers()
        }
      }
    } catch (error) {
      this.#ended(false, error)
      // The other side's report should say why, where it still listens.
      await link.send(refused(error)).catch(() => {})
      throw error
    } finally {
      this.#serving--
    }
  }

  servePushes(channel: Channel): Promise<void> {
    // One is enough; another means that the peer has lost the one before.
    this.#inboundPush?.abort(new MeshError('CHANNEL_CLOSED', 'the peer has opened another'))
    this.#inboundPush = channel
    const onTold = (told: readonly string[]) => {
      this.told = told
    }
    return receivePushes(new Link(channel), this.#components.memory, { onTold, onGap: () => this.repairSoon() })
  }

  async close(): Promise<void> {
    this.#closing.abort(new MeshError('PEER_NOT_CONNECTED', 'the connection has ended'))
    this.#cancelRepair?.()
    await Promise.all([this.#pusher.close(), this.#resting?.close()])
  }

  /** Introduces this node, once for a connection. @throws what opening a channel does */
  greet(): Promise<void> {
    this.#greeting ??= this.#greet().catch((error: unknown) => {
      this.#greeting = undefined
      throw error
    })
    return this.#greeting
  }

  async #greet(): Promise<void> {
    const link = await this.#open(PROTOCOLS.hello)
    try {
      await link.send({ type: 'hello', ...this.#components.introduce() })
      await this.#components.onHello(this.id, await link.expect('hello'))
    } finally {
      await link.close()
    }
  }

  async #runSession({ signal, onProgress }: LongWorkOptions): Promise<PeerSyncReport> {
    const began = this.#components.clock.now()
    const components = this.#beginTalk()
    const { counts } = components
    let link: Link | undefined
    let before = NO_TRAFFIC
    let error: unknown
    const ending = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])])
    const giveUp = () => link?.abort(signal?.reason as Error)
    try {
      signal?.throwIfAborted()
      signal?.addEventListener('abort', giveUp)
      await this.greet()
      this.#say = () => {
        const { sent, received, expected: total } = counts
        const done = sent + received
        onProgress?.({ phase: 'entries', peer: this.#name, done, ...(total === undefined ? {} : { total }) })
      }
      for (let attempt = 1; ; attempt++) {
        // One of the peer's that is under way brings what this one would.
        while (this.#talks > 1) await unlessAborted(this.#answered.promise, ending)
        link = await this.#sessionLink()
        before = { ...link.traffic }
        try {
          await initiate(components, link)
          break
        } catch (failure) {
          if (!isBusy(failure) || attempt === MAX_ATTEMPTS) throw failure
          link.abort(failure)
          await this.#nextAnswered(ending)
        }
      }
    } catch (failure) {
      error = failure
    } finally {
      signal?.removeEventListener('abort', giveUp)
      this.#say = undefined
      this.#talks--
      await this.#leave(link, error, counts)
    }
    this.#ended(error === undefined, error)
    const after = link?.traffic ?? before
    this.#failures = error === undefined ? 0 : this.#failures + 1
    if (this.#failures > 0) this.repairSoon(Math.min(LONGEST_RETRY_MS, REPAIR_MS * 2 ** this.#failures))
    return {
      nodeId: this.#name,
      peerId: this.id,
      equal: error === undefined,
      entriesSent: counts.sent,
      entriesReceived: counts.received,
      bytesSent: after.bytesSent - before.bytesSent,
      bytesReceived: after.bytesReceived - before.bytesReceived,
      roundTrips: after.roundTrips - before.roundTrips,
      milliseconds: this.#components.clock.now() - began,
      ...(error === undefined ? {} : { error: describe(error) }),
    }
  }

  /** Waits until a session that the peer says it has begun is over, or for a while if none comes. */
  async #nextAnswered(signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<void>()
    const cancel = this.#components.clock.after(BUSY_MS, late.resolve)
    try {
      await unlessAborted(Promise.race([this.#answered.promise, late.promise]), signal)
    } finally {
      cancel()
    }
  }

  /** The channel of the last session, where it is kept, or a new one. */
  async #sessionLink(): Promise<Link> {
    const kept = this.#resting
    this.#resting = undefined
    return kept === undefined || kept.isEnded ? this.#open(PROTOCOLS.session) : kept
  }

  async #leave(link: Link | undefined, error: unknown, { sent, received }: ExchangeCounts): Promise<void> {
    // To open a channel costs several times as much as to find out that both are equal. One that carried entries may
    // hold on to their bytes.
    if (link !== undefined && error === undefined && sent + received === 0 && !this.#closing.signal.aborted) {
      link.rest()
      this.#resting = link
      return
    }
    // A half-close would leave the peer waiting with what it still wants to send. Where the talk came to its end, only
    // without equality, the peer must still hear what was refused.
    if (error === undefined || hasTalked(error)) await link?.close().catch(() => {})
    else link?.abort(error as Error)
  }

  #beginTalk(): SessionComponents {
    if (this.#talks++ === 0) this.#counts = { sent: 0, received: 0, expected: undefined }
    const counts = this.#counts
    const onProgress = () => this.#say?.()
    const { replica, roster, memory, presence } = this.#components
    const onStand = () => {
      this.#changed = false
    }
    return { replica, roster, memory, presence, counts, onProgress, onStand }
  }

  #ended(proven: boolean, error: unknown): void {
    this.#proven = proven
    if (proven) this.lastSync = this.#components.clock.now()
    this.lastError = error === null || error === undefined ? null : describe(error).message
    if (this.lastError !== null && !this.#closing.signal.aborted) {
      this.#components.log.debug({ peerId: this.id, err: error }, 'reconciling ended without equality')
    }
  }

  async #open(protocol: string): Promise<Link> {
    return new Link(await this.#components.transport.open(this.id, protocol))
  }

  get #name(): string {
    return this.#components.nameOf(this.id)
  }
}

const NO_TRAFFIC: Traffic = { bytesSent: 0, bytesReceived: 0, roundTrips: 0 }

/** Waits for the initiator to begin a session; undefined when it has none any more, which may also be its connection's end. */
async function nextSession(link: Link) {
  try {
    return await link.receiveNext('open')
  } catch (error) {
    if (error instanceof MeshError && error.code === 'CHANNEL_CLOSED') return undefined
    throw error
  }
}

/** @throws what `signal` is aborted with, at once */
function unlessAborted(wait: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted()
  return Promise.race([wait, once(signal, 'abort').then(() => signal.throwIfAborted())])
}

const isBusy = (error: unknown): error is MeshError => error instanceof MeshError && error.code === 'MESH_BUSY'

function refused(error: unknown): Message {
  const { code, message } = describe(error)
  return { type: 'refused', code, message: message.slice(0, 256), field: '', hint: '' }
}

/** Whether a session ended in good order, though not in equality. */
function hasTalked(error: unknown): boolean {
  return error instanceof MeshError && (error.code === 'SYNC_INCOMPLETE' || error.code === 'SYNC_UNDECIDED')
}

/** An error as reports carry it. */
export function describe(error: unknown): { code: string; message: string } {
  if (error instanceof MeshError) return { code: error.code, message: error.message }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }
}
