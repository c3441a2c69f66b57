import { explain, type Register, SCOPES, scopeOption } from '../command.ts'
import { usageError } from '../errors.ts'
import { readStdin } from '../input.ts'
import { age, escapeLine } from '../output/index.ts'
import { readValue } from '../value.ts'

interface Options {
  scope: string
  nodeId?: string
  text?: true
}

/** `mesh put KEY VALUE` */
export const registerPut: Register = (parent, act) => {
  const command = parent
    .command('put')
    .summary('put a memory')
    .description('Put a memory: a JSON value, or plain text, under a key.')
    .argument('<key>', 'may hold slashes and colons: project/plan')
    .argument('[value]', 'JSON, else plain text; - reads standard input')
    .addOption(scopeOption(SCOPES, 'mesh'))
    .option('-t, --text', 'take VALUE as plain text, also where it is JSON')
    .option('--node-id <name>', 'whom the entry names as its author (default: this node)')
    .action(
      act<Options>(async (context, { args: [key = '', typed], options }) => {
        const { out, signal } = context
        if (typed === undefined) {
          throw usageError(
            'VALUE',
            'VALUE is missing',
            `mesh put ${key} "some text", or: some-command | mesh put ${key} -`,
          )
        }
        // `echo` ends its line; a text that must end with a line end can be given as JSON.
        const text = typed === '-' ? (await readStdin(context.stdin)).replace(/\r?\n$/, '') : typed
        const { value, notes } = readValue(text, options.text === true)
        for (const note of notes) out.note(escapeLine(note))
        const { scope, nodeId } = options
        const row = await context
          .client()
          .putMemory(
            { scope, key, value: value as never, ...(nodeId === undefined ? {} : { node_id: nodeId }) },
            { signal },
          )
        if (out.json) out.document(row)
        else
          out.line(
            escapeLine(`${row.scope}/${row.key} put (${row.node_id}, ${age(row.updated_at, context.seconds())})`),
          )
      }),
    )
  explain(
    command,
    [
      'mesh put project-plan "ship on Friday"',
      `mesh put limits '{"cpu":2,"memory":"4G"}'`,
      'mesh put version 1.10 --text',
      'some-command | mesh put report -',
      'mesh put note "only here" --scope node',
    ],
    [
      'Only what differs is written: other fields that another machine changes meanwhile stay.',
      'Of piped text the last line end is dropped. A VALUE that begins with a dash goes behind --.',
    ],
  )
}
