import { parseArgs } from 'node:util'
import { type Question, SIZES, type Size } from './question.ts'

/** What the command was asked to do. */
export interface Options {
  readonly help: boolean
  readonly list: boolean
  /** Whether homes that were kept from earlier runs are made anew. */
  readonly fresh: boolean
  /** Whether to write the last report into the documents, and measure nothing. */
  readonly writeDocs: boolean
  readonly size: Size
  readonly questions: readonly Question[]
  /** Where the JSON goes, or undefined for the usual place. */
  readonly json: string | undefined
}

/** Arguments that make no sense; the message says which and why. */
export class UsageError extends Error {}

/**
 * Reads the command's arguments.
 * @param all every question there is
 * @throws {UsageError}
 */
export function parseOptions(args: readonly string[], all: readonly Question[]): Options {
  const { help, list, only, json, fresh, 'write-docs': writeDocs, ...sizes } = parse(args)
  return {
    help,
    list,
    fresh,
    writeDocs,
    json,
    size: sizeOf(sizes),
    questions: only === undefined ? all : chosen(only, all),
  }
}

function parse(args: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        tiny: flag,
        small: flag,
        full: flag,
        list: flag,
        fresh: flag,
        'write-docs': flag,
        help: flag,
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
      },
    }).values
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

function sizeOf(given: Readonly<Record<Size, boolean>>): Size {
  const [size = 'small', ...more] = SIZES.filter((one) => given[one])
  if (more.length > 0) throw new UsageError(`--${size} and --${more[0]} exclude each other`)
  return size
}

function chosen(names: readonly string[], all: readonly Question[]): Question[] {
  return names.map((name) => {
    const question = all.find((one) => one.name === name)
    if (question !== undefined) return question
    throw new UsageError(`--only: no question "${name}"; there are ${all.map((one) => one.name).join(', ')}`)
  })
}
