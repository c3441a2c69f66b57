import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * The package as a user gets it: packed, installed into an empty folder beside Node 24, on a machine whose own Node
 * may be older. Node strips no types under node_modules, so nothing but this shows that what is published runs.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const START_MS = 30_000
const STOP_MS = 15_000

/** The environment of a user's shell: nothing of this run's npm, of its Node, or of a mesh that runs here. */
const shellEnv = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => !/^(npm_|MESH_|OPENCLAW_|NODE_|VITEST|FORCE_COLOR)/.test(name))
    .map(([name, value]) => [
      name,
      name === 'PATH'
        ? value
            ?.split(delimiter)
            .filter((folder) => !folder.includes('node_modules'))
            .join(delimiter)
        : value,
    ]),
)

let work: string
let app: string
let machineNode: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'mesh-package-'))
  app = join(work, 'app')
  await run('mkdir', [app], work)
  await writeFile(join(app, 'package.json'), '{ "name": "user", "private": true }')
  const packed = await run('npm', ['pack', '--json', '--pack-destination', work], root)
  expect(packed.code, packed.stdout + packed.stderr).toBe(0)
  const tarball = join(work, `${manifest.name}-${manifest.version}.tgz`)
  const installed = await run('npm', ['install', tarball, `node@${manifest.devDependencies.node}`], app)
  expect(installed.code, installed.stderr).toBe(0)
  machineNode = (await run('node', ['--version'], work)).stdout.trim()
})

afterAll(() => rm(work, { recursive: true, force: true }))

describe('what is in the package', () => {
  test('programs and documents, no sources, no tests', async () => {
    const listed = await run(
      'find',
      ['.', '-type', 'f', '-not', '-path', './node_modules/*'],
      join(app, 'node_modules', manifest.name),
    )
    const files = listed.stdout.trim().split('\n')
    expect(files).toEqual(expect.arrayContaining(['./package.json', './LICENSE', './README.md', './CHANGELOG.md']))
    expect(files.filter((file) => /\.tsx?$|\.test\.|-suite\.|\/test\/|\/bench\//.test(file))).toEqual([])
  })
})

describe('the programs on Node 24', () => {
  test('npx mesh --version', async () => {
    const { code, stdout, stderr } = await run('npx', ['mesh', '--version'], app)
    expect({ code, stdout: stdout.trim() }, stderr).toEqual({ code: 0, stdout: manifest.version })
  })

  test('npx mesh --help', async () => {
    const { code, stdout, stderr } = await run('npx', ['mesh', '--help'], app)
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/\bput\b.*\bget\b/s)
  })

  test('npx openclaw-meshd serves, takes a memory, gives it back, and stops', async () => {
    const env = { MESH_HOME: join(work, 'h'), MESH_API_PORT: '0', MESH_P2P_PORT: '0', MESH_P2P_HOST: '127.0.0.1' }
    const daemon = startDaemon(env)
    try {
      await daemon.ready()
      const value = { short: 'yes', list: [1, 2] }
      const put = await run('npx', ['mesh', 'put', 'prefs', JSON.stringify(value), '--json'], app, env)
      expect(put.code, put.stderr).toBe(0)
      const got = await run('npx', ['mesh', 'get', 'prefs', '--json'], app, env)
      expect(got.code, got.stderr).toBe(0)
      expect(JSON.parse(got.stdout)).toMatchObject({ scope: 'mesh', key: 'prefs', value })
    } finally {
      await daemon.stop()
    }
    expect((await run('npx', ['mesh', 'get', 'prefs'], app, env)).code).toBe(4)
  })
})

describe('the programs on a Node that is too old', () => {
  test.each(Object.keys(manifest.bin))('%s ends with one line and exit code 3', async (name) => {
    const { code, stdout, stderr } = await run(join(app, 'node_modules/.bin', name), [], app, { PATH: await oldNode() })
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toMatch(/^openclaw-mesh needs Node 24\.16 or later, this is v\d+\.\d+\.\d+[^\n]*\n$/)
  })
})

/** A path to the machine's own Node where it is too old for us, else to one that is installed for the purpose. */
async function oldNode(): Promise<string> {
  const { PATH = '' } = shellEnv
  if (Number(machineNode.slice(1).split('.')[0]) < 24) return PATH
  const folder = join(work, 'old')
  const installed = await run('npm', ['install', '--prefix', folder, 'node@20'], work)
  expect(installed.code, installed.stderr).toBe(0)
  return join(folder, 'node_modules/.bin') + delimiter + PATH
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...shellEnv, ...env }, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(program, args, options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr })
    })
    child.stdin?.end()
  })
}

function startDaemon(env: Record<string, string> & { MESH_HOME: string }) {
  // A group of its own, so that stopping reaches the daemon and not only npx before it, as Ctrl-C in a terminal does.
  const child = spawn('npx', ['openclaw-meshd'], {
    cwd: app,
    env: { ...shellEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const closed = once(child, 'close', { signal: AbortSignal.timeout(START_MS + STOP_MS) })
  closed.catch(() => {})
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))

  return {
    async ready() {
      const socketPath = join(env.MESH_HOME, 'meshd/api.sock')
      const deadline = Date.now() + START_MS
      while ((await statusOf(socketPath)) !== 200) {
        if (child.exitCode !== null) throw new Error(`openclaw-meshd ended with ${child.exitCode}: ${said}`)
        if (Date.now() > deadline) throw new Error(`openclaw-meshd never answered on ${socketPath}: ${said}`)
        await delay(50)
      }
    },
    /** Resolves when the last process that holds the daemon's output is gone, which is the daemon or npx. */
    async stop() {
      if (child.pid === undefined) throw new Error('npx did not start')
      if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
      try {
        await closed
      } catch (cause) {
        process.kill(-child.pid, 'SIGKILL')
        throw new Error(`openclaw-meshd did not stop: ${said}`, { cause })
      }
    },
  }
}

function statusOf(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    request({ socketPath, path: '/health' }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', () => resolve(undefined))
      .end()
  })
}
