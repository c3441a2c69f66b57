import { createInterface } from 'node:readline/promises'
import type { Context } from './context.ts'
import { usageError } from './errors.ts'

/** Whether someone is there to answer. */
export function canAsk({ stdin, stderr, settings }: Pick<Context, 'stdin' | 'stderr' | 'settings'>): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && !settings.json
}

/** Asks for one line on the terminal; undefined when the input ends, or the user interrupts, before it is given. */
export async function ask(context: Context, question: string): Promise<string | undefined> {
  const { stdin, stderr, signal } = context
  const reader = createInterface({ input: stdin, output: stderr, terminal: true })
  const ended = new AbortController()
  reader.once('close', () => ended.abort())
  // The terminal is in raw mode meanwhile: Ctrl-C comes as a key, and is passed on as what it means elsewhere.
  reader.once('SIGINT', () => {
    reader.close()
    process.kill(process.pid, 'SIGINT')
  })
  try {
    return await reader.question(question, { signal: AbortSignal.any([signal, ended.signal]) })
  } catch (error) {
    if (ended.signal.aborted || signal.aborted) return undefined
    throw error
  } finally {
    reader.close()
  }
}

/**
 * Makes sure that the user means it: asks on a terminal, takes `--yes` elsewhere.
 * @returns false when the user said no
 * @throws {CliError} where nobody can be asked and `--yes` is missing
 */
export async function confirm(context: Context, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true
  if (!canAsk(context)) {
    throw usageError('--yes', 'this needs your consent, and there is no terminal to ask on', 'give --yes')
  }
  const answer = await ask(context, `${question} [y/N] `)
  if (answer === undefined) context.out.note('')
  return /^\s*y(es)?\s*$/i.test(answer ?? '')
}
