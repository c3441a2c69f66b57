import { Option } from 'commander'
import { explain, type Register, SCOPES } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../errors.ts'
import {
  createFormat,
  FORMATS,
  type Format,
  type FormatName,
  openFileSink,
  type Sink,
  streamSink,
} from '../export/index.ts'
import { count, escapeLine } from '../output/index.ts'

interface Options {
  scope: string[]
  format: FormatName
  force?: true
}

interface Exported {
  memory: number
  skills: number
  /** Memory and skills of the scope `node`, which nobody asked for by name. */
  left: number
}

/** What never leaves its machine unless it is named. */
const PRIVATE_SCOPE = 'node'

/** `mesh export [FILE]` */
export const registerExport: Register = (parent, act) => {
  const command = parent
    .command('export')
    .summary('write memory and skills to a file')
    .description('Write all memory and skills to a file or to standard output, a JSON line each.')
    .argument('[file]', 'appears whole or not at all; - or nothing is standard output')
    .addOption(
      new Option('-s, --scope <scope>', `only this scope; again for more: ${SCOPES}`)
        .argParser((scope: string, all: string[]) => [...all, scope])
        .default([], 'all but node'),
    )
    .addOption(
      new Option('--format <format>', 'memory-json is memory alone, as older tools keep it')
        .choices(FORMATS)
        .default('jsonl'),
    )
    .option('--force', 'replace a file that is there')
    .action(
      act<Options>(async (context, { args: [file = '-'], options }) => {
        const { out } = context
        if (file === '-' && out.json) {
          throw usageError('--json', 'standard output cannot hold the export and a document about it', 'give a FILE')
        }
        const sink = await openSink(context, file, options)
        const format = createFormat(options.format)
        try {
          const exported = await write(context, sink, format, options.scope, file !== '-' || !out.forPeople)
          await sink.commit()
          tell(context, file, exported, format, options)
        } finally {
          await sink.abandon()
        }
      }),
    )
  explain(
    command,
    [
      'mesh export mesh.jsonl',
      'mesh export | jq -r \'select(.kind == "memory") | .key\'',
      'mesh export alice.jsonl --scope user:alice --scope mesh',
      'mesh export mesh.jsonl && mesh import mesh.jsonl --home /srv/other',
      'mesh export mesh-memory.json --format memory-json',
    ],
    [
      'The scope node is left out unless it is named by --scope node: what lies there was never meant to leave this machine. A file that is written can be read by its owner alone.',
      'A line is {"kind":"memory",…row} or {"kind":"skill",…row}; memory first, each in order of scope, then key. mesh import takes both formats; memory-json has no skills in it and no ends of entries.',
      'This is what is shown now: history, signatures and values in conflict stay in the database, which mesh backup keeps whole.',
    ],
  )
}

async function openSink({ stdout, signal, out }: Context, file: string, { force }: Options): Promise<Sink> {
  if (file !== '-') return openFileSink(file, { force: force === true })
  if (force) throw usageError('--force', '--force goes with a FILE')
  const sink = streamSink(stdout, signal)
  if (!out.forPeople) return sink
  // JSON stays JSON.
  const shown = (text: string) => text.split('\n').map(escapeLine).join('\n')
  return { ...sink, write: (text) => sink.write(typeof text === 'string' ? shown(text) : text) }
}

async function write(
  { client, signal, out }: Context,
  sink: Sink,
  format: Format,
  scopes: readonly string[],
  showProgress: boolean,
): Promise<Exported> {
  const exported: Exported = { memory: 0, skills: 0, left: 0 }
  // Of several scopes each once, however often it was named.
  const queries = scopes.length === 0 ? [{}] : [...new Set(scopes)].map((scope) => ({ scope }))
  const take = async (kind: 'memory' | 'skills', scope: string, text: () => string): Promise<void> => {
    if (scopes.length === 0 && scope === PRIVATE_SCOPE) {
      exported.left++
      return
    }
    exported[kind]++
    await sink.write(text())
    if (showProgress) out.progress.show({ phase: 'export', done: exported.memory + exported.skills })
  }
  await sink.write(format.head)
  for (const query of queries) {
    for await (const row of client().eachMemory(query, { signal }))
      await take('memory', row.scope, () => format.memory(row))
  }
  if (format.holdsSkills) {
    for (const query of queries) {
      for await (const row of client().eachSkill(query, { signal }))
        await take('skills', row.scope, () => format.skill(row))
    }
  }
  await sink.write(format.tail())
  return exported
}

function tell({ out }: Context, file: string, exported: Exported, format: Format, options: Options): void {
  const { memory, skills, left } = exported
  if (out.json) {
    out.document({ file, format: options.format, memory, skills, leftOut: left, notes: format.notes() })
    return
  }
  const what = `${count(memory, 'memory', 'memories')} and ${count(skills, 'skill', 'skills')}`
  out.note(`${what} exported${file === '-' ? '' : ` to ${escapeLine(file)}`}`)
  if (left > 0) out.note(`${left} of the scope node left out; --scope node exports them`)
  if (!format.holdsSkills) out.note('memory-json holds no skills')
  for (const note of format.notes()) out.note(`note: ${escapeLine(note)}`)
}
