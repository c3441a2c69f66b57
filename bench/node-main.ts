import { serveParent } from './child.ts'
import { type BenchNode, openNode, type Whereabouts } from './node.ts'

let node: BenchNode | undefined

/** A {@link BenchNode} in this process, once it has been opened. */
export const methods = {
  open: async (home: string, nodeId: string): Promise<void> => {
    node = await openNode(home, nodeId)
  },
  invite: () => opened().invite(),
  join: (ticket: string) => opened().join(ticket),
  whereabouts: () => opened().whereabouts(),
  meet: (member: Whereabouts) => opened().meet(member),
  fill: (count: number) => opened().fill(count),
  entries: () => opened().entries(),
  edit: (entries: readonly number[]) => opened().edit(entries),
  written: () => opened().written(),
  forgetPeers: () => opened().forgetPeers(),
  sync: () => opened().sync(),
  digest: () => opened().digest(),
  summaryBytes: () => opened().summaryBytes(),
  settle: () => opened().settle(),
  watch: () => opened().watch(),
  watched: () => opened().watched(),
  close: () => opened().close(),
}

function opened(): BenchNode {
  if (node === undefined) throw new Error('open comes first')
  return node
}

serveParent(methods)
