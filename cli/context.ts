import { readFileSync } from 'node:fs'
import {
  ApiError,
  createClient,
  type Environment,
  type HomeLayout,
  layoutOf,
  type MeshClient,
  resolveHome,
} from '../daemon/api/client.ts'
import { CliError, usageError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import type { InputStream } from './input.ts'
import { createOutput, type Output, type OutputStream } from './output/index.ts'

/** The process around a run, or what a test gives for it. */
export interface Surroundings {
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Environment
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal
  /** Wall clock, Unix milliseconds. */
  readonly now: () => number
}

/** The options that every command takes. */
export interface Settings {
  readonly json: boolean
  readonly color: boolean
  readonly home?: string
  readonly url?: string
  readonly tokenFile?: string
}

/** What a command works with. */
export interface Context extends Surroundings {
  readonly out: Output
  readonly settings: Settings
  /** Where the node's files lie; on this machine, whatever `--url` says. */
  readonly layout: HomeLayout
  /** The daemon's API; made at the first call, nothing is asked of the daemon by that. */
  client(): MeshClient
  /** Unix seconds. */
  seconds(): number
  /** @throws {CliError} when `--url` points the command elsewhere, for what is done on this machine's files */
  mustBeLocal(what: string): void
}

/** Makes the context of one command. `env` of it knows `--home` as `MESH_HOME`. */
export function createContext(surroundings: Surroundings, settings: Settings): Context {
  const { stdout, stderr, now } = surroundings
  const env = settings.home === undefined ? surroundings.env : { ...surroundings.env, MESH_HOME: settings.home }
  const layout = layoutOf(resolveHome(env))
  let client: MeshClient | undefined
  return {
    ...surroundings,
    env,
    settings,
    layout,
    out: createOutput({
      stdout,
      stderr,
      env,
      json: settings.json,
      color: settings.color,
      clock: () => performance.now(),
    }),
    client() {
      client ??= openClient(layout, env, settings)
      return client
    },
    seconds: () => Math.floor(now() / 1000),
    mustBeLocal(what) {
      if (settings.url === undefined) return
      throw usageError('--url', `${what} is about files of this machine, so --url makes no sense here`)
    },
  }
}

function openClient(layout: HomeLayout, env: Environment, settings: Settings): MeshClient {
  const init = { home: layout.home, env, ...remote(settings) }
  try {
    return createClient(init)
  } catch (error) {
    // The address is all that can be wrong with it.
    if (error instanceof ApiError) throw usageError('--url', `--${error.message}`, error.hint)
    throw error
  }
}

function remote({ url, tokenFile }: Settings): { url?: string; token?: string } {
  if (url === undefined) {
    if (tokenFile === undefined) return {}
    throw usageError('--token-file', '--token-file goes with --url: the unix socket needs no token')
  }
  return tokenFile === undefined ? { url } : { url, token: readTokenFile(tokenFile) }
}

function readTokenFile(path: string): string {
  const field = '--token-file'
  try {
    const token = readFileSync(path, 'utf8').trim()
    if (token !== '') return token
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
    throw new CliError(`--token-file: ${path} ${why}`, { type: 'TOKEN_UNREADABLE', exit: EXIT.auth, field, cause })
  }
  throw new CliError(`--token-file: ${path} is empty`, { type: 'TOKEN_UNREADABLE', exit: EXIT.auth, field })
}
