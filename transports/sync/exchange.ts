import { describeEntry, type EntryId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApplyOutcome, Replica, Transfer } from '../../crdt/replica/index.ts'
import type { Link } from './link.ts'
import { type EntryPart, type Held, MAX_HELD, MAX_PARTS } from './wire.ts'

/** Entries are gathered into frames of about this many bytes: large sends are what a stream is fast at. */
const FRAME_BYTES = 256 * 1024
/** Changes and signatures of one entry, over all its frames: at most this many bytes, so that they fit in memory. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024

/** Counts what goes over while it goes. */
export interface ExchangeCounts {
  sent: number
  received: number
}

export interface ExchangeComponents {
  readonly replica: Pick<Replica, 'transfer'>
  /** Takes in what the peer sent; tells what became of it. */
  readonly take: (transfers: readonly Transfer[]) => Promise<readonly ApplyOutcome[]>
  /** Called when counts have moved. */
  readonly onProgress: () => void
}

/**
 * Both sides send entries at once, each until its `end`. Then each says what it could not take or send, so that both
 * know whether they are equal now. Returns that of both together.
 */
export async function exchange(
  components: ExchangeComponents,
  link: Link,
  offered: Iterable<EntryId> | AsyncIterable<EntryId>,
  counts: ExchangeCounts,
): Promise<Held> {
  // Sending must not wait for receiving, nor the other way round: two full streams would wait for each other.
  const [{ sent, unsent }, ours] = await Promise.all([
    sendEntries(components, link, offered, counts),
    receiveEntries(components, link, counts),
  ])
  const refused = ours.filter(({ outcome }) => outcome === 'refused').map(({ id }) => id)
  const open = unsent + ours.filter(({ outcome }) => outcome === 'incomplete').length
  const [theirs] = await Promise.all([
    link.expect('held'),
    link.send({ type: 'held', refused: refused.slice(0, MAX_HELD), incomplete: open }),
  ])
  // Only what was offered: about other entries the peer has nothing to say.
  const theirRefusals = theirs.refused.filter((id) => sent.has(describeEntry(id)))
  return { refused: [...refused, ...theirRefusals], incomplete: open + theirs.incomplete }
}

async function sendEntries(
  { replica, onProgress }: ExchangeComponents,
  link: Link,
  offered: Iterable<EntryId> | AsyncIterable<EntryId>,
  counts: ExchangeCounts,
): Promise<{ sent: ReadonlySet<string>; unsent: number }> {
  const sent = new Set<string>()
  let frame: EntryPart[] = []
  let bytes = 0
  let unsent = 0
  const flush = async () => {
    if (frame.length === 0) return
    const entries = frame
    frame = []
    bytes = 0
    await link.send({ type: 'entries', entries })
    counts.sent += entries.filter(({ more }) => !more).length
    onProgress()
  }
  for await (const id of offered) {
    const transfer = await replica.transfer(id)
    if (transfer === undefined) continue
    if (sizeOf(transfer) > MAX_ENTRY_BYTES) {
      // Its neighbours must not wait for it.
      unsent++
      continue
    }
    sent.add(describeEntry(id))
    for (const part of split(transfer)) {
      frame.push(part)
      bytes += sizeOf(part)
      if (bytes >= FRAME_BYTES || frame.length >= MAX_PARTS) await flush()
    }
  }
  await flush()
  await link.send({ type: 'end' })
  return { sent, unsent }
}

async function receiveEntries(
  { take, onProgress }: ExchangeComponents,
  link: Link,
  counts: ExchangeCounts,
): Promise<ApplyOutcome[]> {
  const outcomes: ApplyOutcome[] = []
  const assembler = new Assembler()
  for (;;) {
    const message = await link.expect('entries', 'end')
    if (message.type === 'end') return outcomes
    const transfers = message.entries.flatMap((part) => assembler.add(part) ?? [])
    outcomes.push(...(await take(transfers)).filter(({ outcome }) => outcome !== 'applied' && outcome !== 'known'))
    counts.received += transfers.length
    onProgress()
  }
}

/** An entry in parts that each fit a frame: of a long history first the changes, then the signatures. */
export function split({ id, changes, signatures }: Transfer): EntryPart[] {
  const parts: EntryPart[] = []
  let some: Uint8Array[] = []
  let bytes = 0
  for (const change of changes) {
    if (bytes > 0 && bytes + change.length > FRAME_BYTES) {
      parts.push({ id, changes: some, signatures: NONE, more: true })
      some = []
      bytes = 0
    }
    some.push(change)
    bytes += change.length
  }
  let from = 0
  for (; signatures.length - from > FRAME_BYTES; from += FRAME_BYTES) {
    parts.push({ id, changes: some, signatures: signatures.subarray(from, from + FRAME_BYTES), more: true })
    some = []
  }
  parts.push({ id, changes: some, signatures: signatures.subarray(from), more: false })
  return parts
}

const NONE = new Uint8Array()

/** Puts parts of an entry together again. The parts of one entry follow each other. */
export class Assembler {
  readonly #parts: EntryPart[] = []
  #bytes = 0

  /** The whole entry when this was its last part. @throws {MeshError} `MESSAGE_INVALID` */
  add(part: EntryPart): Transfer | undefined {
    const { id } = this.#parts[0] ?? part
    if (id.key !== part.id.key || id.scope !== part.id.scope || id.kind !== part.id.kind) {
      throw new MeshError('MESSAGE_INVALID', 'an entry was begun before the one before it was whole')
    }
    this.#bytes += sizeOf(part)
    if (this.#bytes > MAX_ENTRY_BYTES) throw new MeshError('MESSAGE_INVALID', 'an entry of more than 64 MiB')
    this.#parts.push(part)
    if (part.more) return undefined
    const parts = this.#parts.splice(0)
    this.#bytes = 0
    return {
      id,
      changes: parts.flatMap(({ changes }) => changes),
      signatures: Buffer.concat(parts.map(({ signatures }) => signatures)),
    }
  }
}

function sizeOf({ id, changes, signatures }: Transfer): number {
  return changes.reduce((sum, change) => sum + change.length, id.key.length + signatures.length + 16)
}
