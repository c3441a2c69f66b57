import { readFileSync } from 'node:fs'
import { Option } from 'commander'
import { explain, type Register } from '../command.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { escapeLine } from '../output/index.ts'

interface Options {
  agent?: true
}

const agentOption = () => new Option('-a, --agent', "the agents' token, with which nothing can be deleted or steered")

/** `mesh token show|rotate|path` */
export const registerToken: Register = (parent, act) => {
  const token = parent
    .command('token')
    .summary('the tokens of the HTTP API')
    .description(
      "The bearer tokens that the HTTP API asks for over TCP: the operator's and the agents'. The unix socket needs none.",
    )
    .helpCommand(false)
    .usage('<command> [options]')
  explain(token, ['mesh token show', 'mesh token rotate', 'curl -H "Authorization: Bearer $(mesh token show)" …'])

  const show = token
    .command('show')
    .summary('print it')
    .description('Print the token. Whoever has it may do everything here; with --agent, read everything and put.')
    .addOption(agentOption())
    .action(
      act<Options>(async ({ out, layout, mustBeLocal }, { options }) => {
        mustBeLocal('the token')
        const path = options.agent ? layout.agentTokenPath : layout.tokenPath
        const value = readToken(path)
        if (out.json) out.document({ token: value, path })
        else out.line(value)
      }),
    )
  explain(show, [
    'mesh token show',
    'mesh token show --agent',
    'curl -H "Authorization: Bearer $(mesh token show)" http://127.0.0.1:4078/status',
  ])

  const path = token
    .command('path')
    .summary('print where it lies')
    .description('Print the path of the file that holds the token.')
    .addOption(agentOption())
    .action(
      act<Options>(async ({ out, layout, mustBeLocal }, { options }) => {
        mustBeLocal('the token')
        const file = options.agent ? layout.agentTokenPath : layout.tokenPath
        if (out.json) out.document({ path: file })
        else out.line(file)
      }),
    )
  explain(path, ['mesh token path', 'chmod 600 "$(mesh token path)"'])

  const rotate = token
    .command('rotate')
    .summary('replace it')
    .description('Make a new token. The old one is dead at once.')
    .addOption(agentOption())
    .action(
      act<Options>(async ({ out, signal, client }, { options }) => {
        const rotated = await client().rotateToken({ token: options.agent ? 'agent' : 'operator' }, { signal })
        if (out.json) out.document(rotated)
        else out.line(escapeLine(`new token in ${rotated.path}`))
      }),
    )
  explain(rotate, ['mesh token rotate'], ['Tools that keep a copy of the token must read the file again.'])
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const why = missing ? `there is no token at ${path}` : `the token at ${path} cannot be read`
    const hint = missing ? 'the daemon makes one on its first start' : 'run this as the user who runs openclaw-meshd'
    throw new CliError(why, { type: 'TOKEN_UNREADABLE', exit: missing ? EXIT.notFound : EXIT.auth, hint, cause })
  }
}
