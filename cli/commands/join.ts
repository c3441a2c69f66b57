import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../errors.ts'
import { readStdin } from '../input.ts'
import { count, escapeLine } from '../output/index.ts'
import { ask, canAsk } from '../prompt.ts'

/** `mesh join TICKET` */
export const registerJoin: Register = (parent, act) => {
  const command = parent
    .command('join')
    .summary('join a mesh with a ticket')
    .description('Join the mesh that a ticket is for, taking along what this machine knows.')
    .argument('<ticket>', 'from `mesh invite` on a member; - reads it from standard input')
    .action(
      act(async (context, { args: [typed = ''] }) => {
        const { out, signal, client } = context
        const ticket = typed === '-' ? await readTicket(context) : typed
        try {
          const report = await client().join(ticket, { signal, onProgress: (progress) => out.progress.show(progress) })
          if (out.json) return void out.document(report)
          out.line(`joined mesh ${escapeLine(report.meshId)}`)
          out.line(`members: ${report.members.map(escapeLine).join(', ')}`)
          if (report.vouched > 0) out.line(`brought along: ${count(report.vouched, 'entry', 'entries')}`)
        } finally {
          if (signal.aborted) out.note('the daemon goes on joining by itself: see `mesh status`')
        }
      }),
    )
  explain(
    command,
    ['mesh join mesh-ticket-1.…', 'mesh join -            (then paste the ticket)', 'mesh join - < ticket.txt'],
    [
      'A ticket is good once. With - it stays out of the history of your shell.',
      'A node that has peers must `mesh leave` first.',
    ],
  )
}

async function readTicket(context: Context): Promise<string> {
  const text = canAsk(context) ? await ask(context, 'Ticket: ') : await readStdin(context.stdin, 64 * 1024)
  context.signal.throwIfAborted()
  const ticket = text?.trim() ?? ''
  if (ticket === '') throw usageError('TICKET', 'standard input holds no ticket')
  return ticket
}
