import { describeEntry } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApplyOutcome, Transfer } from '../../crdt/replica/index.ts'
import { nextTurn } from '../../crdt/turns.ts'
import { type EntryPart, MAX_PARTS } from './frames.ts'
import type { Link } from './link.ts'
import { createPacer } from './pacer.ts'
import { type Held, MAX_HELD } from './wire.ts'

/**
 * Entries are gathered into frames of about this many bytes before they are compressed: large sends are what a stream is
 * fast at. Even single changes come to 64 KiB then, and to pack or unpack a frame keeps the event loop for some 10 ms.
 */
const FRAME_BYTES = 192 * 1024
/** Chunks and signatures of one entry, over all its frames: at most this many bytes, so that they fit in memory. */
const MAX_ENTRY_BYTES = 64 * 1024 * 1024

/** Counts what goes over while it goes. */
export interface ExchangeCounts {
  sent: number
  received: number
  /** How many are to go over in this pass, both ways; undefined while nobody knows. */
  expected: number | undefined
}

export interface ExchangeComponents {
  /** Takes in what the peer sent; tells what became of it. */
  readonly take: (transfers: readonly Transfer[]) => Promise<readonly ApplyOutcome[]>
  readonly counts: ExchangeCounts
  /** Called when counts have moved. */
  readonly onProgress: () => void
}

/** What this side sends in an exchange. */
export interface Offer {
  readonly transfers: AsyncIterable<Transfer>
  /** How many of them the peer will find not to fit, as far as this side knows. */
  readonly unfit: number
}

/**
 * Both sides send entries at once, each until its `end`. Then each says what it could not take or send, so that both
 * know whether they are equal now. Returns that of both together.
 */
export async function exchange(components: ExchangeComponents, link: Link, offer: Offer): Promise<Held> {
  // Sending must not wait for receiving, nor the other way round: two full streams would wait for each other.
  const [{ sent, unsent }, ours] = await Promise.all([
    sendEntries(components, link, offer.transfers),
    receiveEntries(components, link),
  ])
  const refused = ours.filter(({ outcome }) => outcome === 'refused').map(({ id }) => id)
  const isUnfit = (one: ApplyOutcome) => one.outcome === 'incomplete' && one.code === 'CHANGE_INCOMPLETE'
  const unfit = offer.unfit + ours.filter(isUnfit).length
  const incomplete = unsent + ours.filter((one) => one.outcome === 'incomplete' && !isUnfit(one)).length
  const [theirs] = await Promise.all([
    // What the peer sends meanwhile and this are one answer to what this side has sent.
    link.answer('held'),
    link.send({ type: 'held', refused: refused.slice(0, MAX_HELD), incomplete, unfit }),
  ])
  // Only what was offered: about other entries the peer has nothing to say.
  const theirRefusals = theirs.refused.filter((id) => sent.has(describeEntry(id)))
  return {
    refused: [...refused, ...theirRefusals],
    incomplete: incomplete + theirs.incomplete,
    unfit: unfit + theirs.unfit,
  }
}

async function sendEntries(
  { counts, onProgress }: ExchangeComponents,
  link: Link,
  transfers: AsyncIterable<Transfer>,
): Promise<{ sent: ReadonlySet<string>; unsent: number }> {
  const pause = createPacer()
  const sent = new Set<string>()
  let frame: EntryPart[] = []
  let bytes = 0
  let unsent = 0
  const flush = async () => {
    if (frame.length === 0) return
    const entries = frame
    frame = []
    bytes = 0
    // To pack a frame takes longer than a turn should: it is not to come on top of what led to it.
    await nextTurn()
    await link.send({ type: 'entries', entries })
    counts.sent += entries.filter(({ more }) => !more).length
    onProgress()
  }
  for await (const transfer of transfers) {
    await pause()
    if (sizeOf(transfer) > MAX_ENTRY_BYTES) {
      // Its neighbours must not wait for it.
      unsent++
      continue
    }
    sent.add(describeEntry(transfer.id))
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

async function receiveEntries({ take, counts, onProgress }: ExchangeComponents, link: Link): Promise<ApplyOutcome[]> {
  const outcomes: ApplyOutcome[] = []
  const assembler = new Assembler()
  for (;;) {
    const message = await link.expect('entries', 'end')
    if (message.type === 'end') return outcomes
    // As when it is packed.
    await nextTurn()
    const transfers = message.entries.flatMap((part) => assembler.add(part) ?? [])
    outcomes.push(...(await take(transfers)).filter(({ outcome }) => outcome !== 'applied' && outcome !== 'known'))
    counts.received += transfers.length
    onProgress()
  }
}

/** An entry in parts that each fit a frame: of a long history first the chunks, then the signatures. */
export function split({ id, chunks, signatures }: Transfer): EntryPart[] {
  const parts: EntryPart[] = []
  let some: Uint8Array[] = []
  let bytes = 0
  for (const chunk of chunks) {
    if (bytes > 0 && bytes + chunk.length > FRAME_BYTES) {
      parts.push({ id, chunks: some, signatures: NONE, more: true })
      some = []
      bytes = 0
    }
    some.push(chunk)
    bytes += chunk.length
  }
  let from = 0
  for (; signatures.length - from > FRAME_BYTES; from += FRAME_BYTES) {
    parts.push({ id, chunks: some, signatures: signatures.subarray(from, from + FRAME_BYTES), more: true })
    some = []
  }
  parts.push({ id, chunks: some, signatures: signatures.subarray(from), more: false })
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
      chunks: parts.flatMap(({ chunks }) => chunks),
      signatures: Buffer.concat(parts.map(({ signatures }) => signatures)),
    }
  }
}

function sizeOf({ id, chunks, signatures }: Transfer): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, id.key.length + signatures.length + 16)
}
