import type { EntryId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import type { ApplyOutcome, Replica, Transfer } from '../../crdt/replica/index.ts'
import type { Link } from './link.ts'
import type { EntryPart, Held } from './wire.ts'

/** Entries are gathered into frames of about this many bytes: large sends are what a stream is fast at. */
const FRAME_BYTES = 256 * 1024
/** Changes of one entry that is split over several frames: at most this many bytes in all. */
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
 * Both sides send entries at once, each until its `end`. Then each says what it could not take, so that both know
 * whether they are equal now. Returns what the peer could not take, and what was not taken here.
 */
export async function exchange(
  components: ExchangeComponents,
  link: Link,
  offered: Iterable<EntryId> | AsyncIterable<EntryId>,
  counts: ExchangeCounts,
): Promise<{ theirs: Held; ours: readonly ApplyOutcome[] }> {
  // Sending must not wait for receiving, nor the other way round: two full streams would wait for each other.
  const [, ours] = await settleBoth(
    sendEntries(components, link, offered, counts),
    receiveEntries(components, link, counts),
  )
  const refused = ours.filter(({ outcome }) => outcome === 'refused').map(({ id }) => id)
  await link.send({ type: 'held', refused, incomplete: ours.filter(({ outcome }) => outcome === 'incomplete').length })
  const { refused: theirRefused, incomplete } = await link.expect('held')
  return { theirs: { refused: theirRefused, incomplete }, ours }
}

async function settleBoth<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const results = await Promise.allSettled([a, b])
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  if (errors.length > 0) throw errors[0]
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as [A, B]
}

async function sendEntries(
  { replica, onProgress }: ExchangeComponents,
  link: Link,
  offered: Iterable<EntryId> | AsyncIterable<EntryId>,
  counts: ExchangeCounts,
): Promise<void> {
  let frame: EntryPart[] = []
  let bytes = 0
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
    for (const part of split(transfer)) {
      frame.push(part)
      bytes += sizeOf(part)
      if (bytes >= FRAME_BYTES) await flush()
    }
  }
  await flush()
  await link.send({ type: 'end' })
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

/** An entry in parts that each fit a frame: a long history is split between changes. */
export function split(transfer: Transfer): EntryPart[] {
  const parts: EntryPart[] = []
  let changes: Uint8Array[] = []
  let bytes = 0
  for (const change of transfer.changes) {
    if (bytes > 0 && bytes + change.length > FRAME_BYTES) {
      parts.push({ id: transfer.id, changes, signatures: new Uint8Array(), more: true })
      changes = []
      bytes = 0
    }
    changes.push(change)
    bytes += change.length
  }
  parts.push({ id: transfer.id, changes, signatures: transfer.signatures, more: false })
  return parts
}

/** Puts parts of an entry together again. The parts of one entry follow each other. */
export class Assembler {
  #pending: EntryPart | undefined
  #bytes = 0

  /** The whole entry when this was its last part. @throws {MeshError} `MESSAGE_INVALID` */
  add(part: EntryPart): Transfer | undefined {
    const { id } = this.#pending ?? part
    if (id.key !== part.id.key || id.scope !== part.id.scope || id.kind !== part.id.kind) {
      throw new MeshError('MESSAGE_INVALID', 'an entry was begun before the one before it was whole')
    }
    this.#bytes += sizeOf(part)
    if (this.#bytes > MAX_ENTRY_BYTES) throw new MeshError('MESSAGE_INVALID', 'an entry of more than 64 MiB')
    const whole = { ...part, changes: [...(this.#pending?.changes ?? []), ...part.changes] }
    this.#pending = part.more ? whole : undefined
    if (part.more) return undefined
    this.#bytes = 0
    return { id: whole.id, changes: whole.changes, signatures: whole.signatures }
  }
}

function sizeOf({ id, changes, signatures }: EntryPart): number {
  return changes.reduce((sum, change) => sum + change.length, id.key.length + signatures.length + 16)
}
