import { InvalidArgumentError } from 'commander'
import type { ListQuery, MemoryRow, ScopeCounts } from '../../daemon/api/client.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../errors.ts'
import { type Column, count, escapeLine, isoTime, renderTable, shortAge } from '../output/index.ts'

interface Options {
  scope?: string
  limit?: number
  scopes?: true
}

const COLUMNS: readonly Column[] = [
  { title: 'SCOPE', least: 6 },
  { title: 'KEY', least: 16 },
  { title: 'VALUE', least: 12 },
  { title: 'NODE', least: 6 },
  { title: 'AGE', right: true },
]

const SCOPE_COLUMNS: readonly Column[] = [
  { title: 'SCOPE', least: 6 },
  { title: 'MEMORY', right: true },
  { title: 'SKILLS', right: true },
  { title: 'IN CONFLICT', right: true },
]

/** No terminal is wider: what is longer is cut before it is escaped and measured. */
const MAX_CELL = 1000

/** `mesh ls [PREFIX]` */
export const registerLs: Register = (parent, act) => {
  const command = parent
    .command('ls')
    .alias('list')
    .summary('list memory')
    .description('List memory, all scopes unless one is named.')
    .argument('[prefix]', 'only keys that begin with this')
    .addOption(scopeOption('only this scope'))
    .option('-n, --limit <number>', 'at most so many', readLimit)
    .option('--scopes', 'the scopes instead, and how much is in each, skills too')
    .action(
      act<Options>(async (context, { args: [prefix], options: { scope, limit, scopes } }) => {
        if (scopes) {
          if ([prefix, scope, limit].some((given) => given !== undefined)) {
            throw usageError('--scopes', 'it lists all scopes: there is nothing to narrow it by')
          }
          return listScopes(context)
        }
        const query = {
          ...(scope === undefined ? {} : { scope }),
          ...(prefix === undefined ? {} : { prefix }),
          ...(limit === undefined ? {} : { limit }),
        }
        const { out, signal, client } = context
        if (out.json) out.document({ memory: await client().listMemory(query, { signal }) })
        else if (out.forPeople) await listForPeople(context, query)
        else for await (const row of client().eachMemory(query, { signal })) out.line(tabbed(row))
      }),
    )
  explain(
    command,
    [
      'mesh ls',
      'mesh ls project/ --scope mesh',
      'mesh ls --scopes',
      'mesh ls | cut -f2',
      "mesh ls --json | jq -r '.memory[].key'",
    ],
    [
      'Into a file or pipe: a line an entry, tabs between scope, key, value (JSON), node and time. Of --scopes a line a scope: its name, memory, skills, entries in conflict.',
    ],
  )
}

/** Reads `--limit`. */
export function readLimit(typed: string): number {
  if (!/^[1-9]\d{0,8}$/.test(typed)) throw new InvalidArgumentError('It is a whole number from 1 on.')
  return Number(typed)
}

async function listForPeople({ out, signal, client, seconds }: Context, query: ListQuery): Promise<void> {
  const rows = await client().listMemory(query, { signal })
  if (rows.length === 0) return out.note('nothing here')
  const now = seconds()
  const cells = rows.map((row) => [
    escapeLine(row.scope),
    escapeLine(row.key),
    escapeLine((typeof row.value === 'string' ? row.value : JSON.stringify(row.value)).slice(0, MAX_CELL)),
    escapeLine(row.node_id),
    { text: shortAge(row.updated_at, now), paint: out.paint.dim },
  ])
  for (const line of renderTable({ columns: COLUMNS, rows: cells, width: out.width, paintTitle: out.paint.dim })) {
    out.line(line)
  }
  out.note(out.paintNote.dim(count(rows.length, 'entry', 'entries')))
}

async function listScopes({ out, signal, client }: Context): Promise<undefined> {
  const scopes = await client().scopes({ signal })
  const cells = ({ scope, memory, skills, conflicts }: ScopeCounts) => [
    escapeLine(scope),
    ...[memory, skills, conflicts].map(String),
  ]
  const rows = scopes.map(cells)
  if (out.json) out.document({ scopes })
  else if (!out.forPeople) for (const row of rows) out.line(row.join('\t'))
  else if (rows.length === 0) out.note('nothing here')
  else {
    const table = renderTable({ columns: SCOPE_COLUMNS, rows, width: out.width, paintTitle: out.paint.dim })
    for (const line of table) out.line(line)
  }
}

function tabbed({ scope, key, value, node_id, updated_at }: MemoryRow): string {
  return [scope, key, JSON.stringify(value), node_id].map(escapeLine).concat(isoTime(updated_at)).join('\t')
}
