import { NODE_SCOPE } from '../../crdt/entry/index.ts'
import { type Commit, packOffered } from '../../crdt/replica/index.ts'
import { Assembler, split } from './exchange.ts'
import type { EntryPart } from './frames.ts'
import type { Link } from './link.ts'
import type { PeerMemory } from './peer-memory.ts'

/** Bytes that wait for one peer. Beyond it the backlog is dropped: reconciling is cheaper than so long a queue. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024
/** Parts that go into one frame, and about how many bytes. */
const PARTS_PER_FRAME = 256
const FRAME_BYTES = 256 * 1024

export interface PusherInit {
  /** Opens the channel; called when there is something to send. */
  readonly connect: () => Promise<Link>
  /** Tags of the peers that the sender pushes to. */
  readonly told: () => readonly string[]
  /** Called when commits were dropped or lost: the peer must be reconciled with. */
  readonly onGap: () => void
}

/** Sends commits to one connected peer as they become durable. Any may be lost; then the gap is said. */
export class Pusher {
  readonly #init: PusherInit
  #backlog: EntryPart[] = []
  #bytes = 0
  #link: Link | undefined
  #running = false
  #closed = false

  constructor(init: PusherInit) {
    this.#init = init
  }

  push(commits: readonly Commit[]): void {
    for (const { id, changes, signatures } of commits) {
      if (id.scope === NODE_SCOPE) continue
      const parts = split({ id, chunks: changes, signatures: packOffered(signatures) })
      this.#backlog.push(...parts)
      this.#bytes += sizeOf(parts)
    }
    if (this.#bytes > MAX_BACKLOG_BYTES) this.#drop()
    if (this.#backlog.length > 0 && !this.#running && !this.#closed) void this.#run()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#backlog = []
    await this.#link?.close()
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      this.#link ??= await this.#init.connect()
      while (this.#backlog.length > 0) {
        await this.#link.send({ type: 'push', entries: this.#nextFrame(), told: this.#init.told() })
      }
    } catch {
      // The connection is going, or the peer does not take pushes: repair is by reconciling.
      this.#link = undefined
      this.#drop()
    } finally {
      this.#running = false
    }
  }

  #nextFrame(): EntryPart[] {
    let count = 0
    for (let bytes = 0; count < this.#backlog.length && count < PARTS_PER_FRAME && bytes < FRAME_BYTES; count++) {
      bytes += sizeOf([this.#backlog[count] as EntryPart])
    }
    const frame = this.#backlog.splice(0, count)
    this.#bytes -= sizeOf(frame)
    return frame
  }

  #drop(): void {
    this.#backlog = []
    this.#bytes = 0
    if (!this.#closed) this.#init.onGap()
  }
}

export interface PushHandlers {
  /** Called before commits are taken in, with the tags of the peers that the sender pushes them to. */
  readonly onTold: (told: readonly string[]) => void
  /** Called for what builds on changes that are not here. */
  readonly onGap: () => void
}

/** Takes in what a peer pushes until it closes. */
export async function receivePushes(link: Link, memory: PeerMemory, { onTold, onGap }: PushHandlers): Promise<void> {
  const assembler = new Assembler()
  for (;;) {
    const message = await link.receiveIdle('push')
    if (message === undefined) return
    onTold(message.told)
    const transfers = message.entries.flatMap((part) => assembler.add(part) ?? [])
    const outcomes = await memory.take(transfers)
    if (outcomes.some(({ outcome }) => outcome === 'incomplete' || outcome === 'refused')) onGap()
  }
}

function sizeOf(parts: readonly EntryPart[]): number {
  return parts.reduce(
    (sum, { id, chunks }) => sum + id.key.length + 160 + chunks.reduce((all, c) => all + c.length, 0),
    0,
  )
}
