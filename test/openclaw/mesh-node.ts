import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonOf, runNode, startNode } from './program.ts'
import { freePorts, ROOT, userEnvironment, within } from './surroundings.ts'

/** Start to usable is 2 s by requirement; two start at once here, beside a gateway. */
const READY_MS = 30_000
const STOP_MS = 15_000

/** A real daemon on a home of its own, used through the `mesh` command only. */
export interface MeshNode {
  /** What both the daemon and OpenClaw call their state folder. */
  readonly home: string
  /** Runs `mesh <args> --json` and returns what it prints. @throws where it fails */
  mesh(args: readonly string[], input?: string): Promise<unknown>
  /** Runs `mesh <args>` as a person does and returns what it prints. @throws where it fails */
  meshText(...args: string[]): Promise<string>
  /** The end of what the daemon has said. */
  said(): string
  /** Stops the daemon; the home stays until {@link remove}. */
  stop(): Promise<void>
  remove(): Promise<void>
}

/** Starts a daemon of this name and waits until it answers. */
export async function startMeshNode(name: string): Promise<MeshNode> {
  const home = await mkdtemp(join(tmpdir(), `mesh-openclaw-${name}-`))
  const [apiPort, p2pPort] = await freePorts(2)
  const env = {
    ...userEnvironment(),
    HOME: home,
    // The variable that OpenClaw reads: the daemon finds the gateway's home by itself.
    OPENCLAW_STATE_DIR: home,
    MESH_NODE_ID: name,
    MESH_API_PORT: String(apiPort),
    MESH_P2P_PORT: String(p2pPort),
    MESH_P2P_HOST: '127.0.0.1',
  }
  const program = startNode(`the daemon ${name}`, {
    args: [join(ROOT, 'daemon/main.ts')],
    env,
    log: join(home, 'daemon.log'),
    stopMs: STOP_MS,
  })

  function run(args: readonly string[], input?: string) {
    return runNode([join(ROOT, 'cli/main.ts'), ...args], { env, ...(input === undefined ? {} : { input }) })
  }

  const node: MeshNode = {
    home,
    mesh: async (args, input) => jsonOf(`mesh ${args.join(' ')} on ${name}`, await run([...args, '--json'], input)),
    async meshText(...args) {
      const { code, stdout, stderr } = await run(args)
      if (code !== 0) throw new Error(`mesh ${args.join(' ')} on ${name} ended with ${code}: ${stdout}${stderr}`)
      return stdout
    },
    said: program.said,
    stop: program.stop,
    remove: () => rm(home, { recursive: true, force: true }),
  }

  try {
    await within(READY_MS, `the daemon ${name} answers`, () => node.mesh(['status']), program.check)
    return node
  } catch (cause) {
    const said = program.said()
    await program.stop().catch(() => {})
    await node.remove()
    throw new Error(`the daemon ${name} did not start; it said:\n${said}`, { cause })
  }
}
