import { type Child, startChild } from './child.ts'
import { DAEMON_OPTIONS } from './daemon-process.ts'
import type { Homes } from './homes/index.ts'

type NodeChild = Child<typeof import('./node-main.ts').methods>

/** What one session cost, both sides together. Times in milliseconds. */
export interface Talk {
  /** Both ways with framing, on a stream of an open connection. */
  readonly bytes: number
  /**
   * Changes, signatures and their public keys that the receiver lacked, each sent once, as one stream of Zstandard from
   * either side. Hashes, keys of entries, requests and duplicates are not in it. Frames put what is alike side by side,
   * and leave out checksums, so a talk over many entries can take fewer bytes than this.
   */
  readonly payload: number
  readonly beyond: number
  readonly trips: number
  readonly ms: number
  readonly cpu: number
  /** Of the side that was worse. */
  readonly stallP99: number
  readonly stallLongest: number
  /** Memory of both processes afterwards, bytes. */
  readonly rss: number
}

/** Two members of a mesh, each a process, that reconcile over loopback and only when told to. */
export interface Pair {
  readonly ceo: NodeChild
  readonly sec: NodeChild
  /**
   * Edits one leaf of the entries at places `from` to `to` − 1 of an order that scatters them, the first half on `ceo` and
   * the others on `sec`. The order is always the same, and holds each entry once.
   */
  edit(from: number, to: number): Promise<void>
  /** Makes both unknown to each other. The connection is new as well, so a talk's time then holds the introduction. */
  forget(): Promise<void>
  /** Reconciles, begun by `sec`. @throws Error unless both are equal afterwards */
  talk(): Promise<Talk>
}

/** Opens the nodes of two homes, connected. They are ended with `parts`. */
export async function openPair(parts: AsyncDisposableStack, homes: Homes): Promise<Pair> {
  const start = async (nodeId: keyof Homes): Promise<NodeChild> => {
    const child: NodeChild = startChild(new URL('./node-main.ts', import.meta.url), DAEMON_OPTIONS)
    parts.defer(() => child.stop())
    await child.call('open', homes[nodeId], nodeId)
    return child
  }
  const [ceo, sec] = await Promise.all([start('ceo'), start('sec')])
  const both = <T>(ask: (node: NodeChild) => Promise<T>) => Promise.all([ask(ceo), ask(sec)])
  const meet = async () => sec.call('meet', await ceo.call('whereabouts'))
  await meet()
  await both((node) => node.call('written'))
  const entries = await ceo.call('entries')
  const stride = strideOver(entries)

  return {
    ceo,
    sec,
    async edit(from, to) {
      if (to > entries) throw new Error(`${entries} entries are too few for so many edits`)
      const scattered = Array.from({ length: to - from }, (_, i) => ((from + i) * stride) % entries)
      const middle = Math.ceil(scattered.length / 2)
      await Promise.all([ceo.call('edit', scattered.slice(0, middle)), sec.call('edit', scattered.slice(middle))])
    },
    async forget() {
      await both((node) => node.call('forgetPeers'))
      await meet()
    },
    async talk() {
      const [first, second] = await both((node) => node.call('written'))
      await both((node) => node.call('settle'))
      await both((node) => node.call('watch'))
      const report = await sec.call('sync')
      const seen = await both((node) => node.call('watched'))
      const [digest, other] = await both((node) => node.call('digest'))
      if (digest !== other) throw new Error(`the replicas differ after a sync: ${digest}; ${other}`)
      const bytes = report.bytesSent + report.bytesReceived
      const payload = first + second
      return {
        bytes,
        payload,
        beyond: bytes - payload,
        trips: report.roundTrips,
        ms: report.milliseconds,
        cpu: seen[0].cpu + seen[1].cpu,
        stallP99: Math.max(seen[0].stallP99, seen[1].stallP99),
        stallLongest: Math.max(seen[0].stallLongest, seen[1].stallLongest),
        rss: seen[0].rss + seen[1].rss,
      }
    },
  }
}

/**
 * Steps of so many entries come to each once before they come to the first again. Neighbours have keys that are alike,
 * and so travel for less than what is edited by people would.
 */
function strideOver(entries: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  let stride = 7_919
  while (divisor(stride, entries) > 1) stride++
  return stride
}
