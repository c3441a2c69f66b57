import { EXIT, type ExitCode } from './exit-codes.ts'

export interface CliErrorInit {
  /** Stable, upper case; what `--json` gives as `type`. */
  type: string
  exit: ExitCode
  /** The argument or option at fault. */
  field?: string
  /** The way out, one sentence. */
  hint?: string
  cause?: unknown
}

/** A failure that the command itself found, before or beside the daemon. */
export class CliError extends Error {
  readonly type: string
  readonly exit: ExitCode
  readonly field: string | undefined
  readonly hint: string | undefined

  constructor(message: string, { type, exit, field, hint, cause }: CliErrorInit) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CliError'
    this.type = type
    this.exit = exit
    this.field = field
    this.hint = hint
  }
}

/** Wrong use: the argument or option `field` is missing or makes no sense. */
export function usageError(field: string, message: string, hint?: string): CliError {
  return new CliError(message, { type: 'USAGE', exit: EXIT.usage, field, ...(hint === undefined ? {} : { hint }) })
}

/** Input that no daemon would take, found here already. */
export function inputError(field: string, message: string, hint?: string): CliError {
  return new CliError(message, {
    type: 'INPUT_INVALID',
    exit: EXIT.refused,
    field,
    ...(hint === undefined ? {} : { hint }),
  })
}
