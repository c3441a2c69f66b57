import { explain, type Register, scopeOption } from '../command.ts'
import { escapeBlock } from '../output/index.ts'

/** `mesh get KEY` */
export const registerGet: Register = (parent, act) => {
  const command = parent
    .command('get')
    .summary('print the value of a memory')
    .description('Print the value of a memory: text as it is, anything else as JSON.')
    .argument('<key>')
    .addOption(scopeOption('where the key is', 'mesh'))
    .action(
      act<{ scope: string }>(async ({ out, signal, client }, { args: [key = ''], options }) => {
        const row = await client().getMemory(options.scope, key, { signal })
        const text = typeof row.value === 'string' ? row.value : JSON.stringify(row.value, null, 2)
        if (out.json) out.document(row)
        else out.line(out.forPeople ? escapeBlock(text) : text)
      }),
    )
  explain(
    command,
    ['mesh get project-plan', 'mesh get note --scope node', 'mesh get limits | jq .cpu', 'mesh get limits --json'],
    [
      'A line end is added. With --json the whole entry is printed: scope, key, value, node_id, updated_at (Unix seconds), etag.',
      'On a terminal control characters are shown as escapes; into a file or pipe the text goes as it is.',
    ],
  )
}
