import { explain, type Register, scopeOption } from '../command.ts'
import { escapeLine } from '../output/index.ts'

/** `mesh rm KEY` */
export const registerRm: Register = (parent, act) => {
  const command = parent
    .command('rm')
    .alias('delete')
    .summary('delete a memory')
    .description('Delete a memory, here and on every machine of the mesh.')
    .argument('<key>')
    .addOption(scopeOption('where the key is', 'mesh'))
    .action(
      act<{ scope: string }>(async ({ out, signal, client }, { args: [key = ''], options }) => {
        const deleted = await client().deleteMemory(options.scope, key, { signal })
        if (out.json) out.document(deleted)
        else out.line(escapeLine(`${deleted.scope}/${deleted.key} deleted`))
      }),
    )
  explain(
    command,
    ['mesh rm project-plan', 'mesh rm note --scope node'],
    ['Exit code 5 where there is no such entry. A put on another machine at the same time wins over the delete.'],
  )
}
