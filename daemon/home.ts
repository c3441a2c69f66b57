import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { MeshError } from '../crdt/errors.ts'

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Where everything of one node lies. All paths are absolute. */
export interface HomeLayout {
  /** OpenClaw's state folder, `~/.openclaw` where nothing else is said. */
  readonly home: string
  /** `<home>/mesh`: what agents read. */
  readonly meshDir: string
  /** `<home>/meshd`: the daemon's own; 0700. */
  readonly meshdDir: string
  /** The Level database. */
  readonly databasePath: string
  /** The search index; derived, and may be thrown away. */
  readonly searchPath: string
  /** `config.json5`; need not exist. */
  readonly configPath: string
  /** The bearer token for TCP; 0600. */
  readonly tokenPath: string
  /** The agents' token; 0600. */
  readonly agentTokenPath: string
  /** The store API's unix socket; in a 0700 folder that holds nothing that must last. */
  readonly socketPath: string
}

/** Linux takes 107 bytes in a socket's path, macOS 103; the rest is left for a suffix. */
const MAX_SOCKET_PATH_BYTES = 100

/**
 * OpenClaw's state folder as this environment has it: `MESH_HOME`, else `OPENCLAW_STATE_DIR`, else
 * `$OPENCLAW_HOME/.openclaw`, else `~/.openclaw`. A leading `~` is expanded, a relative path is made absolute, an
 * empty variable counts as none.
 *
 * @throws {MeshError} `HOME_INVALID` where a path holds NUL, which no file system takes
 */
export function resolveHome(env: Environment = process.env): string {
  const given: readonly (readonly [string, string])[] = [
    ['MESH_HOME', ''],
    ['OPENCLAW_STATE_DIR', ''],
    ['OPENCLAW_HOME', '.openclaw'],
  ]
  for (const [variable, below] of given) {
    const value = env[variable]
    if (value === undefined || value.trim() === '') continue
    if (value.includes('\0'))
      throw new MeshError('HOME_INVALID', `${variable}: holds a NUL character`, { field: variable })
    return resolve(expandTilde(value.trim(), env), below)
  }
  return join(userHome(env), '.openclaw')
}

/** The files and folders of the node whose OpenClaw state folder is `home`. Touches nothing. */
export function layoutOf(home: string): HomeLayout {
  const root = resolve(home)
  const meshdDir = join(root, 'meshd')
  return {
    home: root,
    meshDir: join(root, 'mesh'),
    meshdDir,
    databasePath: join(meshdDir, 'db'),
    searchPath: join(meshdDir, 'search.sqlite'),
    configPath: join(meshdDir, 'config.json5'),
    tokenPath: join(meshdDir, 'token'),
    agentTokenPath: join(meshdDir, 'agent-token'),
    socketPath: socketPathOf(meshdDir),
  }
}

/**
 * `meshd/api.sock`, or where that is longer than a socket's address may be, a path that is made from the home and the
 * user alone. Neither `TMPDIR` nor `XDG_RUNTIME_DIR` go into it: a service and a shell see different ones, and both
 * must come to the same path.
 */
function socketPathOf(meshdDir: string): string {
  const path = join(meshdDir, 'api.sock')
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const name = createHash('sha256').update(realPathOf(meshdDir)).digest('hex').slice(0, 16)
  return join('/tmp', `openclaw-meshd-${process.getuid?.() ?? 0}-${name}`, 'api.sock')
}

/** The path with symbolic links followed as far as it exists, so that two spellings of one folder agree. */
function realPathOf(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(realPathOf(parent), basename(path))
}

function expandTilde(path: string, env: Environment): string {
  if (path === '~') return userHome(env)
  return path.startsWith('~/') ? join(userHome(env), path.slice(2)) : path
}

function userHome(env: Environment): string {
  const home = env['HOME']
  return home === undefined || home === '' ? homedir() : home
}
