import { explain, type Register, SCOPES, scopeOption } from '../command.ts'
import { usageError } from '../errors.ts'
import { readStdin } from '../input.ts'
import { age, escapeLine, isoTime } from '../output/index.ts'
import { readValue } from '../value.ts'
import { addPutOptions, expectationOf, expiryOf, PUT_NOTE, type PutOptions } from '../write-options.ts'

interface Options extends PutOptions {
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
  addPutOptions(command).action(
    act<Options>(async (context, { args: [key = '', typed], options }) => {
      const { out, signal } = context
      if (typed === undefined) {
        throw usageError(
          'VALUE',
          'VALUE is missing',
          `mesh put ${key} "some text", or: some-command | mesh put ${key} -`,
        )
      }
      const expected = expectationOf(options)
      // `echo` ends its line; a text that must end with a line end can be given as JSON.
      const text = typed === '-' ? (await readStdin(context.stdin)).replace(/\r?\n$/, '') : typed
      const { value, notes } = readValue(text, options.text === true)
      for (const note of notes) out.note(escapeLine(note))
      const { scope, nodeId } = options
      const now = context.seconds()
      const node = nodeId === undefined ? {} : { node_id: nodeId }
      const row = await context
        .client()
        .putMemory({ scope, key, value: value as never, ...node, ...expiryOf(options, now) }, { signal, ...expected })
      if (out.json) return void out.document(row)
      const until = row.expires_at === undefined ? '' : `, until ${isoTime(row.expires_at)}`
      out.line(escapeLine(`${row.scope}/${row.key} put (${row.node_id}, ${age(row.updated_at, now)}${until})`))
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
      'mesh put lock ceo --new --ttl 15m',
      `mesh put counter 8 --if-match "$(mesh get counter --json | jq -r .etag)"`,
    ],
    [
      'Only what differs is written: other fields that another machine changes meanwhile stay.',
      'Of piped text the last line end is dropped. A VALUE that begins with a dash goes behind --.',
      PUT_NOTE,
    ],
  )
}
