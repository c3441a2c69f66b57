import type { Peer } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { escapeLine } from '../output/index.ts'
import { peerTable, tabbedPeer } from '../peer-table.ts'
import { confirm } from '../prompt.ts'

/** `mesh peers`, `mesh peers remove` */
export const registerPeers: Register = (parent, act) => {
  const peers = parent
    .command('peers')
    .summary('list or remove members')
    .description('The other members of the mesh, as this node sees them.')
    .helpCommand(false)
    .usage('[ls | remove] [peer] [options]')
  explain(peers, ['mesh peers', 'mesh peers sec', 'mesh peers remove sec'])

  const list = peers
    .command('ls', { isDefault: true })
    .summary('list them (the default)')
    .description('List the other members: whether they are connected and equal.')
    .argument('[peer]', 'only this one: its name or peer id')
    .action(
      act(async ({ out, signal, client, seconds }, { args: [wanted] }) => {
        const all = await client().peers({ signal })
        const found = wanted === undefined ? all : all.filter((peer) => isCalled(peer, wanted))
        if (wanted !== undefined && found.length === 0) {
          throw new CliError(`no member is called ${wanted}`, {
            type: 'PEER_UNKNOWN',
            exit: EXIT.notFound,
            field: 'peer',
          })
        }
        if (out.json) out.document({ peers: found })
        else if (!out.forPeople) for (const peer of found) out.line(tabbedPeer(peer))
        else if (found.length === 0) out.note('no other members; `mesh invite` makes a ticket for one')
        else for (const line of peerTable(found, out, seconds())) out.line(line)
      }),
    )
  explain(
    list,
    ['mesh peers', "mesh peers --json | jq -r '.peers[] | select(.equal | not) | .nodeId'"],
    [
      'Into a file or pipe: a line a member, tabs between name, peer id, connected, equal, last sync, address and error.',
    ],
  )

  const remove = peers
    .command('remove')
    .alias('rm')
    .summary('remove a member')
    .description('Remove a member: no machine of the mesh talks to it any more. What it wrote stays.')
    .argument('<peer>', 'its name or peer id')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ yes?: true }>(async (context, { args: [peer = ''], options }) => {
        const { out, signal, client } = context
        if (!(await confirm(context, `Remove ${escapeLine(peer)} from the mesh?`, options.yes === true))) {
          if (!signal.aborted) out.note('nothing changed')
          return EXIT.failure
        }
        const removed = await client().removePeer(peer, { signal })
        if (out.json) out.document(removed)
        else out.line(escapeLine(`${removed.nodeId} removed (${removed.peerId})`))
        return EXIT.ok
      }),
    )
  explain(remove, ['mesh peers remove sec', 'mesh peers remove 12D3KooW… --yes'])
}

function isCalled(peer: Peer, wanted: string): boolean {
  return peer.nodeId === wanted || peer.peerId === wanted
}
