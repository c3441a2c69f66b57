import { serveParent } from '../child.ts'
import { type BenchNode, openNode } from './node.ts'

let node: BenchNode | undefined

/** A {@link BenchNode} in this process, once it has been opened. */
export const methods = {
  open: async (folder: string, name: string): Promise<void> => {
    node = await openNode(folder, name)
  },
  invite: () => opened().invite(),
  join: (ticket: string) => opened().join(ticket),
  fill: (count: number) => opened().fill(count),
  edit: (from: number, to: number) => opened().edit(from, to),
  written: () => opened().written(),
  forgetPeers: () => opened().forgetPeers(),
  sync: () => opened().sync(),
  digest: () => opened().digest(),
  cpu: () => opened().cpu(),
  close: () => opened().close(),
}

function opened(): BenchNode {
  if (node === undefined) throw new Error('open comes first')
  return node
}

serveParent(methods)
