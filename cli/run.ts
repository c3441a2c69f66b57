import type { Command } from 'commander'
import { CommanderError } from 'commander'
import { type Act, settingsOf } from './command.ts'
import { createContext, type Surroundings } from './context.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { type Failure, failureOf } from './failure.ts'
import { createPaint, escapeBlock, takesColor } from './output/index.ts'
import { createProgram } from './program.ts'

/**
 * Runs the command line: parses, works, says what happened, and resolves with the exit code. It never rejects and
 * never ends the process.
 * @param argv what was typed behind `mesh`
 */
export async function runMesh(argv: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok
  const act: Act = (handler) =>
    async function (this: Command) {
      const context = createContext(surroundings, settingsOf(this))
      try {
        // Each command declares the options that it registers; the parser knows them by name only.
        exit = (await handler(context, { args: this.processedArgs, options: this.opts() as never })) ?? exit
      } finally {
        context.out.progress.clear()
      }
    }
  try {
    const program = createProgram(act, surroundings)
    // `mesh` alone asks what there is; the parser would call it an error.
    if (argv.length === 0) program.outputHelp()
    else await program.parseAsync(argv, { from: 'user' })
    return surroundings.signal.aborted ? report(INTERRUPTED, argv, surroundings) : exit
  } catch (error) {
    // Help and version are "errors" to the parser; they were printed and are what was asked for.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    return report(surroundings.signal.aborted ? INTERRUPTED : failureOf(error), argv, surroundings)
  }
}

const INTERRUPTED: Failure = { exit: EXIT.interrupted, type: 'INTERRUPTED', message: 'interrupted' }

function report(failure: Failure, argv: readonly string[], { stdout, stderr, env }: Surroundings): ExitCode {
  const { exit, told, stack, ...error } = failure
  // The parser may have failed before it saw the options, so they are looked for by hand.
  const ours = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  if (ours.includes('--json')) stdout.write(`${JSON.stringify({ ok: false, error }, null, 2)}\n`)
  if (told) return exit
  const paint = createPaint(takesColor(stderr, env) && !ours.includes('--no-color'))
  stderr.write(`${paint.red('error:')} ${escapeBlock(error.message)}\n`)
  if (stack !== undefined) stderr.write(`${paint.dim(escapeBlock(stack))}\n`)
  if (error.hint !== undefined) stderr.write(`${paint.dim('hint:')} ${escapeBlock(error.hint)}\n`)
  return exit
}
