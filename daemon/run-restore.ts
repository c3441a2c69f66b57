import type { Progress } from '../transports/mesh.ts'
import type { HomeLayout } from './home.ts'
import { type RestoredNode, restoreNode } from './restore.ts'

/** Two redraws of the progress are at least this many milliseconds apart. */
const REDRAW_MS = 100
const CLEAR = '\r\u001b[2K'

export interface RunRestoreInit {
  readonly file: string
  readonly asNewNode: boolean
  readonly nodeId: string
}

/** Restores a node, shows how far it is where somebody watches, and gives what there is to say of it in the end. */
export async function runRestore(
  layout: HomeLayout,
  init: RunRestoreInit,
): Promise<{ document: object; words: string }> {
  const progress = createProgress(process.stderr)
  try {
    const made = await restoreNode(layout, { ...init, onProgress: progress.show })
    return { document: { home: layout.home, nodeId: init.nodeId, ...made }, words: wordsOf(made, layout, init.nodeId) }
  } finally {
    progress.clear()
  }
}

function createProgress(stream: NodeJS.WriteStream) {
  let drawnAt = Number.NEGATIVE_INFINITY
  return {
    show({ phase, done, total }: Progress): void {
      const now = performance.now()
      if (!stream.isTTY || now - drawnAt < REDRAW_MS) return
      drawnAt = now
      stream.write(`${CLEAR}${phase} ${done.toLocaleString('en-US')} of ${(total ?? done).toLocaleString('en-US')}`)
    },
    clear(): void {
      if (drawnAt !== Number.NEGATIVE_INFINITY) stream.write(CLEAR)
    },
  }
}

function wordsOf(made: RestoredNode, { home }: HomeLayout, nodeId: string): string {
  const { backup, entries, peerId, isNewNode } = made
  const at = new Date(backup.createdAt * 1000).toISOString().replace('.000Z', 'Z')
  const what = `${entries.toLocaleString('en-US')} ${entries === 1 ? 'entry' : 'entries'}`
  const lines = [`restored ${what} of ${JSON.stringify(backup.nodeId)}, as of ${at}, in ${home}`]
  if (isNewNode) {
    lines.push(
      `as the new node ${nodeId} (${peerId}), alone in a new mesh: whoever was a member of the old one joins it by a ticket`,
    )
  } else {
    lines.push(
      `as the node that the backup was made on (${peerId})`,
      ...(backup.nodeId === nodeId ? [] : [`it will go by the name ${nodeId}: set nodeId (MESH_NODE_ID) for another`]),
      'the machine that it ran on before must never run it again: two with one key are reported to all (peer.cloned)',
    )
  }
  lines.push('keys of the API that were revoked since are good again: `mesh key ls`', 'next: start openclaw-meshd')
  return lines.join('\n')
}
