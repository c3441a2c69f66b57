import { onTestFinished } from 'vitest'
import type { Channel, Gate, PeerEvent, PeerId, Transport } from '../transport.ts'

export interface TransportCapabilities {
  /** Listens at an address that can be chosen: a busy one is refused, a later instance takes over an old one's. */
  readonly chosenAddress: boolean
  /** Lets guests in, and cuts them when they idle for `guestIdleMs`. */
  readonly guests: boolean
}

export interface TransportOptions {
  /** Addresses to listen on, where `chosenAddress` is declared. A free one otherwise. */
  readonly listen?: readonly string[]
  readonly guestIdleMs?: number
  readonly maxGuests?: number
}

/** What one test makes its transports with. */
export interface TransportBed {
  /** A transport, not started. The same name has the same identity. */
  create(name: string, gate: Gate, options?: TransportOptions): Transport
  /** An address where nobody listens. */
  nowhere(): Promise<string>
  /** An address where somebody accepts and never says a word. */
  silence(): Promise<string>
}

export interface TransportHarness {
  readonly capabilities: TransportCapabilities
  /** Makes the bed of one test. */
  setup(): Promise<TransportBed>
  /** Frees what the bed holds; the suite has stopped all transports before. */
  teardown(bed: TransportBed): Promise<void>
}

/** A roster that a test changes at will. */
export class TestRoster implements Gate {
  readonly members = new Set<PeerId>()
  invited = false

  isMember(peer: PeerId): boolean {
    return this.members.has(peer)
  }

  admitsGuests(): boolean {
    return this.invited
  }
}

export interface Lab {
  readonly bed: TransportBed
  readonly roster: TestRoster
  /** A transport that is stopped when the test ends, in the roster unless it brings a gate of its own. */
  make(name: string, options?: TransportOptions & { readonly gate?: Gate }): Transport
  /** Two started members that are connected; the handlers are served by both. */
  pair(handlers?: Record<string, (channel: Channel) => Promise<void>>): Promise<{ ceo: Transport; lab: Transport }>
}

/** Sets up a bed for the running test, and its end. */
export async function openLab(harness: TransportHarness): Promise<Lab> {
  const bed = await harness.setup()
  const roster = new TestRoster()
  const made: Transport[] = []
  onTestFinished(async () => {
    await Promise.all(made.map((transport) => transport.stop()))
    await harness.teardown(bed)
  })
  const make: Lab['make'] = (name, { gate, ...options } = {}) => {
    const transport = bed.create(name, gate ?? roster, options)
    made.push(transport)
    if (gate === undefined) roster.members.add(transport.self)
    return transport
  }
  const pair: Lab['pair'] = async (handlers = {}) => {
    const ceo = make('ceo')
    const lab = make('lab')
    for (const [protocol, handler] of Object.entries(handlers)) {
      ceo.handle(protocol, 'member', handler)
      lab.handle(protocol, 'member', handler)
    }
    await Promise.all([ceo.start(), lab.start()])
    await connect(ceo, lab)
    return { ceo, lab }
  }
  return { bed, roster, make, pair }
}

/** Dials, and waits until both sides count the other as connected. */
export async function connect(from: Transport, to: Transport): Promise<void> {
  await from.dial(to.self, to.addresses())
  await until(() => from.connected().includes(to.self) && to.connected().includes(from.self))
}

/** Collects the events of a transport from now on, as `connected <peer>`. */
export function record(transport: Transport): string[] {
  const events: string[] = []
  transport.onPeer(({ type, peer }: PeerEvent) => events.push(`${type} ${peer}`))
  return events
}

/** Waits until the condition holds; the test's own time-out is the deadline of last resort. */
export async function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not true within ${deadlineMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const frame of frames) all.push(frame)
  return all
}

/** A frame that holds a number. */
export function numbered(value: number): Uint8Array {
  const frame = new Uint8Array(4)
  new DataView(frame.buffer).setUint32(0, value)
  return frame
}

export function numberOf(frame: Uint8Array | undefined): number {
  if (frame?.byteLength !== 4) throw new Error('not a numbered frame')
  return new DataView(frame.buffer, frame.byteOffset).getUint32(0)
}

/** Sends back each frame as it comes. */
export async function echo(channel: Channel): Promise<void> {
  for await (const frame of channel.frames) await channel.send(frame)
}

/** What a failure must look like. */
export function coded(code: string): { code: string } {
  return { code }
}
