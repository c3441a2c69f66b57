import { explain, type Register, scopeOption } from '../command.ts'
import { conflictTable, tabbedConflict } from '../conflict-table.ts'
import { type EntryOptions, entryOf, nameOf, readRow, skillOption } from '../entry.ts'
import { usageError } from '../errors.ts'
import { count } from '../output/index.ts'

/** `mesh conflicts KEY` */
export const registerConflicts: Register = (parent, act) => {
  const command = parent
    .command('conflicts')
    .summary('where writers of an entry disagree')
    .description('The places of a memory or skill where writers disagree: every value, whose it is, which is shown.')
    .argument('[key]', 'key of a memory; with --skill the name of a skill')
    .addOption(scopeOption('where the entry is', 'mesh'))
    .addOption(skillOption())
    .action(
      act<EntryOptions>(async (context, { args: [key], options }) => {
        const { out, signal, client, seconds } = context
        if (key === undefined) {
          throw usageError(
            'KEY',
            'KEY is missing: this looks at one entry',
            '`mesh status` counts those of all entries',
          )
        }
        const entry = entryOf(options, key)
        // The version first: a resolve that goes by it then never ends a conflict that was not seen here.
        const { etag } = await readRow(context, entry)
        const conflicts = await client().conflicts(entry, { signal })
        if (out.json) out.document({ conflicts, etag })
        else if (!out.forPeople) for (const line of conflicts.flatMap(tabbedConflict)) out.line(line)
        else if (conflicts.length === 0) out.note(`no conflicts in ${nameOf(entry)}`)
        else {
          for (const line of conflictTable(conflicts, out, seconds())) out.line(line)
          out.note(
            out.paintNote.dim(`${count(conflicts.length, 'place', 'places')} in conflict; \`mesh resolve\` ends that`),
          )
        }
      }),
    )
  explain(
    command,
    [
      'mesh conflicts limits',
      'mesh conflicts weather --skill',
      "mesh conflicts limits --json | jq -r '.conflicts[].path'",
    ],
    [
      'A path leads into the value, as in RFC 6901; that of the whole value is empty. Of a skill it is content or path.',
      'Into a file or pipe: a line a value, tabs between path, number, shown or kept, value (JSON), node and time.',
    ],
  )
}
