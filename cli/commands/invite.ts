import { explain, type Register } from '../command.ts'
import { describeSeconds, readTtl } from '../duration.ts'
import { escapeLine } from '../output/index.ts'

/** `mesh invite` */
export const registerInvite: Register = (parent, act) => {
  const command = parent
    .command('invite')
    .summary('make a ticket for another machine')
    .description('Make a ticket with which one other machine joins this mesh.')
    .option('--ttl <duration>', 'how long it may be used: 1m to 7d', '15m')
    .action(
      act<{ ttl: string }>(async ({ out, signal, client }, { options }) => {
        const seconds = readTtl(options.ttl)
        const invitation = await client().invite({ ttl_seconds: seconds }, { signal })
        const until = new Date(invitation.expires_at * 1000).toLocaleString()
        if (out.json) return void out.document(invitation)
        out.line(invitation.ticket)
        const { bold, dim } = out.paintNote
        out.note('')
        out.note(`On the other machine: ${bold('mesh join TICKET')}, or ${bold('mesh join -')} and paste it there.`)
        out.note(`Valid for one machine, until ${until} (${describeSeconds(seconds)}). Treat it like a password.`)
        out.note(dim(`It leads to ${invitation.addresses.map(escapeLine).join(', ')}`))
      }),
    )
  explain(
    command,
    ['mesh invite', 'mesh invite --ttl 2h', 'mesh invite | ssh sec mesh join -'],
    ['The ticket alone is on standard output. It holds a secret: whoever uses it first becomes a member.'],
  )
}
