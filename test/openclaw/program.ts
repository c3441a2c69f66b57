import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { NODE } from './surroundings.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The longest that a command may take; the slowest is OpenClaw's memory search with some 5 s on an idle machine. */
const COMMAND_MS = 60_000

export interface RunInit {
  readonly env: NodeJS.ProcessEnv
  /** What the command reads; nothing by default. */
  readonly input?: string
}

/** Runs a command to its end, with Node 24. Never throws for what the command does. */
export function runNode(args: readonly string[], { env, input = '' }: RunInit): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env, timeout: COMMAND_MS, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(NODE, args, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr })
    })
    // A command that does not read its input may be gone before it is written.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** The one JSON document that a command prints. @throws with all that it said where it failed or printed another thing */
export function jsonOf(command: string, { code, stdout, stderr }: Ended): unknown {
  const said = `${command} ended with ${code}\n--- stdout\n${tail(stdout)}\n--- stderr\n${tail(stderr)}`
  if (code !== 0) throw new Error(said)
  try {
    return JSON.parse(stdout)
  } catch (cause) {
    throw new Error(`no JSON: ${said}`, { cause })
  }
}

/** A program that goes on until it is stopped. */
export interface Program {
  /** The end of what it has said so far, both streams. */
  said(): string
  /** @throws when it is no longer running, with what it said */
  check(): void
  /** SIGTERM, and waits for its end. Idempotent. @throws when it does not end in time (it is killed then) */
  stop(): Promise<void>
}

export interface ProgramInit {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** The file that takes what it says. */
  readonly log: string
  readonly stopMs: number
}

/** Starts a program with Node 24. It never outlives this process. */
export function startNode(name: string, { args, env, log, stopMs }: ProgramInit): Program {
  const output = openSync(log, 'a', 0o600)
  const child = spawn(NODE, args, { env, stdio: ['ignore', output, output] })
  const closed = once(child, 'close')
  // `check` tells of it; nothing waits for it before `stop`.
  closed.catch(() => {})
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('close', () => process.off('exit', kill))
  const said = () => tail(readFileSync(log, 'utf8'))
  const isOver = () => child.exitCode !== null || child.signalCode !== null

  return {
    said,
    check() {
      if (isOver()) throw new Error(`${name} has ended with ${child.exitCode ?? child.signalCode}:\n${said()}`)
    },
    async stop() {
      if (isOver()) return
      child.kill('SIGTERM')
      const impatient = setTimeout(kill, stopMs)
      await closed
      clearTimeout(impatient)
      if (child.signalCode === 'SIGKILL') throw new Error(`${name} did not stop within ${stopMs} ms:\n${said()}`)
    },
  }
}

/** As much as helps in a failed test. */
function tail(text: string): string {
  return text.length <= 6000 ? text : `…${text.slice(-6000)}`
}
