import { explain, type Register, scopeOption } from '../command.ts'
import { escapeLine } from '../output/index.ts'

/** `mesh skill rm NAME` */
export const registerSkillRm: Register = (parent, act) => {
  const command = parent
    .command('rm')
    .alias('delete')
    .summary('delete a skill')
    .description('Delete a skill, here and on every machine of the mesh.')
    .argument('<name>')
    .addOption(scopeOption('where the skill is', 'mesh'))
    .action(
      act<{ scope: string }>(async ({ out, signal, client }, { args: [name = ''], options }) => {
        const deleted = await client().deleteSkill(name, options.scope, { signal })
        if (out.json) out.document(deleted)
        else out.line(escapeLine(`skill ${deleted.name} deleted`))
      }),
    )
  explain(command, ['mesh skill rm weather'], ['Exit code 5 where there is no such skill.'])
}
