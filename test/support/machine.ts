import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type MeshClient } from '../../daemon/api/client.ts'
import { type Child, type Ended, startChild } from './child.ts'
import { until } from './until.ts'

/** For a daemon to answer, and to stop, on a machine that is busy with other tests; in milliseconds. */
const START_MS = 30_000
const STOP_MS = 20_000
/** For one command. */
const COMMAND_MS = 60_000

/** How a run of `mesh` went. */
export interface Ran {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What `mesh … --json` printed, beside its exit code. */
// biome-ignore lint/suspicious/noExplicitAny: a test says by what it expects what the document is.
export type Printed = Record<string, any> & { readonly exit: number | null }

/** A machine of a mesh: a home of its own, a real daemon on it that can be stopped and killed, and the `mesh` command. */
export interface Machine {
  readonly name: string
  readonly home: string
  /** Over the unix socket; works across restarts. */
  readonly client: MeshClient
  /** Starts the daemon and waits until its API answers. Returns how long that took, in milliseconds. */
  start(env?: Readonly<Record<string, string>>): Promise<number>
  /** Starts the daemon without waiting for anything. */
  launch(env?: Readonly<Record<string, string>>): Child
  /** SIGTERM. Resolves with its exit code, what it said and how long it took, when it has ended. */
  stop(): Promise<Ended & { readonly ms: number }>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Runs `mesh` as a process. Never throws for what the command does. */
  mesh(args: readonly string[], init?: MeshRunInit): Promise<Ran>
  /** Runs `mesh … --json` and gives the document. @throws when stdout is not one JSON document */
  json(args: readonly string[], init?: MeshRunInit): Promise<Printed>
  /** All that its daemons have said. */
  said(): string
  /** Kills the daemon where it runs, and removes the home. */
  remove(): Promise<void>
}

export interface MeshRunInit {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
}

export interface MachineInit {
  /** The home; a new one in the system's folder for temporary files where absent. */
  readonly home?: string
  /** For every start of its daemon. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Makes a machine; its daemon is not started. Unless `env` says otherwise it listens on free ports of loopback; the one
 * for peers stays the same from its first start on.
 */
export async function makeMachine(name: string, init: MachineInit = {}): Promise<Machine> {
  const home = init.home ?? (await mkdtemp(join(tmpdir(), `mesh-${name}-`)))
  const base = {
    HOME: home,
    MESH_HOME: home,
    MESH_NODE_ID: name,
    MESH_API_PORT: '0',
    MESH_P2P_PORT: '0',
    MESH_P2P_HOST: '127.0.0.1',
    MESH_LOG_LEVEL: 'debug',
    ...init.env,
  }
  const client = createClient({ home })
  const before: string[] = []
  let child: Child | undefined
  let p2pPort: string | undefined

  function launch(env: Readonly<Record<string, string>> = {}): Child {
    if (child?.isRunning()) throw new Error(`the daemon of ${name} runs already`)
    if (child !== undefined) before.push(child.said())
    // As on a real machine, it is found where it was before.
    const port = p2pPort === undefined ? {} : { MESH_P2P_PORT: p2pPort }
    child = startChild('daemon/main.ts', [], { env: { ...base, ...port, ...env } })
    return child
  }

  async function start(env?: Readonly<Record<string, string>>): Promise<number> {
    const began = performance.now()
    const started = launch(env)
    const check = () => {
      if (!started.isRunning()) throw new Error(`the daemon of ${name} has ended:\n${started.said()}`)
    }
    const look = () => client.status({ timeoutMs: START_MS })
    const { addresses } = await until(`the daemon of ${name} answers`, look, { ms: START_MS, check })
    const ms = performance.now() - began
    p2pPort ??= /\/tcp\/(\d+)/.exec(addresses[0] ?? '')?.[1]
    return ms
  }

  async function stop() {
    if (child === undefined) throw new Error(`the daemon of ${name} was never started`)
    const began = performance.now()
    child.signal('SIGTERM')
    const stopping = child
    const impatient = setTimeout(() => stopping.signal('SIGKILL'), STOP_MS)
    const ended = await child.ended
    clearTimeout(impatient)
    return { ...ended, ms: performance.now() - began }
  }

  async function kill(): Promise<void> {
    child?.signal('SIGKILL')
    await child?.ended
  }

  async function mesh(args: readonly string[], { input = '', env = {} }: MeshRunInit = {}): Promise<Ran> {
    const ran = startChild('cli/main.ts', args, {
      env: { HOME: home, MESH_HOME: home, ...env },
      input,
      timeoutMs: COMMAND_MS,
    })
    const { code, stdout, stderr } = await ran.ended
    return { exit: code, stdout, stderr }
  }

  async function json(args: readonly string[], init?: MeshRunInit): Promise<Printed> {
    const { exit, stdout, stderr } = await mesh(['--json', ...args], init)
    try {
      return { ...JSON.parse(stdout), exit }
    } catch (cause) {
      const message = `mesh ${args.join(' ')} on ${name} ended with ${exit} and printed no JSON: ${stdout}\n${stderr}`
      throw new Error(message, { cause })
    }
  }

  async function remove(): Promise<void> {
    await kill()
    client.close()
    await rm(home, { recursive: true, force: true })
  }

  const said = () => [...before, child?.said() ?? ''].join('\n--- started again\n')
  return { name, home, client, start, launch, stop, kill, mesh, json, said, remove }
}
