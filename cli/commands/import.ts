import { Option } from 'commander'
import { explain, type Register, scopeOption } from '../command.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { type ImportSource, inBatches, openImportSource, type Refusal } from '../import/index.ts'
import { count, escapeLine } from '../output/index.ts'

interface Options {
  scope: string
  tenant: string[]
  dryRun?: true
}

interface Taken {
  taken: number
  equal: number
  older: number
  expired: number
  refused: Refusal[]
}

/** `mesh import PATH` */
export const registerImport: Register = (parent, act) => {
  const command = parent
    .command('import')
    .summary('take in an export, older memory or a folder of skills')
    .description(
      'Take in what mesh export wrote, an older mesh-memory.json, a folder of skills, or one skill. Nothing is taken twice.',
    )
    .argument(
      '<path>',
      'an export (.jsonl, or - for standard input); mesh-memory.json; a folder of <name>/SKILL.md or <name>.md|.txt; or one such file',
    )
    .addOption(scopeOption('scope of skills from files; memory and exports name their own', 'mesh'))
    .addOption(
      new Option('--tenant <id>', 'an id that is a tenant, see below; may be given again')
        .argParser((id, all: string[]) => [...all, id])
        .default([], 'none'),
    )
    .option('--dry-run', 'only list what would be sent')
    .action(
      act<Options>(async (context, { args: [path = ''], options: { scope, tenant, dryRun } }) => {
        const source = await openImportSource(path, { scope, tenants: tenant, stdin: context.stdin })
        const { out } = context
        for (const note of source.notes) out.note(`note: ${escapeLine(note)}`)
        if (source.ignored > 0)
          out.note(`note: ${count(source.ignored, 'other file or folder', 'other files and folders')} ignored`)
        return dryRun ? list(source, context) : send(source, context)
      }),
    )
  explain(
    command,
    [
      'mesh import mesh.jsonl',
      'mesh export | mesh import - --home /srv/other',
      'mesh import ~/.openclaw/mesh-memory.json',
      'mesh import ~/.openclaw/skills --dry-run',
      'mesh import ./skills/weather/SKILL.md',
    ],
    [
      'What is equal is not written again. Of an export and of older memory the last write wins, by its time; a skill from a file counts as written now.',
      'Of an export everything that it holds is taken: content, author, time and end of each entry. What has ended meanwhile is passed over.',
      `A key of mesh-memory.json is scope:key, and both may hold colons. node, mesh and federation are scopes by themselves; tenant and user take one id: user:alice:notes:today is notes:today of user:alice. Only where the id is a tenant (given by --tenant, or because the file has a key tenant:<id>:…) does user take a second one.`,
      'README, CHANGELOG, LICENSE and the like are no skills; links that lead out of the folder are not followed.',
      'Exit code 6 when anything was refused; the rest is taken all the same.',
    ],
  )
}

async function list(source: ImportSource, { out }: Context): Promise<ExitCode> {
  const memory: { scope: string; key: string }[] = []
  const skills: { scope: string; name: string }[] = []
  const refused: Refusal[] = []
  for await (const prepared of inBatches(source.candidates)) {
    for (const { scope, key } of prepared.batch.memory ?? []) memory.push({ scope, key })
    for (const { scope = 'mesh', name } of prepared.batch.skills ?? []) skills.push({ scope, name })
    refused.push(...prepared.refused)
  }
  if (out.json) {
    out.document({ dryRun: true, memory, skills, refused, ignored: source.ignored, ok: refused.length === 0 })
  } else {
    for (const { scope, key } of memory) out.line(`memory\t${escapeLine(scope)}\t${escapeLine(key)}`)
    for (const { scope, name } of skills) out.line(`skill\t${escapeLine(scope)}\t${escapeLine(name)}`)
    tellRefused(refused, out)
    out.note(`would send ${count(memory.length + skills.length, 'item', 'items')}, refused ${refused.length}`)
  }
  return refused.length === 0 ? EXIT.ok : EXIT.refused
}

async function send(source: ImportSource, { out, client, signal }: Context): Promise<ExitCode> {
  const total: Taken = { taken: 0, equal: 0, older: 0, expired: 0, refused: [] }
  let done = 0
  const show = () => {
    out.progress.show({ phase: 'import', done, ...(source.total === undefined ? {} : { total: source.total }) })
  }
  show()
  for await (const { batch, size, refused } of inBatches(source.candidates)) {
    total.refused.push(...refused)
    if (size > 0) {
      const report = await client().import(batch, { signal })
      total.taken += report.taken
      total.equal += report.equal
      total.older += report.older
      total.expired += report.expired
      total.refused.push(...report.refused)
    }
    done += size + refused.length
    show()
  }
  const ok = total.refused.length === 0
  if (out.json) {
    const error = { type: 'IMPORT_REFUSED', message: `${count(total.refused.length, 'item', 'items')} refused` }
    out.document({ ok, ...(ok ? {} : { error }), ...total, ignored: source.ignored })
  } else {
    tellRefused(total.refused, out)
    const { taken, equal, older, expired } = total
    // Only exports know ends: scripts that read the rest of this line find it as it ever was.
    const ended = expired === 0 ? '' : `, ended ${expired}`
    out.line(`taken ${taken}, already there ${equal}, older ${older}, refused ${total.refused.length}${ended}`)
  }
  return ok ? EXIT.ok : EXIT.refused
}

function tellRefused(refused: readonly Refusal[], { note, paintNote }: Context['out']): void {
  for (const { kind, scope, key, code, message } of refused) {
    const name = scope === '' ? key : `${scope}/${key}`
    note(`${paintNote.yellow('refused:')} ${kind} ${escapeLine(name)}: ${escapeLine(message)} (${code})`)
  }
}
