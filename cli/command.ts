import { type Command, Option } from 'commander'
import type { Context, Settings } from './context.ts'
import type { ExitCode } from './exit-codes.ts'

/** What was typed, after the parser: positional arguments in their order, and the command's own options. */
export interface Typed<Options> {
  readonly args: readonly (string | undefined)[]
  readonly options: Options
}

/** The work of a command. Resolves with an exit code other than 0, or with nothing when all went well. */
export type Handler<Options> = (context: Context, typed: Typed<Options>) => Promise<ExitCode | undefined>

/** Turns the work of a command into what the parser calls. */
export type Act = <Options = Record<never, never>>(
  handler: Handler<Options>,
) => (this: Command, ...given: unknown[]) => Promise<void>

/** Adds a command to the program (or to a command group). Every file of `commands/` has one. */
export type Register = (parent: Command, act: Act) => void

/** Longer lines of running text are tiring, however wide the terminal. */
const MAX_TEXT_WIDTH = 100

/** Heading in help of what every command takes. */
export const COMMON_OPTIONS = 'Common options:'

/** Gives a command and all below it the options that everything takes. */
export function addCommonOptions(command: Command): void {
  const add = (flags: string, text: string) => command.addOption(new Option(flags, text).helpGroup(COMMON_OPTIONS))
  add('--json', 'one JSON document on stdout, also for errors')
  add('--home <dir>', 'the state folder (default: MESH_HOME, else ~/.openclaw)')
  add('--url <url>', 'ask over TCP: http://127.0.0.1:4078')
  add('--token-file <file>', 'token for --url (default on this machine: its own)')
  add('--no-color', 'no colours, as with NO_COLOR=1')
  command.helpOption('-h, --help', 'help for this command')
  for (const child of command.commands) addCommonOptions(child)
}

/** What was typed of the common options, before or behind the command's name; the nearest to the command counts. */
export function settingsOf(command: Command): Settings {
  const typed = (name: string): unknown => {
    for (let at: Command | null = command; at !== null; at = at.parent) {
      if (at.getOptionValueSource(name) === 'cli') return at.getOptionValue(name)
    }
    return undefined
  }
  const text = (name: string) => typed(name) as string | undefined
  const [home, url, tokenFile] = [text('home'), text('url'), text('tokenFile')]
  return {
    json: typed('json') === true,
    color: typed('color') !== false,
    ...(home === undefined ? {} : { home }),
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  }
}

/** Adds examples, and notes where there are any, to a command's help. A note is one paragraph. */
export function explain(command: Command, examples: readonly string[], notes: readonly string[] = []): void {
  command.addHelpText('after', () => {
    const helper = command.createHelp()
    const width = Math.min(command.configureOutput().getOutHelpWidth?.() ?? 80, MAX_TEXT_WIDTH)
    const blocks = [`\n${helper.styleTitle('Examples:')}\n${examples.map((line) => `  $ ${line}`).join('\n')}`]
    const paragraphs = notes.map((note) => helper.boxWrap(note, width - 2).replaceAll(/^/gm, '  '))
    if (notes.length > 0) blocks.push(`\n${helper.styleTitle('Notes:')}\n${paragraphs.join('\n')}`)
    return blocks.join('\n')
  })
}

/** The scopes that there are, as help names them. */
export const SCOPES = 'node, mesh, federation, user:<id>, user:<tenant>:<id> or tenant:<id>'

/** The `--scope` option of commands on one entry. */
export function scopeOption(text: string, fallback?: string): Option {
  const option = new Option('-s, --scope <scope>', text)
  return fallback === undefined ? option : option.default(fallback)
}
