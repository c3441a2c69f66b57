import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BIN = join(ROOT, 'node_modules/.bin')
/** Where Node keeps what it made of the sources: a suite starts the same programs a hundred times. */
const COMPILED = join(ROOT, '.cache/compiled')
/** For the environment of a child whose start is measured: as if it had never been started before. */
export const UNCOMPILED = { NODE_DISABLE_COMPILE_CACHE: '1' } as const

/** How a process ended: `code` is null where a signal ended it. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A Node process of the project's own, with everything that it says kept. */
export interface Child {
  readonly pid: number
  /** Both streams so far, as they came. */
  said(): string
  stdout(): string
  readonly ended: Promise<Ended>
  isRunning(): boolean
  signal(name: NodeJS.Signals): void
}

export interface ChildInit {
  /** The whole environment; only PATH and what makes Node start faster are added. */
  readonly env: Readonly<Record<string, string>>
  /** What comes on standard input; nothing by default. */
  readonly input?: string | Uint8Array
  /** Another user to run as; needs root. */
  readonly uid?: number
  /** After so many milliseconds it is killed. Never by default. */
  readonly timeoutMs?: number
}

/** Those that run; none outlives this process. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a program of the project (`daemon/main.ts`) with the Node that runs this. */
export function startChild(program: string, args: readonly string[], init: ChildInit): Child {
  const { env, input = '', uid, timeoutMs } = init
  const child = spawn(process.execPath, [join(ROOT, program), ...args], {
    env: { PATH: [BIN, process.env['PATH']].join(delimiter), NODE_COMPILE_CACHE: COMPILED, ...env },
    stdio: 'pipe',
    ...(uid === undefined ? {} : { uid }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
  })
  let [said, stdout, stderr] = ['', '', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    stderr += text
  })
  running.add(child)
  const ended = once(child, 'close').then((): Ended => {
    running.delete(child)
    return { code: child.exitCode, signal: child.signalCode, stdout, stderr }
  })
  // Whoever does not read its input may be gone before it is written.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return {
    pid: child.pid ?? 0,
    said: () => said,
    stdout: () => stdout,
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    signal: (name) => void child.kill(name),
  }
}
