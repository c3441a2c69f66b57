import { getHeads, saveSince } from '@automerge/automerge'
import {
  type BinaryDocumentId,
  type DocHandle,
  type DocumentId,
  interpretAsDocumentId,
  type PeerId,
  Repo,
  stringifyAutomergeUrl,
} from '@automerge/automerge-repo'
import { createHighLevel, leavesOf } from '../bare-automerge.ts'
import { serveParent } from '../child.ts'
import { benchValue } from '../values.ts'
import { Vitals } from '../vitals.ts'
import { dial, listen, TcpAdapter } from './tcp-adapter.ts'

type Leaves = Record<string, unknown>

/** A document's number and its heads. */
export type Version = readonly [n: number, heads: readonly string[]]

let repo: Repo | undefined
let adapter: TcpAdapter | undefined
const handles: DocHandle<Leaves>[] = []
const vitals = new Vitals()

/** One repo of automerge-repo in this process, in memory: without a disk it is faster than with one. */
export const methods = {
  /** Makes it with the same documents wherever this is called with the same number. */
  async open(name: string, documents: number): Promise<void> {
    const opened = new Repo({ peerId: name as PeerId })
    repo = opened
    for (let n = 0; n < documents; n++) {
      const document = createHighLevel(leavesOf(benchValue(n)))
      handles.push(opened.import<Leaves>(document.save(), { docId: idOf(n) }))
      document.free()
    }
    await Promise.all(handles.map((handle) => handle.whenReady()))
  },

  /** Edits one leaf of documents `from` to `to` − 1. Returns the versions, and the bytes of the changes. */
  async edit(from: number, to: number): Promise<{ versions: Version[]; bytes: number }> {
    let bytes = 0
    const versions = handles.slice(from, to).map((handle, i): Version => {
      const before = getHeads(handle.doc())
      handle.change((leaves) => {
        leaves['/count'] = 1_001
      })
      bytes += saveSince(handle.doc(), before).length
      return [from + i, getHeads(handle.doc())]
    })
    return { versions, bytes }
  },

  /** Waits for the other one. Returns the port to dial. */
  async listen(other: string): Promise<number> {
    const { port, connected } = await listen()
    void connected.then((socket) => add(new TcpAdapter(socket, other as PeerId)))
    return port
  },

  async dial(port: number, other: string): Promise<void> {
    add(new TcpAdapter(await dial(port), other as PeerId))
  },

  /** Resolves when this repo has these versions. */
  async has(versions: readonly Version[]): Promise<void> {
    await Promise.all(versions.map((version) => hasVersion(version)))
  },

  /** What was sent to the other one until now. */
  sent: async () => ({ bytes: adapter?.bytesSent ?? 0, messages: adapter?.messagesSent ?? 0 }),
  watch: () => vitals.begin(),
  watched: () => vitals.end(),
}

function add(made: TcpAdapter): void {
  adapter = made
  repo?.networkSubsystem.addNetworkAdapter(made)
}

async function hasVersion([n, heads]: Version): Promise<void> {
  const handle = handles[n]
  if (handle === undefined) throw new Error(`there is no document ${n}`)
  const wanted = heads.join()
  const changed = Promise.withResolvers<void>()
  const look = () => {
    if (getHeads(handle.doc()).join() === wanted) changed.resolve()
  }
  handle.on('heads-changed', look)
  look()
  await changed.promise
  handle.off('heads-changed', look)
}

function idOf(n: number): DocumentId {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(n, 12)
  return interpretAsDocumentId(stringifyAutomergeUrl(bytes as Uint8Array as BinaryDocumentId))
}

serveParent(methods)
