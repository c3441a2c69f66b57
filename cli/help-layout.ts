import type { Argument, Command, Help, HelpConfiguration, Option } from 'commander'
import { COMMON_OPTIONS } from './command.ts'
import { createPaint } from './output/index.ts'

type Section = readonly [heading: string, items: readonly string[]]

/**
 * Help in the order in which people look: usage, what it is for, commands, arguments, options; those that every
 * command takes come last. The parser strips the colours where the stream takes none.
 */
export const HELP_LAYOUT: HelpConfiguration = {
  styleTitle: createPaint(true).bold,
  subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(argumentInUsage)].join(' '),
  commandUsage: (command) => {
    const names: string[] = []
    for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name())
    return `${names.join(' ')} ${command.usage()}`
  },
  formatHelp,
}

function formatHelp(command: Command, helper: Help): string {
  const width = helper.padWidth(command, helper)
  const item = (term: string, text: string): string => helper.formatItem(term, width, text, helper)
  const describeCommand = (each: Command) => item(helper.subcommandTerm(each), helper.subcommandDescription(each))
  const describeArgument = (each: Argument) => item(helper.argumentTerm(each), helper.argumentDescription(each))
  const describeOption = (each: Option) => item(helper.optionTerm(each), helper.optionDescription(each))

  const groups = Map.groupBy(helper.visibleOptions(command), (option) => option.helpGroupHeading ?? 'Options:')
  const sections: Section[] = [
    ...[...Map.groupBy(helper.visibleCommands(command), (each) => each.helpGroup() || 'Commands:')].map(
      ([heading, list]): Section => [heading, list.map(describeCommand)],
    ),
    ['Arguments:', helper.visibleArguments(command).map(describeArgument)],
    ...['Options:', COMMON_OPTIONS].map(
      (heading): Section => [heading, (groups.get(heading) ?? []).map(describeOption)],
    ),
  ]
  const text = sections.flatMap(([heading, items]) => helper.formatItemList(heading, [...items], helper))
  const purpose = helper.boxWrap(helper.commandDescription(command), helper.helpWidth ?? 80)
  return [`${helper.styleTitle('Usage:')} ${helper.commandUsage(command)}`, '', purpose, '', ...text].join('\n')
}

function argumentInUsage(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}
