import type { ApiKey } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import { usageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { type Column, count, escapeLine, isoTime, renderTable, shortAge } from '../output/index.ts'
import { confirm } from '../prompt.ts'

interface CreateOptions {
  read?: string[]
  write?: string[]
  tenant?: string
  rate?: number
}

const COLUMNS: readonly Column[] = [
  { title: 'NAME', least: 8 },
  { title: 'ID' },
  { title: 'READ', least: 10 },
  { title: 'WRITE', least: 10 },
  { title: 'TENANT', least: 6 },
  { title: 'RATE', right: true },
  { title: 'AGE', right: true },
]

/** `mesh key create|ls|revoke` */
export const registerKey: Register = (parent, act) => {
  const keys = parent
    .command('key')
    .summary('keys of the HTTP API')
    .description('Named keys of the HTTP API, each for some scopes: for scripts, services and tenants.')
    .helpCommand(false)
    .usage('<command> [options]')
  explain(keys, ['mesh key create reports --read mesh', 'mesh key ls', 'mesh key revoke reports'])

  const create = keys
    .command('create')
    .summary('make one')
    .description('Make a key and print it, this once: only its hash is kept.')
    .argument('<name>', 'letters, digits, ".", "_" and "-"')
    .option('-r, --read <scope>', 'a scope that it may read; again for more', collect)
    .option('-w, --write <scope>', 'a scope that it may write; again for more', collect)
    .option('--tenant <id>', "only what is this tenant's")
    .option('--rate <number>', 'at most so many requests a minute', readRate)
    .action(
      act<CreateOptions>(async ({ out, signal, client }, { args: [name = ''], options }) => {
        const made = await client().createKey({ name, ...options }, { signal })
        if (out.json) return void out.document(made)
        out.line(made.key)
        out.note(escapeLine(`${made.name} may read ${listed(made.read)} and write ${listed(made.write)}`))
        out.note('it is not shown again; whoever has it may do this')
      }),
    )
  explain(
    create,
    [
      'mesh key create reports --read mesh --read "user:*"',
      'mesh key create intake --read mesh --write mesh --rate 600',
      'mesh key create acme --tenant acme > acme.key',
    ],
    [
      'A scope may have * for an id: user:* is user:alice and not user:acme:alice. * alone is every scope but node.',
      "A tenant's key without scopes may read and write tenant:<id> and user:<id>:*. Only the key goes to stdout.",
    ],
  )

  const list = keys
    .command('ls')
    .alias('list')
    .summary('list them')
    .description('List the keys: what they may do, not the keys themselves.')
    .action(
      act(async ({ out, signal, client, seconds }) => {
        const found = await client().keys({ signal })
        if (out.json) out.document({ keys: found })
        else if (!out.forPeople) for (const key of found) out.line(tabbed(key))
        else if (found.length === 0) out.note('no keys; `mesh key create` makes one')
        else {
          const rows = found.map((key) => rowOf(key, seconds()))
          const { width, paint } = out
          for (const line of renderTable({ columns: COLUMNS, rows, width, paintTitle: paint.dim })) out.line(line)
          out.note(out.paintNote.dim(count(found.length, 'key', 'keys')))
        }
      }),
    )
  explain(
    list,
    ['mesh key ls', "mesh key ls --json | jq -r '.keys[].name'"],
    ['Into a file or pipe: a line a key, tabs between name, id, read, write, tenant, rate and time.'],
  )

  const revoke = keys
    .command('revoke')
    .alias('rm')
    .summary('end one')
    .description('End a key at once. What it wrote stays.')
    .argument('<key>', 'its name or id')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ yes?: true }>(async (context, { args: [key = ''], options }) => {
        const { out, signal, client } = context
        if (!(await confirm(context, `Revoke the key ${escapeLine(key)}?`, options.yes === true))) {
          if (!signal.aborted) out.note('nothing changed')
          return EXIT.failure
        }
        const revoked = await client().revokeKey(key, { signal })
        if (out.json) out.document(revoked)
        else out.line(escapeLine(`${revoked.name} revoked`))
        return EXIT.ok
      }),
    )
  explain(revoke, ['mesh key revoke reports', 'mesh key revoke reports --yes'])
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

function readRate(typed: string): number {
  if (/^\d{1,9}$/.test(typed)) return Number(typed)
  throw usageError(
    '--rate',
    `--rate: ${JSON.stringify(typed)} is no whole number`,
    'give requests a minute: --rate 600',
  )
}

const listed = (scopes: readonly string[]) => (scopes.length === 0 ? 'nothing' : scopes.join(', '))

function rowOf({ name, id, read, write, tenant, rate, created_at }: ApiKey, now: number): string[] {
  const texts = [name, id, read.join(' '), write.join(' '), tenant ?? ''].map(escapeLine)
  return [...texts, rate === null ? '' : `${rate}/min`, shortAge(created_at, now)]
}

function tabbed({ name, id, read, write, tenant, rate, created_at }: ApiKey): string {
  const texts = [name, id, read.join(' '), write.join(' '), tenant ?? '', String(rate ?? '')]
  return [...texts.map(escapeLine), isoTime(created_at)].join('\t')
}
