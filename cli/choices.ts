import type { ResolveBody } from '../daemon/api/client.ts'
import { type Conflict, placeName } from './conflict-table.ts'
import { CliError, usageError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

/** What was typed for one place: a value of its own, or the number of one of those in conflict. */
export type Choice = { readonly path?: string } & ({ readonly value: string } | { readonly pick: number })

/** Takes `--path`, `--value` and `--pick` in the order in which they were typed, for they belong together by it. */
export interface ChoiceReader {
  path(text: string): string
  value(text: string): string
  pick(text: string): number
  /** @throws {CliError} where the last `--path` has neither value nor number */
  finish(): readonly Choice[]
}

export type Resolution = NonNullable<ResolveBody['resolutions']>[0]

/** Makes the reader of one command line. */
export function createChoiceReader(): ChoiceReader {
  const choices: Choice[] = []
  let open: string | undefined
  const needsNone = (): void => {
    if (open === undefined) return
    throw usageError('--path', `--path ${JSON.stringify(open)} has neither --value nor --pick behind it`)
  }
  const close = (choice: { value: string } | { pick: number }): void => {
    choices.push(open === undefined ? choice : { path: open, ...choice })
    open = undefined
  }
  return {
    path(text) {
      needsNone()
      open = text
      return text
    },
    value(text) {
      close({ value: text })
      return text
    },
    pick(text) {
      if (!/^[1-9]\d{0,5}$/.test(text)) {
        throw usageError(
          '--pick',
          `--pick: ${JSON.stringify(text)} is no number`,
          'mesh conflicts KEY numbers the values',
        )
      }
      close({ pick: Number(text) })
      return Number(text)
    },
    finish() {
      needsNone()
      return choices
    },
  }
}

/**
 * What the choices come to, for these conflicts.
 * @param readValue of the text behind `--value`
 * @throws {CliError} where a place or a number is none of theirs, or a place was chosen for twice
 */
export function resolutionsOf(
  choices: readonly Choice[],
  conflicts: readonly Conflict[],
  readValue: (typed: string) => unknown,
): Resolution[] {
  const seen = new Set<string>()
  return choices.map((choice) => {
    const conflict = conflictFor(choice, conflicts)
    const { path, values } = conflict
    if (seen.has(path)) throw usageError('--path', `--path: ${placeName(path)} is given twice`)
    seen.add(path)
    if ('value' in choice) return { path, value: readValue(choice.value) as Resolution['value'] }
    const picked = values[choice.pick - 1]
    if (picked !== undefined) return { path, value: picked.value }
    throw usageError('--pick', `--pick: ${placeName(path)} has only ${values.length} values`)
  })
}

function conflictFor({ path }: Choice, conflicts: readonly Conflict[]): Conflict {
  const [only, another] = conflicts
  if (path === undefined && another !== undefined) {
    const places = conflicts.slice(0, 5).map((conflict) => placeName(conflict.path))
    throw usageError(
      '--path',
      `${conflicts.length} places are in conflict, and --path is missing`,
      `they are ${places.join(', ')}${conflicts.length > places.length ? ', …' : ''}`,
    )
  }
  const found = path === undefined ? only : conflicts.find((conflict) => conflict.path === path)
  if (found !== undefined) return found
  const where = path === undefined ? 'the entry is in no conflict' : `nothing is in conflict at ${placeName(path)}`
  const hint = 'somebody may have resolved it meanwhile: mesh conflicts KEY'
  throw new CliError(where, { type: 'CONFLICT_UNKNOWN', exit: EXIT.refused, field: '--path', hint })
}
