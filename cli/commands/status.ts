import type { Status } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { age, count, escapeLine, shortPeer } from '../output/index.ts'
import { peerTable } from '../peer-table.ts'

/** Hex digits of a digest that people compare by eye. */
const DIGEST_SHOWN = 16

/** `mesh status` */
export const registerStatus: Register = (parent, act) => {
  const command = parent
    .command('status')
    .summary('this node, its mesh, its peers')
    .description('What this node knows and how its peers are.')
    .action(
      act(async (context) => {
        const { out, signal, client } = context
        const status = await client().status({ signal })
        if (out.json) out.document(status)
        else for (const line of describe(status, context)) out.line(line)
      }),
    )
  explain(
    command,
    ['mesh status', 'mesh status --json | jq -r .digest'],
    [
      'Equal digests on two machines mean equal meshes; what is in scope `node` is not counted in.',
      'With --json times are Unix milliseconds.',
    ],
  )
}

function describe(status: Status, { out, seconds }: Context): string[] {
  const { paint } = out
  const now = seconds()
  const items = [`${status.memory} memory`, count(status.skills, 'skill', 'skills')]
  const gone = status.deleted > 0 ? `; ${status.deleted} deleted` : ''
  const facts: [name: string, text: string][] = [
    ['node', `${paint.bold(escapeLine(status.nodeId))}  ${shortPeer(escapeLine(status.peerId))}`],
    ['mesh', `${escapeLine(status.meshId)}  ${count(status.peers.length + 1, 'member', 'members')}`],
    ['entries', `${status.entries.toLocaleString('en-US')}  ${paint.dim(`(${items.join(', ')}${gone})`)}`],
    ['digest', escapeLine(status.digest.slice(0, DIGEST_SHOWN))],
  ]
  if (status.conflicts > 0) facts.push(['conflicts', paint.yellow(String(status.conflicts))])
  facts.push(
    ['daemon', `${escapeLine(status.version)}, started ${age(status.startedAt / 1000, now)}`],
    ['home', escapeLine(status.home)],
    ['api', apiOf(status)],
    ['addresses', status.addresses.length === 0 ? 'none' : status.addresses.map(escapeLine).join('\n            ')],
  )
  const lines = facts.map(([name, text]) => `${paint.dim(name.padEnd(12))}${text}`)
  if (status.peers.length === 0) return [...lines, '', 'no other members; `mesh invite` makes a ticket for one']
  return [...lines, '', ...peerTable(status.peers, out, now)]
}

function apiOf({ api }: Status): string {
  if (api.url === null) return escapeLine(api.socket)
  return escapeLine(`${api.socket}, ${api.url} (${api.auth ? 'with token' : 'no token needed'})`)
}
