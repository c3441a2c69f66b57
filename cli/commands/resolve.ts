import type { MemoryRow, ResolveBody, SkillRow } from '../../daemon/api/client.ts'
import { type Choice, createChoiceReader, type Resolution, resolutionsOf } from '../choices.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import { type Conflict, conflictTable, placeName } from '../conflict-table.ts'
import type { Context } from '../context.ts'
import { contentOf, type EntryOptions, entryOf, nameOf, readRow, skillOption } from '../entry.ts'
import { usageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { age, count, escapeLine } from '../output/index.ts'
import { ask, canAsk } from '../prompt.ts'
import { readValue } from '../value.ts'
import { readEtag } from '../write-options.ts'

interface Options extends EntryOptions {
  keepShown?: true
  text?: true
  nodeId?: string
  ifMatch?: string
}

/** `mesh resolve KEY` */
export const registerResolve: Register = (parent, act) => {
  const reader = createChoiceReader()
  const command = parent
    .command('resolve')
    .summary('end conflicts of an entry')
    .description('End conflicts of a memory or skill: with what is shown, one of the values, or another.')
    .argument('<key>', 'key of a memory; with --skill the name of a skill')
    .addOption(scopeOption('where the entry is', 'mesh'))
    .addOption(skillOption())
    .option('--keep-shown', 'end all of them with what is shown')
    .option('--path <path>', 'the place that the next --pick or --value is for; again for more', reader.path)
    .option('--pick <number>', 'the value of this number in mesh conflicts', reader.pick)
    .option('--value <value>', 'a value: JSON, else plain text', reader.value)
    .option('-t, --text', 'take --value as plain text, also where it is JSON')
    .option('--if-match <etag>', 'only this version, as mesh conflicts --json has it', readEtag)
    .option('--node-id <name>', 'whom the entry names as its author (default: this node)')
    .action(
      act<Options>(async (context, { args: [key = ''], options }) => {
        const { out, signal, client, seconds } = context
        const choices = reader.finish()
        checkUse(context, options, choices)
        const entry = entryOf(options, key)
        const { etag, ...before } = await readRow(context, entry)
        const conflicts = await client().conflicts(entry, { signal })
        if (conflicts.length === 0 && choices.length === 0) {
          if (out.json) out.document({ ...before, etag, resolved: [], left: 0 })
          else out.note(`no conflicts in ${nameOf(entry)}`)
          return EXIT.ok
        }
        const resolutions = await decide(context, conflicts, choices, options)
        if (resolutions === undefined) {
          if (!signal.aborted) out.note('nothing changed')
          return EXIT.failure
        }
        const body: ResolveBody = { resolutions, ...(options.nodeId === undefined ? {} : { node_id: options.nodeId }) }
        const row = await client().resolve(entry, body, { signal, ifMatch: options.ifMatch ?? etag })
        const left = conflicts.length - resolutions.length
        if (out.json) {
          out.document({ ...row, resolved: resolutions.map(({ path }) => path), left })
          return EXIT.ok
        }
        const author = 'name' in row ? row.source_node : row.node_id
        out.line(`${nameOf(entry)} resolved (${escapeLine(author)}, ${age(row.updated_at, seconds())})`)
        if (!('name' in row)) out.line(valueLine(row))
        if (left > 0) out.note(`${count(left, 'place is', 'places are')} still in conflict`)
        return EXIT.ok
      }),
    )
  explain(
    command,
    [
      'mesh resolve limits                           # asks, on a terminal',
      'mesh resolve limits --keep-shown',
      'mesh resolve limits --path /cpu --pick 2',
      'mesh resolve limits --path /cpu --value 8 --path /memory --value \'"4G"\'',
      'mesh resolve weather --skill --pick 1',
    ],
    [
      'Where only one place is in conflict, --path may be left out. Places that are not named stay in conflict.',
      'What was written after the conflicts were looked at is never resolved by accident: then it is refused with exit code 6, and nothing is written. To hold that from mesh conflicts on, give its etag to --if-match.',
    ],
  )
}

function checkUse(context: Context, { keepShown, text }: Options, choices: readonly Choice[]): void {
  if (keepShown && choices.length > 0) {
    throw usageError('--keep-shown', '--keep-shown leaves nothing for --path, --pick or --value to decide')
  }
  if (text && !choices.some((choice) => 'value' in choice)) throw usageError('--text', '--text goes with --value')
  if (keepShown || choices.length > 0 || canAsk(context)) return
  throw usageError('--keep-shown', 'nothing says how to resolve it', 'give --keep-shown, --pick or --value')
}

/** Undefined when the user was asked and did not choose. */
async function decide(
  context: Context,
  conflicts: readonly Conflict[],
  choices: readonly Choice[],
  { keepShown, text, skill }: Options,
): Promise<Resolution[] | undefined> {
  // Said place by place, so that no conflict ends that was not seen.
  if (keepShown) return conflicts.flatMap((conflict) => pick(conflict, 1) ?? [])
  if (choices.length === 0) return askForEach(context, conflicts)
  return resolutionsOf(choices, conflicts, (typed) => {
    const { value, notes } = readValue(typed, text === true || skill === true)
    for (const note of notes) context.out.note(escapeLine(note))
    return value
  })
}

async function askForEach(context: Context, conflicts: readonly Conflict[]): Promise<Resolution[] | undefined> {
  const { out, seconds } = context
  const resolutions: Resolution[] = []
  for (const conflict of conflicts) {
    const view = { paint: out.paintNote, width: out.width }
    for (const line of conflictTable([conflict], view, seconds())) out.note(line)
    let chosen: Resolution | undefined
    while (chosen === undefined) {
      const question = `Which one is to stand at ${placeName(conflict.path)}? [1-${conflict.values.length}] `
      const answer = await ask(context, question)
      if (answer === undefined) {
        out.note('')
        return undefined
      }
      chosen = pick(conflict, Number(answer.trim()))
    }
    resolutions.push(chosen)
  }
  return resolutions
}

function pick({ path, values }: Conflict, number: number): Resolution | undefined {
  const chosen = values[number - 1]
  return chosen === undefined ? undefined : { path, value: chosen.value }
}

function valueLine(row: MemoryRow | SkillRow): string {
  const value = contentOf(row)
  return escapeLine(typeof value === 'string' ? value : JSON.stringify(value))
}
