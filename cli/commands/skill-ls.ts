import type { ListQuery, SkillRow } from '../../daemon/api/client.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import type { Context } from '../context.ts'
import { bytes, type Column, count, escapeLine, isoTime, renderTable, shortAge } from '../output/index.ts'
import { readLimit } from './ls.ts'

interface Options {
  scope?: string
  limit?: number
}

const COLUMNS: readonly Column[] = [
  { title: 'SCOPE', least: 6 },
  { title: 'NAME', least: 16 },
  { title: 'TEXT', right: true },
  { title: 'NODE', least: 6 },
  { title: 'AGE', right: true },
]

/** `mesh skill ls` */
export const registerSkillLs: Register = (parent, act) => {
  const command = parent
    .command('ls')
    .alias('list')
    .summary('list skills')
    .description('List skills, all scopes unless one is named.')
    .argument('[prefix]', 'only names that begin with this')
    .addOption(scopeOption('only this scope'))
    .option('-n, --limit <number>', 'at most so many', readLimit)
    .action(
      act<Options>(async (context, { args: [prefix], options: { scope, limit } }) => {
        const query = {
          ...(scope === undefined ? {} : { scope }),
          ...(prefix === undefined ? {} : { prefix }),
          ...(limit === undefined ? {} : { limit }),
        }
        const { out, signal, client } = context
        if (out.json) out.document({ skills: await client().listSkills(query, { signal }) })
        else if (out.forPeople) await listForPeople(context, query)
        else for await (const row of client().eachSkill(query, { signal })) out.line(tabbed(row))
      }),
    )
  explain(
    command,
    ['mesh skill ls', "mesh skill ls --json | jq -r '.skills[].name'"],
    ['Into a file or pipe: a line a skill, tabs between scope, name, bytes of text, node and time.'],
  )
}

async function listForPeople({ out, signal, client, seconds }: Context, query: ListQuery): Promise<void> {
  const now = seconds()
  const rows = []
  for await (const row of client().eachSkill(query, { signal })) {
    const age = { text: shortAge(row.updated_at, now), paint: out.paint.dim }
    rows.push([escapeLine(row.scope), escapeLine(row.name), sizeOf(row), escapeLine(row.source_node), age])
  }
  if (rows.length === 0) return out.note('nothing here')
  for (const line of renderTable({ columns: COLUMNS, rows, width: out.width, paintTitle: out.paint.dim }))
    out.line(line)
  out.note(out.paintNote.dim(count(rows.length, 'skill', 'skills')))
}

function sizeOf({ content }: SkillRow): string {
  return content === null ? 'path' : bytes(Buffer.byteLength(content))
}

function tabbed({ scope, name, content, source_node, updated_at }: SkillRow): string {
  const size = String(content === null ? 0 : Buffer.byteLength(content))
  return [scope, name, size, source_node].map(escapeLine).concat(isoTime(updated_at)).join('\t')
}
