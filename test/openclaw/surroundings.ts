import { once } from 'node:events'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BIN = join(ROOT, 'node_modules/.bin')
/** The project's own Node 24, whatever the machine has. */
export const NODE = join(BIN, 'node')

const KEPT = ['LANG', 'LC_ALL', 'TERM', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'TZ'] as const
const PROXIES = /^(https?|no)_proxy$|^NODE_EXTRA_CA_CERTS$/i

/**
 * The environment of a user's shell, with Node 24 first on its path and no home: OpenClaw behaves otherwise where it
 * sees a test runner, and nothing that is started may find a gateway, a mesh or an npm script of whoever runs the suite.
 */
export function userEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { PATH: [BIN, process.env['PATH']].join(delimiter) }
  for (const [name, value] of Object.entries(process.env)) {
    if (KEPT.some((kept) => kept === name) || PROXIES.test(name)) env[name] = value
  }
  return env
}

/** So many ports of 127.0.0.1 that nobody listens on, all distinct. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  try {
    await Promise.all(servers.map((server) => once(server, 'listening')))
    return servers.map((server) => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('impossible: a TCP server without a port')
      return address.port
    })
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** Time between two looks at something that tells no event across processes. */
const LOOK_MS = 50

/**
 * Looks until there is something other than undefined and returns it. What a look throws counts as nothing.
 * @param look is not called again before it has answered
 * @param check is asked before each look, and what it throws ends the wait
 * @throws when nothing came in time, naming `what`, with what the last look threw as its cause
 */
export async function within<T>(
  ms: number,
  what: string,
  look: () => Promise<T | undefined>,
  check?: () => void,
): Promise<T> {
  const deadline = performance.now() + ms
  let cause: unknown
  do {
    check?.()
    try {
      const found = await look()
      if (found !== undefined) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  } while (performance.now() < deadline)
  throw new Error(`${what}: not within ${ms} ms`, { cause })
}
