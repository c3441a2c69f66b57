import { readFileSync } from 'node:fs'
import { explain, type Register } from '../command.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { escapeLine } from '../output/index.ts'

/** `mesh token show|rotate|path` */
export const registerToken: Register = (parent, act) => {
  const token = parent
    .command('token')
    .summary('the token of the HTTP API')
    .description('The bearer token that the HTTP API asks for over TCP. The unix socket needs none.')
    .helpCommand(false)
    .usage('<command> [options]')
  explain(token, ['mesh token show', 'mesh token rotate', 'curl -H "Authorization: Bearer $(mesh token show)" …'])

  const show = token
    .command('show')
    .summary('print it')
    .description('Print the token. Whoever has it may do everything here.')
    .action(
      act(async ({ out, layout, mustBeLocal }) => {
        mustBeLocal('the token')
        const value = readToken(layout.tokenPath)
        if (out.json) out.document({ token: value, path: layout.tokenPath })
        else out.line(value)
      }),
    )
  explain(show, ['mesh token show', 'curl -H "Authorization: Bearer $(mesh token show)" http://127.0.0.1:4078/status'])

  const path = token
    .command('path')
    .summary('print where it lies')
    .description('Print the path of the file that holds the token.')
    .action(
      act(async ({ out, layout, mustBeLocal }) => {
        mustBeLocal('the token')
        if (out.json) out.document({ path: layout.tokenPath })
        else out.line(layout.tokenPath)
      }),
    )
  explain(path, ['mesh token path', 'chmod 600 "$(mesh token path)"'])

  const rotate = token
    .command('rotate')
    .summary('replace it')
    .description('Make a new token. The old one is dead at once.')
    .action(
      act(async ({ out, signal, client }) => {
        const rotated = await client().rotateToken({ signal })
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
