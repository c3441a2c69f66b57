import { createHash } from 'node:crypto'
import type { Replica } from '../crdt/replica/index.ts'

/**
 * Makes the `sync_summary` of the JSON protocol that older tools speak: every memory with its time and a hash of its
 * value. It is what a mesh sends, each way, that compares everything with everything. Returns its bytes. It is made
 * piece by piece, so that its memory is no burden to what is measured next.
 */
export async function summaryBytes(replica: Pick<Replica, 'list'>, nodeId: string): Promise<number> {
  let bytes = Buffer.byteLength(JSON.stringify({ type: 'sync_summary', nodeId, ts: 0, memory: [], skills: [] }))
  for await (const { row } of replica.list('memory')) {
    if (row === undefined || !('value' in row)) continue
    const { scope, key, updated_at: ts } = row
    const h = createHash('sha256').update(JSON.stringify(row.value)).digest('hex').slice(0, 16)
    // With the comma behind it.
    bytes += Buffer.byteLength(JSON.stringify({ scope, key, ts, h })) + 1
  }
  return bytes
}
