import type { EntryRef, History, Revision } from '../../daemon/api/client.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import type { Context } from '../context.ts'
import { contentOf, type EntryOptions, entryOf, nameOf, skillOption } from '../entry.ts'
import { CliError, usageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { isAnothersName, revisionBlock, revisionTable, SHORT_HASH, tabbedRevision } from '../history-table.ts'
import { count, escapeBlock } from '../output/index.ts'
import { textToPut } from '../text-to-put.ts'
import { readLimit } from './ls.ts'

interface Options extends EntryOptions {
  limit: number
  all?: true
  full?: true
  at?: string
}

/** What the daemon gives at once at most (docs/api.md). */
const PAGE = 100

/** `mesh history KEY` */
export const registerHistory: Register = (parent, act) => {
  const command = parent
    .command('history')
    .summary('what an entry has been')
    .description('The changes of a memory or skill, the latest first; also of one that was deleted.')
    .argument('<key>', 'key of a memory; with --skill the name of a skill')
    .addOption(scopeOption('where the entry is', 'mesh'))
    .addOption(skillOption())
    .option('-n, --limit <number>', 'at most so many', readLimit, 25)
    .option('--all', 'all of them')
    .option('--full', 'each with its whole value, in a paragraph')
    .option('--at <hash>', 'print the value that this change left, and nothing else', readHash)
    .action(
      act<Options>(async (context, { args: [key = ''], options }) => {
        const entry = entryOf(options, key)
        if (options.at !== undefined) return printAt(context, entry, options.at)
        const most = options.all ? Number.POSITIVE_INFINITY : options.limit
        if (context.out.json) return listAsJson(context, entry, most)
        if (context.out.forPeople && !options.full) return listForPeople(context, entry, most)
        return listLines(context, entry, most, options.full === true)
      }),
    )
  explain(
    command,
    [
      'mesh history project-plan',
      'mesh history weather --skill --full',
      'mesh history project-plan --at 3f2a9c01d4e5 | mesh put project-plan -',
      "mesh history limits --all --json | jq '.revisions[] | [.at, .row.value]'",
    ],
    [
      'The third example is the undo: it puts what the entry was. Into a pipe --at prints what mesh put and mesh skill put read back exactly; text that would be taken for JSON is quoted for that.',
      'NODE is the name that the author gave; SIGNED BY are the members whose signatures of this change hold, verified now. Where they are not the same it is yellow.',
      'A hash may be cut to 4 letters or more where that leaves one change.',
      'Into a file or pipe: a line a change, tabs between hash, put or delete, node, time, signers (with commas) and value (JSON, nothing for a delete).',
    ],
  )
}

function readHash(typed: string): string {
  const hash = typed.toLowerCase()
  if (/^[0-9a-f]{4,64}$/.test(hash)) return hash
  throw usageError(
    '--at',
    `--at: ${JSON.stringify(typed)} is no hash of a change`,
    'take 4 of its letters or more from mesh history KEY',
  )
}

/** The history in the daemon's pages, until there are so many changes. */
async function* pages({ client, signal, out }: Context, entry: EntryRef, most: number): AsyncGenerator<History> {
  let before: string | undefined
  for (let done = 0; done < most; ) {
    const page = await client().history(entry, { before, limit: Math.min(PAGE, most - done) }, { signal })
    yield page
    if (page.next === null) return
    before = page.next
    done += page.revisions.length
    out.progress.show({ phase: 'history', done })
  }
}

async function listAsJson(context: Context, entry: EntryRef, most: number): Promise<undefined> {
  const revisions: Revision[] = []
  let next: string | null = null
  for await (const page of pages(context, entry, most)) {
    revisions.push(...page.revisions)
    next = page.next
  }
  context.out.document({ revisions, next })
}

async function listForPeople(context: Context, entry: EntryRef, most: number): Promise<undefined> {
  const { out, seconds } = context
  const revisions: Revision[] = []
  let more = false
  for await (const page of pages(context, entry, most)) {
    revisions.push(...page.revisions)
    more = page.next !== null
  }
  for (const line of revisionTable(revisions, out, seconds())) out.line(line)
  const { dim, yellow } = out.paintNote
  if (revisions.some(isAnothersName)) {
    out.note(yellow('where NODE is not among those who signed, it is only a name that the author gave'))
  }
  out.note(dim(`${count(revisions.length, 'change', 'changes')}${more ? ', and older ones: --all shows them' : ''}`))
}

async function listLines(context: Context, entry: EntryRef, most: number, full: boolean): Promise<undefined> {
  const { out, seconds } = context
  for await (const { revisions } of pages(context, entry, most)) {
    for (const revision of revisions) {
      if (!full) out.line(tabbedRevision(revision))
      else for (const line of revisionBlock(revision, out, seconds())) out.line(line)
    }
  }
}

async function printAt(context: Context, entry: EntryRef, hash: string): Promise<undefined> {
  const { out } = context
  const revision = await findRevision(context, entry, hash)
  if (out.json) return void out.document(revision)
  const content = revision.row === null ? undefined : contentOf(revision.row)
  if (content === undefined) {
    const hint = 'an older change of mesh history has a value'
    throw new CliError(`this change deleted ${nameOf(entry)}: it left no value`, {
      type: 'NOT_FOUND',
      exit: EXIT.notFound,
      field: '--at',
      hint,
    })
  }
  if (out.forPeople) {
    const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2)
    out.line(escapeBlock(text).replace(/\n$/, ''))
  } else if (entry.kind === 'skill') out.raw(String(content))
  else out.line(textToPut(content))
}

async function findRevision(context: Context, entry: EntryRef, hash: string): Promise<Revision> {
  const found: Revision[] = []
  for await (const { revisions } of pages(context, entry, Number.POSITIVE_INFINITY)) {
    found.push(...revisions.filter((revision) => revision.hash.startsWith(hash)))
    // Two changes that begin alike for so long do not happen; a shorter beginning is looked for to the end.
    if (found.length > 0 && hash.length >= SHORT_HASH) break
  }
  const [only, other] = found
  if (only === undefined) {
    throw new CliError(`no change of ${nameOf(entry)} has the hash ${hash}`, {
      type: 'REVISION_UNKNOWN',
      exit: EXIT.notFound,
      field: '--at',
    })
  }
  if (other !== undefined)
    throw usageError('--at', `--at: ${found.length} changes begin with ${hash}`, 'give more of it')
  return only
}
