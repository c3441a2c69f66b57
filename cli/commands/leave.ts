import { explain, type Register } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { count, escapeLine } from '../output/index.ts'
import { confirm } from '../prompt.ts'

/** `mesh leave` */
export const registerLeave: Register = (parent, act) => {
  const command = parent
    .command('leave')
    .summary('leave the mesh')
    .description('Leave the mesh. This machine keeps its memory and skills and is alone again.')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ yes?: true }>(async (context, { options }) => {
        const { out, signal, client } = context
        if (!(await confirm(context, 'Leave the mesh? A new ticket is needed to come back.', options.yes === true))) {
          if (!signal.aborted) out.note('nothing changed')
          return EXIT.failure
        }
        try {
          const report = await client().leave({ signal, onProgress: (progress) => out.progress.show(progress) })
          if (out.json) out.document(report)
          else {
            out.line(`left the mesh (${count(report.told, 'member', 'members')} told)`)
            out.line(`alone again, as mesh ${escapeLine(report.meshId)}`)
          }
        } finally {
          if (signal.aborted) out.note('the daemon goes on leaving by itself: see `mesh status`')
        }
        return EXIT.ok
      }),
    )
  explain(
    command,
    ['mesh leave', 'mesh leave --yes'],
    ['Nothing is deleted, here or there. Members that are offline learn of it from the others.'],
  )
}
