import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createClient } from '../daemon/api/client.ts'
import type { Surroundings } from './context.ts'
import type { ExitCode } from './exit-codes.ts'
import { runMesh } from './run.ts'

/** How a run went. */
export interface Ran {
  readonly exit: ExitCode
  readonly stdout: string
  readonly stderr: string
}

export interface RunInit {
  readonly env?: Record<string, string>
  /** What comes on standard input. */
  readonly input?: string | Uint8Array
  /** Whether everything is a terminal of so many columns. */
  readonly terminal?: number
  readonly signal?: AbortSignal
}

class Sink extends Writable {
  text = ''
  readonly isTTY: boolean
  readonly columns: number | undefined

  constructor(columns: number | undefined) {
    super({ decodeStrings: false })
    this.isTTY = columns !== undefined
    this.columns = columns
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

/** Runs `mesh` with these arguments in this process, on streams of its own. */
export async function run(argv: readonly string[], init: RunInit = {}): Promise<Ran> {
  const { env = {}, input = '', terminal, signal = new AbortController().signal } = init
  const [stdout, stderr] = [new Sink(terminal), new Sink(terminal)]
  const stdin = terminal === undefined ? Readable.from([Buffer.from(input)]) : typist(input)
  const surroundings: Surroundings = { stdin, stdout, stderr, env, signal, now: Date.now }
  const exit = await runMesh(argv, surroundings)
  return { exit, stdout: stdout.text, stderr: stderr.text }
}

/** A keyboard on which all is typed at once. */
function typist(input: string | Uint8Array): Surroundings['stdin'] {
  const keys = Object.assign(new PassThrough(), { isTTY: true })
  keys.end(input)
  return keys
}

/** A folder that is there while the callback works. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-cli-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A daemon of its own home, as a process, and the command line that talks to it. */
export interface TestDaemon {
  readonly home: string
  run(argv: readonly string[], init?: RunInit): Promise<Ran>
  /** Runs with `--json` and gives the document. */
  json(argv: readonly string[], init?: RunInit): Promise<Record<string, unknown> & { readonly exit: ExitCode }>
  stop(): Promise<void>
}

const DAEMON_MAIN = fileURLToPath(new URL('../daemon/main.ts', import.meta.url))
const START_MS = 15_000
const STOP_MS = 10_000

/** Starts a daemon on free ports of loopback, in a new home, and waits until it answers. */
export async function startDaemon(nodeId: string): Promise<TestDaemon> {
  const home = await mkdtemp(join(tmpdir(), 'mesh-cli-'))
  const env = { ...daemonEnv(home), MESH_NODE_ID: nodeId }
  const child = spawn(process.execPath, [DAEMON_MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    child.kill('SIGTERM')
    await ended
    clearTimeout(kill)
    await rm(home, { recursive: true, force: true })
  }
  const client = createClient({ home })
  for (const deadline = Date.now() + START_MS; ; await delay(25)) {
    if (await client.health().catch(() => undefined)) break
    if (child.exitCode === null && Date.now() < deadline) continue
    await stop()
    throw new Error(`the daemon does not answer: ${said}`)
  }
  client.close()
  const runHere: TestDaemon['run'] = (argv, init = {}) => run(argv, { ...init, env: { MESH_HOME: home, ...init.env } })
  return {
    home,
    stop,
    run: runHere,
    json: async (argv, init) => {
      const { exit, stdout } = await runHere([...argv, '--json'], init)
      return { exit, ...(JSON.parse(stdout) as object) }
    },
  }
}

/** What a daemon, or its executable, needs of the environment in a test. */
export function daemonEnv(home: string): Record<string, string> {
  return { MESH_HOME: home, MESH_API_PORT: '0', MESH_P2P_PORT: '0', MESH_P2P_HOST: '127.0.0.1', MESH_LOG_LEVEL: 'warn' }
}
