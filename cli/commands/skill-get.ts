import { explain, type Register, scopeOption } from '../command.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { escapeBlock, escapeLine } from '../output/index.ts'

/** `mesh skill get NAME` */
export const registerSkillGet: Register = (parent, act) => {
  const command = parent
    .command('get')
    .summary('print a skill')
    .description('Print the SKILL.md of a skill; into a file or pipe byte for byte.')
    .argument('<name>')
    .addOption(scopeOption('where the skill is', 'mesh'))
    .action(
      act<{ scope: string }>(async ({ out, signal, client }, { args: [name = ''], options }) => {
        const row = await client().getSkill(name, options.scope, { signal })
        if (out.json) return void out.document(row)
        if (row.content === null) {
          // Exists, but there is no text to print: printing nothing would look like an empty skill.
          const message = `skill ${name} is only a path, without text: ${escapeLine(row.path ?? '')}`
          throw new CliError(message, { type: 'SKILL_WITHOUT_CONTENT', exit: EXIT.notFound, field: 'name' })
        }
        if (!out.forPeople) out.raw(row.content)
        else out.line(escapeBlock(row.content).replace(/\n$/, ''))
      }),
    )
  explain(command, ['mesh skill get weather', 'mesh skill get weather > SKILL.md', 'mesh skill get weather --json'])
}
