import { EXIT } from './exit-codes.ts'
import { runMesh } from './run.ts'

/** How long a command may take to end in good order after Ctrl-C: one that waits for input never would. */
const GRACE_MS = 500

/**
 * Runs the command line of this process. Ctrl-C interrupts in good order, a second one at once; a reader that has had
 * enough (`mesh ls | head`) ends it quietly; output that cannot be written (a full disk) makes it fail.
 */
export async function runProcess(): Promise<void> {
  const interruption = new AbortController()
  process.on('SIGINT', () => {
    if (interruption.signal.aborted) process.exit(EXIT.interrupted)
    interruption.abort(new Error('interrupted'))
    setTimeout(() => process.exit(EXIT.interrupted), GRACE_MS).unref()
  })
  const { stdin, stdout, stderr, env } = process
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok)
      // Nothing written after this would arrive either.
      if (stream === stdout) stderr.write(`error: cannot write the output: ${error.message}\n`)
      process.exit(EXIT.failure)
    })
  }
  const signal = interruption.signal
  process.exitCode = await runMesh(process.argv.slice(2), { stdin, stdout, stderr, env, signal, now: Date.now })
}
