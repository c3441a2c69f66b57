import type { SyncReport } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { bytes, count, escapeLine, type Output } from '../output/index.ts'

type PeerReport = SyncReport['peers'][number]

/** `mesh sync` */
export const registerSync: Register = (parent, act) => {
  const command = parent
    .command('sync')
    .summary('make all peers equal now')
    .description('Reconcile with every other member now. Succeeds only when each is proven equal.')
    .action(
      act(async ({ out, signal, client }) => {
        const report = await client().sync({ signal, onProgress: (progress) => out.progress.show(progress) })
        const failed = report.peers.filter((peer) => !peer.equal)
        const message = `not proven equal: ${failed.map((peer) => peer.nodeId).join(', ')}`
        if (out.json)
          out.document(report.equal ? report : { ok: false, error: { type: 'SYNC_INCOMPLETE', message }, ...report })
        else for (const peer of report.peers) out.line(describe(peer, out))
        if (report.equal) out.note(report.peers.length === 0 ? 'no other members: nothing to reconcile' : 'all equal')
        else out.note(`${out.paintNote.red('error:')} ${escapeLine(message)}`)
        return report.equal ? EXIT.ok : EXIT.incomplete
      }),
    )
  explain(
    command,
    ['mesh sync', 'mesh sync && echo "everything is everywhere"'],
    [
      'Exit code 8 unless all are proven equal: each holds durably all that the other held when the talk began.',
      'Machines also reconcile by themselves; this is for when you want to know that they have.',
    ],
  )
}

function describe(peer: PeerReport, { paint }: Output): string {
  const name = escapeLine(peer.nodeId)
  const moved = `sent ${count(peer.entriesSent, 'entry', 'entries')}, received ${count(peer.entriesReceived, 'entry', 'entries')}`
  const cost = `${bytes(peer.bytesSent + peer.bytesReceived)}, ${count(peer.roundTrips, 'round trip', 'round trips')}, ${Math.round(peer.milliseconds)} ms`
  if (peer.equal) return `${paint.green('✓')} ${paint.bold(name)}  equal  ${moved}  ${paint.dim(cost)}`
  const why = peer.error === undefined ? moved : `${peer.error.message} (${peer.error.code})`
  return `${paint.red('✗')} ${paint.bold(name)}  not equal  ${escapeLine(why)}`
}
