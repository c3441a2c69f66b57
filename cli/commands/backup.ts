import { type CheckedBackup, checkBackup, openBackup } from '../backup/index.ts'
import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../errors.ts'
import { openFileSink, type Sink, streamSink } from '../export/index.ts'
import { bytes, count, escapeLine, isoTime } from '../output/index.ts'

interface Options {
  withoutKey?: true
  force?: true
}

/** `mesh backup [FILE]` */
export const registerBackup: Register = (parent, act) => {
  const command = parent
    .command('backup')
    .summary('write all of this node to one file')
    .description('Write everything that this node has to one file, as of one moment, while it runs.')
    .argument('[file]', 'appears whole and verified, or not at all; - is standard output')
    .option('--without-key', "leave the node's key out")
    .option('--force', 'replace a file that is there')
    .action(
      act<Options>(async (context, { args: [given], options }) => {
        const { out, stdout, signal } = context
        if (given === '-') {
          if (out.json)
            throw usageError('--json', 'standard output cannot hold the backup and a document about it', 'give a FILE')
          if (options.force) throw usageError('--force', '--force goes with a FILE')
          if (out.forPeople)
            throw usageError('FILE', 'a backup is nothing for a terminal', 'give a FILE, or pipe it on')
          return fill(context, streamSink(stdout, signal), options)
        }
        const file = given ?? (await defaultName(context))
        let checked: CheckedBackup | undefined
        const check = async (path: string) => {
          checked = await verify(context, path)
        }
        await fill(context, await openFileSink(file, { force: options.force === true, check }), options)
        if (checked !== undefined) tell(context, file, checked)
      }),
    )
  explain(
    command,
    [
      'mesh backup',
      'mesh backup /backup/ceo.meshbackup --force',
      'mesh backup - | age -r age1… > ceo.meshbackup.age',
      'mesh restore --dry-run ceo.meshbackup',
    ],
    [
      'Without FILE it is named after the node and the time, in this folder. All entries of every scope are in it, node too, with their history, signatures and deletes, the members, and the keys of the API as hashes; config.json5 is not.',
      'Such a file is as secret as the node itself: whoever has it reads everything, and with the key speaks as this node. It can be read by its owner alone; encrypt it before it leaves the machine. --without-key leaves the key out: then a lost machine comes back as a new member only.',
      'It is read back and verified before it gets its name. To bring it back: mesh restore, into a node that runs; openclaw-meshd --restore, where there is none.',
    ],
  )
}

/** `ceo-2026-11-22T063105Z.meshbackup` */
async function defaultName({ client, signal, seconds }: Context): Promise<string> {
  const { nodeId } = await client().status({ signal })
  // A node of ours is called so; whoever answers at --url may say anything.
  const name = nodeId.replaceAll(/[^\w.-]/g, '_')
  return `${name}-${isoTime(seconds()).replaceAll(':', '')}.meshbackup`
}

/** What comes is looked at as it is written: where the daemon cannot go on it says why. */
async function fill({ client, signal, out }: Context, sink: Sink, { withoutKey }: Options): Promise<undefined> {
  const written = async function* () {
    for await (const piece of client().backup({ key: withoutKey ? false : undefined }, { signal })) {
      await sink.write(piece)
      yield piece
    }
  }
  const onProgress = (done: number, total: number) => out.progress.show({ phase: 'backup', done, total })
  try {
    await checkBackup(written(), { signal, onProgress })
    await sink.commit()
  } finally {
    await sink.abandon()
  }
}

/** Reads the file back: what was written, not what was meant to be. */
async function verify({ out, signal, stdin }: Context, path: string): Promise<CheckedBackup> {
  await using backup = await openBackup(path, stdin)
  const onProgress = (done: number, total: number) => out.progress.show({ phase: 'verify', done, total })
  return await checkBackup(backup.bytes, { signal, onProgress })
}

function tell({ out }: Context, file: string, { header, hasKey, bytes: size }: CheckedBackup): void {
  const { memory, skills, deleted, expired } = header.counts
  if (out.json) {
    out.document({ file, bytes: size, hasKey, ...header })
    return
  }
  out.line(`${escapeLine(file)}  ${bytes(size)}, verified`)
  const what = `${count(memory, 'memory', 'memories')} and ${count(skills, 'skill', 'skills')}`
  out.note(`${what}, ${deleted} deleted and ${expired} expired, as of ${isoTime(header.createdAt)}`)
  out.note(
    hasKey
      ? "it holds the node's key: keep it as secret as the node itself"
      : "without the node's key: it cannot bring this member back, only what it knew",
  )
}
