import { type Child, startChild } from './child.ts'
import type { Homes } from './homes/index.ts'

type NodeChild = Child<typeof import('./node-main.ts').methods>

/** What one session cost, both sides together. Times in milliseconds. */
export interface Talk {
  /** Both ways with framing, on a stream of an open connection. */
  readonly bytes: number
  /** Changes and signatures that the receiver lacked, sent once, compressed as far as all of them together can be. */
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
  /** Edits one leaf of entries `from` to `to` − 1, the first half of them on `ceo` and the others on `sec`. */
  edit(from: number, to: number): Promise<void>
  /** Makes both unknown to each other. The connection is new as well, so a talk's time then holds the introduction. */
  forget(): Promise<void>
  /** Reconciles, begun by `sec`. @throws Error unless both are equal afterwards */
  talk(): Promise<Talk>
}

/** Opens the nodes of two homes, connected. They are ended with `parts`. */
export async function openPair(parts: AsyncDisposableStack, homes: Homes): Promise<Pair> {
  const start = async (nodeId: keyof Homes): Promise<NodeChild> => {
    const child: NodeChild = startChild(new URL('./node-main.ts', import.meta.url))
    parts.defer(() => child.stop())
    await child.call('open', homes[nodeId], nodeId)
    return child
  }
  const [ceo, sec] = await Promise.all([start('ceo'), start('sec')])
  const both = <T>(ask: (node: NodeChild) => Promise<T>) => Promise.all([ask(ceo), ask(sec)])
  const meet = async () => sec.call('meet', await ceo.call('whereabouts'))
  await meet()
  await both((node) => node.call('written'))

  return {
    ceo,
    sec,
    async edit(from, to) {
      const middle = from + Math.ceil((to - from) / 2)
      await Promise.all([ceo.call('edit', from, middle), sec.call('edit', middle, to)])
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
