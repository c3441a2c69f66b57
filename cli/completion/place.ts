import type { Command, Option } from 'commander'

/** What stands at the cursor. */
export interface Place {
  /** The command that it belongs to. */
  readonly command: Command
  /** Its names, without `mesh`: `skill get`. */
  readonly path: string
  /** Arguments before it. */
  readonly index: number
  /** The option whose value it is. */
  readonly option: Option | undefined
  /** What was typed of options so far, by their names in the code; of a flag `true`. */
  readonly typed: Readonly<Record<string, string | true>>
  /** Whether a `--` stands before it, so that no option does. */
  readonly literal: boolean
}

/** Finds where the next word would stand. @param before words behind `mesh`, without quotes */
export function findPlace(program: Command, before: readonly string[]): Place {
  let command = program
  const path: string[] = []
  const typed: Record<string, string | true> = {}
  let index = 0
  let option: Option | undefined
  let literal = false
  for (const word of before) {
    if (option !== undefined) {
      typed[option.attributeName()] = word
      option = undefined
    } else if (!literal && word === '--') {
      literal = true
    } else if (!literal && word.startsWith('-') && word !== '-') {
      const [flag = '', ...value] = word.split('=')
      const found = command.options.find(({ long, short }) => long === flag || short === flag)
      if (found === undefined) continue
      if (!found.required) typed[found.attributeName()] = true
      else if (value.length > 0) typed[found.attributeName()] = value.join('=')
      else option = found
    } else {
      const child = index > 0 || literal ? undefined : childOf(command, word)
      if (child === undefined) index++
      else {
        command = child
        path.push(child.name())
      }
    }
  }
  return { command, path: path.join(' '), index, option, typed, literal }
}

/** The command of this name, or other name, below another. */
export function childOf(command: Command, name: string): Command | undefined {
  return command.commands.find((child) => child.name() === name || child.aliases().includes(name))
}
