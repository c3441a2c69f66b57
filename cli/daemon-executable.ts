import { spawn } from 'node:child_process'
import { extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Context } from './context.ts'
import { CliError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { exitOfCode } from './failure.ts'

/** The daemon's executable beside this command: TypeScript from source, JavaScript as built. */
const DAEMON_MAIN = fileURLToPath(new URL(`../daemon/main${extname(import.meta.url)}`, import.meta.url))

/**
 * Runs the daemon's executable for what it does without running as a daemon, and gives the document that it prints.
 * @throws {CliError} with the daemon's own code when it says `ok: false`, or nothing that can be read
 */
export async function askExecutable<T>(context: Context, flag: '--init' | '--check-config'): Promise<T> {
  const { env, signal } = context
  const child = spawn(process.execPath, [DAEMON_MAIN, flag, '--json'], {
    env,
    signal,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [code, printed, said] = await Promise.all([exited, text(child.stdout), text(child.stderr)])
  const answer = parseAnswer<T>(printed)
  if (answer === undefined) {
    const message = `openclaw-meshd ${flag} ended with code ${code}: ${faultIn(said)}`
    throw new CliError(message, { type: 'DAEMON_FAILED', exit: EXIT.failure })
  }
  if (answer.ok) return answer
  const { type, message, field, hint } = answer.error
  throw new CliError(message, { type, exit: exitOfCode(type), ...(field ? { field } : {}), ...(hint ? { hint } : {}) })
}

type Answer<T> =
  | (T & { readonly ok: true })
  | { readonly ok: false; readonly error: { type: string; message: string; field?: string; hint?: string } }

function parseAnswer<T>(printed: string): Answer<T> | undefined {
  try {
    const answer = JSON.parse(printed) as Answer<T> | null
    return typeof answer?.ok === 'boolean' ? answer : undefined
  } catch {
    return undefined
  }
}

/** The line of a program's last words that says most: the error's, above its stack trace. */
function faultIn(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing'
}
