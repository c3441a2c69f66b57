import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient, layoutOf, type MeshClient } from '../daemon/api/client.ts'
import { atExit } from './at-exit.ts'
import { callsOf, programPath } from './child.ts'
import { temporaryFolder } from './folder.ts'
import type { VitalSigns } from './vitals.ts'

const DAEMON_MAIN = programPath(new URL('../daemon/main.ts', import.meta.url))
/** Loaded into the daemon's process before it, to be asked how that fares. */
const PROBE = programPath(new URL('./daemon-probe.ts', import.meta.url))
/** Options of Node, as `bin/openclaw-meshd` gives them. */
export const DAEMON_OPTIONS = ['--max-semi-space-size=4']
const STOP_MS = 20_000
/** A daemon is quiet when so many looks in a row find it so; the file view waits up to a second before it writes. */
const CALM_LOOKS = 12
const LOOK_MS = 100

/** A real daemon as a process of its own. */
export interface DaemonProcess {
  readonly client: MeshClient
  /** `http://127.0.0.1:…` */
  readonly url: string
  /** For {@link url}. */
  readonly token: string
  /** Resolves when it has nothing left to do, such as files to write: they would slow down what is measured next. */
  quiet(): Promise<void>
  /** From the start of the process until it said that it is ready, in milliseconds. */
  readonly readyMs: number
  /** What its process did while `work` was done. */
  during(work: () => Promise<unknown>): Promise<VitalSigns>
  /** Its home, if it was made for it, goes as well. */
  stop(): Promise<void>
}

/** What differs from the defaults that a user has. */
export interface DaemonProcessInit {
  readonly nodeId: string
  /** Whether it keeps the files that agents read; it does by default. */
  readonly fileView?: boolean
  /** Whether it keeps a search index; it does by default. */
  readonly search?: boolean
  /** Whether it looks for secrets; it does by default. */
  readonly guard?: boolean
  /** A home that is there already, in place of a new one. */
  readonly home?: string
}

/**
 * Starts daemons at once, each in a home of its own on free ports of loopback, and waits until all say that they are
 * ready. They are stopped with `parts`.
 */
export async function startDaemons<const I extends readonly DaemonProcessInit[]>(
  parts: AsyncDisposableStack,
  inits: I,
): Promise<{ [K in keyof I]: DaemonProcess }> {
  const results = await Promise.allSettled(inits.map((init) => startDaemon(init)))
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  for (const daemon of started) parts.defer(() => daemon.stop())
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  if (reasons.length > 0) throw new AggregateError(reasons, 'a daemon did not start')
  return started as { [K in keyof I]: DaemonProcess }
}

/** Starts one daemon, as {@link startDaemons}; its caller stops it. */
export async function startDaemon(init: DaemonProcessInit): Promise<DaemonProcess> {
  const { nodeId, fileView = true, search = true, guard = true, home: given } = init
  const home = given === undefined ? await temporaryFolder() : { path: given, remove: async () => {} }
  const settings = {
    MESH_HOME: home.path,
    MESH_NODE_ID: nodeId,
    MESH_API_PORT: '0',
    MESH_P2P_PORT: '0',
    MESH_P2P_HOST: '127.0.0.1',
    MESH_LOG_LEVEL: 'error',
    MESH_FILES_ENABLED: String(fileView),
    MESH_SEARCH_ENABLED: String(search),
    MESH_SECRETS_GUARD: String(guard),
  }
  const began = performance.now()
  const child = spawn(process.execPath, [...DAEMON_OPTIONS, '--import', PROBE, DAEMON_MAIN], {
    // Profiling options and the like, given to the bench, hold for its daemons too.
    env: { ...settings, ...pick(process.env, ['NODE_OPTIONS', 'TMPDIR']) },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const { call, ended } = callsOf<typeof import('./daemon-probe.ts').methods>(child, 'the daemon')
  // A daemon outlives whoever started it.
  void ended.then(atExit(() => child.kill('SIGKILL')))
  const stop = async () => {
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    child.kill('SIGTERM')
    await ended
    clearTimeout(kill)
    await home.remove()
  }
  try {
    await ready(child.stdout as NodeJS.ReadableStream, ended)
    const readyMs = performance.now() - began
    const client = createClient({ home: home.path })
    const url = (await client.status()).api.url
    if (url === null) throw new Error('the daemon does not listen on TCP')
    const token = (await readFile(layoutOf(home.path).tokenPath, 'utf8')).trim()
    return {
      client,
      url,
      token,
      readyMs,
      quiet: () => quiet(child.pid ?? 0),
      async during(work) {
        await call('watch')
        await work()
        return call('watched')
      },
      stop() {
        client.close()
        return stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function ready(stdout: NodeJS.ReadableStream, ended: Promise<void>): Promise<void> {
  const said = new Promise<void>((resolve) => {
    let text = ''
    stdout.on('data', (chunk) => {
      text += chunk
      if (/^ready$/m.test(text)) resolve()
    })
  })
  const failed = ended.then(() => {
    throw new Error('the daemon ended before it was ready')
  })
  await Promise.race([said, failed])
}

/** Waits until a process has used next to no CPU for a while; a fixed time where the system does not tell. */
async function quiet(pid: number): Promise<void> {
  let calm = 0
  for (let before = await cpuTicks(pid); calm < CALM_LOOKS; ) {
    await delay(LOOK_MS)
    const now = await cpuTicks(pid)
    // A tick is 10 ms.
    calm = now - before <= 1 ? calm + 1 : 0
    before = now
  }
}

/** User and system time, worker threads included, in ticks; always 0 on systems other than Linux. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name, in brackets, may hold spaces; user and system time are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
}

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
