import { randomBytes } from 'node:crypto'
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BUNDLED_SKILLS, OPENCLAW } from './install.ts'
import { jsonOf, runNode, startNode } from './program.ts'
import { freePorts, userEnvironment, within } from './surroundings.ts'

/** 5 to 11 s were measured, on two cores that did nothing else. */
const READY_MS = 90_000
/** 2 to 6 s were measured. */
const STOP_MS = 30_000

/** A skill as `openclaw skills list --json` shows it; of its many fields those that matter here. */
export interface ListedSkill {
  readonly name: string
  readonly description: string
  readonly source: string
}

/** A skill as the running gateway knows it. */
export interface KnownSkill extends ListedSkill {
  readonly filePath: string
}

/** One hit of a memory search. */
export interface MemoryHit {
  /** Relative to the workspace. */
  readonly path: string
  readonly snippet: string
}

/** A real gateway on a state folder. */
export interface Gateway {
  /** Its state folder, without symlinks. */
  readonly state: string
  /** Runs `openclaw <args> --json` on the same state and returns what it prints. @throws where it fails */
  cli(args: readonly string[]): Promise<unknown>
  /** `openclaw skills list`. */
  skills(): Promise<ListedSkill[]>
  /** The skills that `openclaw skills list` shows of the package itself, which this gateway is kept from. */
  bundledSkills(): Promise<ListedSkill[]>
  /** What the running gateway answers to `skills.status`. */
  knownSkills(): Promise<KnownSkill[]>
  /** `openclaw memory search`. */
  searchMemory(query: string): Promise<MemoryHit[]>
  /** The agents' tool `memory_search`, called in the running gateway. */
  callMemorySearch(query: string): Promise<MemoryHit[]>
  /** The end of what it has said. */
  said(): string
  stop(): Promise<void>
}

/**
 * Starts the gateway on a home in which a mesh may live already, set up as docs tell a user to do: the mesh's folders
 * are given to the memory search and to the skills. Resolves when it is ready and follows the memory folder.
 *
 * The package's own skills are hidden from it: they outrank a mesh's of the same name, and a test could not tell which
 * of them is listed.
 */
export async function startGateway(home: string): Promise<Gateway> {
  const [port = 0] = await freePorts(1)
  const token = randomBytes(16).toString('hex')
  // OpenClaw follows no symlink to a memory folder, and a temporary folder may be reached through one.
  const state = realpathSync(home)
  const noSkills = join(state, 'no-bundled-skills')
  mkdirSync(noSkills, { recursive: true })
  writeFileSync(join(state, 'openclaw.json'), JSON.stringify(configuration(state, token), null, 2), { mode: 0o600 })
  const env = {
    ...userEnvironment(),
    HOME: state,
    OPENCLAW_STATE_DIR: state,
    OPENCLAW_BUNDLED_SKILLS_DIR: noSkills,
    OPENCLAW_NO_RESPAWN: '1',
    OPENCLAW_DISABLE_BONJOUR: '1',
  }
  const url = `http://127.0.0.1:${port}`
  const program = startNode('the gateway', {
    args: [OPENCLAW, 'gateway', 'run', '--port', String(port)],
    env,
    log: join(state, 'gateway.log'),
    stopMs: STOP_MS,
  })

  async function cli(args: readonly string[], over: NodeJS.ProcessEnv = {}): Promise<unknown> {
    const ended = await runNode([OPENCLAW, ...args, '--json'], { env: { ...env, ...over } })
    return jsonOf(`openclaw ${args.join(' ')}`, ended)
  }

  async function listSkills(over: NodeJS.ProcessEnv = {}): Promise<ListedSkill[]> {
    return ((await cli(['skills', 'list'], over)) as { skills: ListedSkill[] }).skills
  }

  async function invoke(tool: string, args: object): Promise<unknown> {
    const answer = await fetch(`${url}/tools/invoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool, args }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the tool ${tool} answered ${answer.status}: ${text}`)
    return JSON.parse(text).result.details
  }

  const gateway: Gateway = {
    state,
    cli,
    skills: () => listSkills(),
    async bundledSkills() {
      const all = await listSkills({ OPENCLAW_BUNDLED_SKILLS_DIR: BUNDLED_SKILLS })
      return all.filter(({ source }) => source === 'openclaw-bundled')
    },
    async knownSkills() {
      const answer = await cli(['gateway', 'call', 'skills.status', '--port', String(port), '--token', token])
      return (answer as { skills: KnownSkill[] }).skills
    },
    async searchMemory(query) {
      return ((await cli(['memory', 'search', query])) as { results: MemoryHit[] }).results
    },
    async callMemorySearch(query) {
      return ((await invoke('memory_search', { query })) as { results: MemoryHit[] }).results
    },
    said: program.said,
    stop: program.stop,
  }

  try {
    const isReady = async () => (await fetch(`${url}/readyz`)).status === 200 || undefined
    await within(READY_MS, 'the gateway is ready', isReady, program.check)
    // The gateway begins to follow the memory folder when an agent first searches it.
    await gateway.callMemorySearch('anything')
    return gateway
  } catch (cause) {
    const said = program.said()
    await program.stop().catch(() => {})
    throw new Error(`the gateway did not start; it said:\n${said}`, { cause })
  }
}

function configuration(state: string, token: string): object {
  return {
    gateway: { mode: 'local', bind: 'loopback', auth: { mode: 'token', token } },
    update: { checkOnStart: false },
    models: { catalogRefresh: { enabled: false } },
    logging: { file: join(state, 'openclaw.log') },
    memory: { search: { provider: 'none', extraPaths: [join(state, 'mesh/memory')] } },
    skills: { load: { extraDirs: [join(state, 'mesh/skills')] } },
  }
}
