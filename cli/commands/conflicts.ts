import { explain, type Register, scopeOption } from '../command.ts'
import { conflictTable, tabbedConflict } from '../conflict-table.ts'
import type { Context } from '../context.ts'
import { type EntryOptions, entryOf, nameOf, readRow, skillOption } from '../entry.ts'
import { type Column, count, escapeLine, isoTime, renderTable, shortAge } from '../output/index.ts'

const COLUMNS: readonly Column[] = [
  { title: 'KIND' },
  { title: 'SCOPE', least: 6 },
  { title: 'KEY', least: 16 },
  { title: 'PLACES', right: true },
  { title: 'AGE', right: true },
]

/** `mesh conflicts [KEY]` */
export const registerConflicts: Register = (parent, act) => {
  const command = parent
    .command('conflicts')
    .summary('where writers of entries disagree')
    .description(
      'List the entries whose writers disagree; or of one memory or skill the places: every value, whose it is, which is shown.',
    )
    .argument('[key]', 'key of a memory; with --skill the name of a skill; all entries in conflict without it')
    .addOption(scopeOption('where the entry is (default: mesh); of the list only this scope'))
    .addOption(skillOption())
    .action(
      act<EntryOptions>(async (context, { args: [key], options }) => {
        if (key === undefined) await listAll(context, options)
        else await showOne(context, options, key)
      }),
    )
  explain(
    command,
    [
      'mesh conflicts',
      'mesh conflicts limits',
      'mesh conflicts weather --skill',
      "mesh conflicts limits --json | jq -r '.conflicts[].path'",
    ],
    [
      'A path leads into the value, as in RFC 6901; that of the whole value is empty. Of a skill it is content or path.',
      'Into a file or pipe: a line a value, tabs between path, number, shown or kept, value (JSON), node and time. Of the list a line an entry: memory or skill, scope, key or name, places, time.',
    ],
  )
}

async function showOne(context: Context, options: EntryOptions, key: string): Promise<void> {
  const { out, signal, client, seconds } = context
  const entry = entryOf(options, key)
  // The version first: a resolve that goes by it then never ends a conflict that was not seen here.
  const { etag } = await readRow(context, entry)
  const conflicts = await client().conflicts(entry, { signal })
  if (out.json) out.document({ conflicts, etag })
  else if (!out.forPeople) for (const line of conflicts.flatMap(tabbedConflict)) out.line(line)
  else if (conflicts.length === 0) out.note(`no conflicts in ${nameOf(entry)}`)
  else {
    for (const line of conflictTable(conflicts, out, seconds())) out.line(line)
    out.note(out.paintNote.dim(`${count(conflicts.length, 'place', 'places')} in conflict; \`mesh resolve\` ends that`))
  }
}

async function listAll({ out, signal, client, seconds }: Context, { scope, skill }: EntryOptions): Promise<void> {
  const query = { ...(scope === undefined ? {} : { scope }), ...(skill ? { kind: 'skill' as const } : {}) }
  const all = client().eachConflicted(query, { signal })
  if (out.json) return out.document({ entries: await Array.fromAsync(all) })
  if (!out.forPeople) {
    for await (const { kind, scope, key, conflicts, updated_at } of all) {
      out.line([kind, scope, key, String(conflicts), isoTime(updated_at)].map(escapeLine).join('\t'))
    }
    return
  }
  const entries = await Array.fromAsync(all)
  if (entries.length === 0) return out.note('no entry is in conflict')
  const now = seconds()
  const rows = entries.map(({ kind, scope, key, conflicts, updated_at }) => [
    kind,
    escapeLine(scope),
    escapeLine(key),
    String(conflicts),
    { text: shortAge(updated_at, now), paint: out.paint.dim },
  ])
  for (const line of renderTable({ columns: COLUMNS, rows, width: out.width, paintTitle: out.paint.dim }))
    out.line(line)
  const words = `${count(entries.length, 'entry', 'entries')} in conflict; \`mesh conflicts KEY\` shows the values`
  out.note(out.paintNote.dim(words))
}
