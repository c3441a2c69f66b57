import type { BackupHeader, RestoreReport } from '../../daemon/api/client.ts'
import { checkBackup, type OpenBackup, openBackup } from '../backup/index.ts'
import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { bytes, count, escapeLine, isoTime } from '../output/index.ts'

interface Options {
  dryRun?: true
}

/** `mesh restore FILE` */
export const registerRestore: Register = (parent, act) => {
  const command = parent
    .command('restore')
    .summary('bring back what a backup has and this node lacks')
    .description('Merge a backup of this mesh into this node, while it runs. Nothing that is newer is lost.')
    .argument('<file>', 'what mesh backup wrote; - is standard input')
    .option('--dry-run', 'only verify the file, and say what is in it; needs no daemon')
    .action(
      act<Options>(async (context, { args: [file = ''], options: { dryRun } }) => {
        await using backup = await openBackup(file, context.stdin)
        return await (dryRun ? describe(context, file, backup) : send(context, backup))
      }),
    )
  explain(
    command,
    [
      'mesh restore --dry-run ceo.meshbackup',
      'mesh restore ceo.meshbackup',
      'age -d ceo.meshbackup.age | mesh restore -',
      'openclaw-meshd --restore ceo.meshbackup    # where there is no node any more',
    ],
    [
      'It is a merge: what was written since the backup stays, what was deleted since stays deleted, and what is lost here comes back, to all members. To undo a delete or an overwrite, look at mesh history instead.',
      "A backup of another member of the same mesh is taken as well, but for that machine's scope node. Entries go through the same checks as those of a peer, the guard against secrets included; exit code 6 when any was refused, the rest is taken all the same.",
      'Interrupted, it has taken in a part; the next restore goes on from there.',
    ],
  )
}

async function describe({ out, signal }: Context, file: string, backup: OpenBackup): Promise<undefined> {
  const onProgress = (done: number, total: number) => out.progress.show({ phase: 'verify', done, total })
  const { header, hasKey, bytes: size } = await checkBackup(backup.bytes, { signal, onProgress })
  if (out.json) {
    out.document({ dryRun: true, file, bytes: size, hasKey, ...header })
    return
  }
  const { memory, skills, deleted, expired, conflicts } = header.counts
  out.line(`${describeBackup(header)}, ${bytes(size)}, whole and undamaged`)
  const what = `${count(memory, 'memory', 'memories')} and ${count(skills, 'skill', 'skills')}`
  out.line(`${what}, ${deleted} deleted, ${expired} expired, ${count(conflicts, 'conflict', 'conflicts')}`)
  out.line(`mesh ${escapeLine(header.meshId)}, position ${header.position}, digest ${escapeLine(header.digest)}`)
  out.line(
    `made by version ${escapeLine(header.version)}, ${hasKey ? "with the node's key" : "without the node's key"}`,
  )
}

async function send({ out, client, signal }: Context, backup: OpenBackup): Promise<ExitCode> {
  const report = await client().restore(backup.bytes, { signal, onProgress: (progress) => out.progress.show(progress) })
  const { applied, known, refused, incomplete, left } = report
  const failed = refused + incomplete
  const ok = failed === 0
  if (out.json) {
    const error = { type: 'RESTORE_REFUSED', message: `${count(failed, 'entry', 'entries')} not taken in` }
    out.document({ ok, ...(ok ? {} : { error }), ...report })
    return ok ? EXIT.ok : EXIT.refused
  }
  tellFaults(report, out)
  out.note(describeBackup(report.backup))
  out.line(`new here ${applied}, already here ${known}, refused ${refused}, not to be opened ${incomplete}`)
  if (left > 0) {
    const what = count(left, 'entry', 'entries')
    out.note(`${what} of the scope node left out: they belong to ${escapeLine(report.backup.nodeId)} alone`)
  }
  return ok ? EXIT.ok : EXIT.refused
}

function describeBackup({ nodeId, peerId, createdAt }: Pick<BackupHeader, 'nodeId' | 'peerId' | 'createdAt'>): string {
  return `backup of ${escapeLine(nodeId)} (${escapeLine(peerId)}) as of ${isoTime(createdAt)}`
}

function tellFaults({ faults, refused, incomplete }: RestoreReport, { note, paintNote }: Context['out']): void {
  for (const { kind, scope, key, code, message } of faults) {
    const name = key === null ? `in ${scope}` : `${scope}/${key}`
    note(`${paintNote.yellow('refused:')} ${kind} ${escapeLine(name)}: ${escapeLine(message)} (${code})`)
  }
  const more = refused + incomplete - faults.length
  if (more > 0) note(`and ${count(more, 'entry', 'entries')} more`)
}
