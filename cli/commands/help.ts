import { explain, type Register } from '../command.ts'
import { usageError } from '../errors.ts'
import { EXIT_CODE_TEXTS } from '../exit-codes.ts'

const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['MESH_HOME', 'the state folder; the daemon keeps its own in meshd/ below it'],
  ['OPENCLAW_STATE_DIR', 'the state folder, where MESH_HOME is not set'],
  ['OPENCLAW_HOME', 'its .openclaw is the state folder, where neither is set'],
  ['MESH_…', 'every setting of the daemon: api.port is MESH_API_PORT, nodeId is MESH_NODE_ID'],
  ['NO_COLOR', 'no colours, when not empty'],
]

const TOPICS: Readonly<Record<string, () => string[]>> = {
  'exit-codes': () => [
    'Exit codes:',
    ...EXIT_CODE_TEXTS.map(([code, text]) => `  ${String(code).padStart(3)}  ${text}`),
  ],
  environment: () => ['Environment:', ...ENVIRONMENT.map(([name, text]) => `  ${name.padEnd(18)}  ${text}`)],
}

/** `mesh help COMMAND`, `mesh help exit-codes`, `mesh help environment` */
export const registerHelp: Register = (parent, act) => {
  const command = parent
    .command('help')
    .summary('help for a command or topic')
    .description('Help for a command, or on a topic: exit-codes, environment.')
    .argument('[topic...]', 'put; skill put; exit-codes; environment')
    .action(
      act(async ({ out }, { args }) => {
        const words = (args as unknown as [string[]])[0]
        const lines = words.length === 1 ? TOPICS[words[0] ?? '']?.() : undefined
        if (lines !== undefined) {
          for (const line of lines) out.line(line)
          return
        }
        let at = parent
        for (const word of words) {
          const next = at.commands.find((each) => each.name() === word || each.aliases().includes(word))
          if (next === undefined)
            throw usageError('topic', `there is no command or topic ${words.join(' ')}`, 'see `mesh help`')
          at = next
        }
        at.outputHelp()
      }),
    )
  explain(command, ['mesh help put', 'mesh help skill put', 'mesh help exit-codes'])
}
