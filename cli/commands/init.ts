import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { askExecutable } from '../daemon-executable.ts'
import { escapeLine } from '../output/index.ts'

interface Initialised {
  readonly home: string
  readonly nodeId: string
  readonly peerId: string
  readonly meshId: string
  /** False where everything was there already. */
  readonly created: boolean
}

/** `mesh init` */
export const registerInit: Register = (parent, act) => {
  const command = parent
    .command('init')
    .summary('set up this machine')
    .description('Make the home of the daemon: keys, database, configuration. What is there stays.')
    .action(
      act(async (context) => {
        const { out, mustBeLocal } = context
        mustBeLocal('a home')
        const made = (await askDaemon(context)) ?? (await askExecutable<Initialised>(context, '--init'))
        if (out.json) return void out.document(made)
        out.line(made.created ? `made ${escapeLine(made.home)}` : `${escapeLine(made.home)} is set up already`)
        out.line(`node ${escapeLine(made.nodeId)}  ${escapeLine(made.peerId)}`)
        if (made.created) out.note('next: start `openclaw-meshd`, then `mesh status`')
      }),
    )
  explain(
    command,
    ['mesh init', 'MESH_NODE_ID=ceo mesh init', 'mesh init --home /srv/mesh'],
    ['The daemon does the same on its first start, so this is for those who want to look before they start it.'],
  )
}

/** What a daemon that runs here says of its home: it has the database open, so nobody else could look. */
async function askDaemon({ client, signal }: Context): Promise<Initialised | undefined> {
  const status = await client()
    .status({ signal })
    .catch(() => undefined)
  if (status === undefined) return undefined
  const { home, nodeId, peerId, meshId } = status
  return { home, nodeId, peerId, meshId, created: false }
}
