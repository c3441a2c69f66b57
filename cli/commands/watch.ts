import type { MemoryRow, MeshEvent, SkillRow } from '../../daemon/api/client.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import { usageError } from '../errors.ts'
import { escapeLine, type Output } from '../output/index.ts'

interface Options {
  scope?: string
  since?: number
  skill?: true
  memory?: true
}

/** No terminal is wider: what is longer is cut before it is escaped. */
const MAX_VALUE = 1_000

/** `mesh watch [PREFIX]` */
export const registerWatch: Register = (parent, act) => {
  const command = parent
    .command('watch')
    .summary('show what is written, as it is written')
    .description('Show every put, delete and expiry on this node, from wherever it came, until Ctrl-C.')
    .argument('[prefix]', 'only keys and names that begin with this')
    .addOption(scopeOption('only this scope'))
    .option('--memory', 'only memory')
    .option('--skill', 'only skills')
    .option('--since <position>', 'begin with what was committed after this feed position; 0 for all', readPosition)
    .action(
      act<Options>(async ({ out, signal, client }, { args: [prefix], options }) => {
        const { scope, since, skill, memory } = options
        const kind = skill === memory ? undefined : skill ? 'skill' : 'memory'
        for await (const event of client().watch({ prefix, scope, since, kind }, { signal })) {
          if (out.json) out.line(JSON.stringify(event))
          else tell(event, out)
        }
      }),
    )
  explain(
    command,
    [
      'mesh watch',
      'mesh watch project/ --scope mesh',
      "mesh watch --json | jq -r 'select(.key).key'",
      'mesh watch --since 0',
    ],
    [
      'Into a file or pipe: a line an event, tabs between position, put, delete or expire, memory or skill, scope, key and value.',
      'With --json a line an event, as the API has it. When the daemon restarts it goes on by itself and misses nothing.',
    ],
  )
}

function readPosition(typed: string): number {
  if (/^\d{1,15}$/.test(typed)) return Number(typed)
  throw usageError(
    '--since',
    `--since: ${JSON.stringify(typed)} is no feed position`,
    '`mesh status` shows the present one',
  )
}

/** Why a place in the feed could not be gone on from. */
const MISSING = {
  behind: 'the position is so far back that the feed is not kept any more',
  database: 'the position is not of this database',
} as const

function tell(event: MeshEvent, out: Output): void {
  if ('seq' in event) out.line(lineOf(event, out))
  else if (event.type === 'reset') out.note(`events are missing: ${MISSING[event.reason]}`)
  else if (out.forPeople) out.note('watching; Ctrl-C ends it')
}

function lineOf(event: Extract<MeshEvent, { seq: number }>, { forPeople, paint }: Output): string {
  const { seq, type, kind, scope, key, row } = event
  const value = row === null ? '' : textOf(row)
  if (!forPeople) return [String(seq), type, kind, scope, key, value].map(escapeLine).join('\t')
  const mark = type === 'put' ? paint.green('+') : paint.yellow(type === 'delete' ? '-' : '~')
  const what = kind === 'skill' ? paint.dim(' skill') : ''
  const text = paint.dim(escapeLine(value.slice(0, MAX_VALUE)))
  return `${mark} ${paint.bold(escapeLine(`${scope}/${key}`))}${what} ${text}`.trimEnd()
}

function textOf(row: MemoryRow | SkillRow): string {
  return 'value' in row ? JSON.stringify(row.value) : `${Buffer.byteLength(row.content ?? '')} bytes`
}
