import { Argument, type Command } from 'commander'
import { explain, type Register } from '../command.ts'
import { COMPLETION_SCRIPTS, findCandidates, readBashLine } from '../completion/index.ts'
import { type Context, createContext } from '../context.ts'

type Shell = keyof typeof COMPLETION_SCRIPTS

/** Nobody waits longer at a Tab. */
const TIMEOUT_MS = 1000

/** `mesh completion bash|zsh|fish` */
export const registerCompletion: Register = (parent, act) => {
  const command = parent
    .command('completion')
    .summary('completion for your shell')
    .description('Print the script that completes commands, options, keys, skills and members in a shell.')
    .usage('<shell> [options]')
    .addArgument(new Argument('<shell>', 'which one').choices(Object.keys(COMPLETION_SCRIPTS)))
    .argument('[words...]', 'behind --, for the script: it asks so what fits at the cursor')
    .action(
      act(async (context, { args }) => {
        const [shell, words] = args as unknown as [Shell, string[]]
        const { out } = context
        if (words.length > 0) return answer(context, parent, shell, words)
        if (out.json) out.document({ shell, script: COMPLETION_SCRIPTS[shell] })
        else out.raw(COMPLETION_SCRIPTS[shell])
      }),
    )
  explain(
    command,
    [
      'eval "$(mesh completion bash)"                                 # in ~/.bashrc',
      'source <(mesh completion zsh)                                  # in ~/.zshrc, behind compinit',
      'mesh completion fish > ~/.config/fish/completions/mesh.fish',
    ],
    [
      'Keys, skills and members are asked of the daemon, which has a second to answer; without it commands and options are completed all the same. Where more than 50 fit, type more of the word.',
      'A key that a terminal cannot show as it is (control characters, marks of direction) is not offered.',
    ],
  )
}

/** Lines for the script; silence where anything is wrong, for there is nobody to read it. */
async function answer(context: Context, program: Command, shell: Shell, words: readonly string[]): Promise<undefined> {
  const { out } = context
  const line = shell === 'bash' ? readBashLine(words[0] ?? '', words[1] ?? '') : plainLine(words)
  if (line === undefined) return void out.line('files')
  try {
    const { kind, words: found } = await findCandidates({
      program,
      before: line.before,
      current: line.current,
      timeoutMs: TIMEOUT_MS,
      clientOf: (typed) => createContext(context, { ...context.settings, ...pointing(typed) }).client(),
    })
    out.line(kind)
    for (const word of found) {
      const text = line.insert(word)
      if (text !== undefined) out.line(text)
    }
  } catch {
    out.line('words')
  }
}

/** The other shells take words as they are, and quote what they insert. */
function plainLine(words: readonly string[]): ReturnType<typeof readBashLine> {
  return { before: words.slice(0, -1), current: words.at(-1) ?? '', insert: (candidate) => candidate }
}

/** Options on the line that say which daemon is meant. */
function pointing(typed: Readonly<Record<string, string | true>>): { home?: string; url?: string; tokenFile?: string } {
  const named = (['home', 'url', 'tokenFile'] as const).flatMap((name) => {
    const value = typed[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return Object.fromEntries(named) as ReturnType<typeof pointing>
}
