import { NODE_SCOPE } from '../../crdt/entry/index.ts'
import { type Commit, packSignatures } from '../../crdt/replica/index.ts'
import { Assembler, split } from './exchange.ts'
import type { Link } from './link.ts'
import type { PeerMemory } from './peer-memory.ts'
import type { EntryPart } from './wire.ts'

/** Bytes that wait for one peer. Beyond it the backlog is dropped: reconciling is cheaper than so long a queue. */
const MAX_BACKLOG_BYTES = 8 * 1024 * 1024
/** Parts that go into one frame, and about how many bytes. */
const PARTS_PER_FRAME = 256
const FRAME_BYTES = 256 * 1024

export interface PusherInit {
  /** Opens the channel; called when there is something to send. */
  readonly connect: () => Promise<Link>
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
      const parts = split({ id, changes, signatures: packSignatures(signatures) })
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
      while (this.#backlog.length > 0) await this.#link.send({ type: 'entries', entries: this.#nextFrame() })
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

/** Takes in what a peer pushes until it closes. `onGap` is called for what builds on changes that are not here. */
export async function receivePushes(link: Link, memory: PeerMemory, onGap: () => void): Promise<void> {
  const assembler = new Assembler()
  for (;;) {
    const message = await link.receiveIdle('entries')
    if (message === undefined) return
    const transfers = message.entries.flatMap((part) => assembler.add(part) ?? [])
    const outcomes = await memory.take(transfers)
    if (outcomes.some(({ outcome }) => outcome === 'incomplete' || outcome === 'refused')) onGap()
  }
}

function sizeOf(parts: readonly EntryPart[]): number {
  return parts.reduce(
    (sum, { id, changes }) => sum + id.key.length + 160 + changes.reduce((all, c) => all + c.length, 0),
    0,
  )
}
