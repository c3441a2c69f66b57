import { Command, CommanderError } from 'commander'
import { pino } from 'pino'
import { MeshError } from '../crdt/errors.ts'
import { loadConfig } from './config/index.ts'
import type { Daemon } from './daemon.ts'
import { exitCodeOf } from './exit-codes.ts'
import { layoutOf, resolveHome } from './home.ts'
import { VERSION } from './version.ts'

/** How long a stop may take before the process ends anyway, in milliseconds. */
const STOP_MS = 15_000

interface Options {
  readonly home?: string
  readonly init?: boolean
  readonly checkConfig?: boolean
  readonly restore?: string
  readonly asNewNode?: boolean
  readonly json?: boolean
}

/** The process: arguments, signals, exit codes. Ends the process when it is done, save while the daemon runs. */
export async function run(args: readonly string[]): Promise<void> {
  const command = new Command('openclaw-meshd')
    .description('Runs this machine’s node of the mesh: its replica of memory and skills, its peers, its store API.')
    .version(VERSION, '-V, --version', 'print the version')
    .option('--home <dir>', 'OpenClaw’s state folder (default: MESH_HOME, OPENCLAW_STATE_DIR, or ~/.openclaw)')
    .option('--init', 'make the node (folders, key, config check, database) and stop')
    .option('--check-config', 'print the effective configuration, or what is wrong with it, and stop')
    .option('--restore <file>', 'make the node of a backup, in a home that has none, and stop')
    .option('--as-new-node', 'with --restore: with a new key, in a new mesh, though the key is in the backup')
    .option('--json', 'with --init, --check-config or --restore: print one JSON document')
    .addHelpText('after', HELP)
    .exitOverride()
  try {
    const options = command.parse([...args], { from: 'user' }).opts<Options>()
    if (options.asNewNode && options.restore === undefined) command.error('error: --as-new-node goes with --restore')
    await act(options)
  } catch (error) {
    // Commander has said what is wrong with the arguments, or printed help.
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
    fail(error, args.includes('--json'))
  }
}

const HELP = `
Examples:
  openclaw-meshd                        run in the foreground; Ctrl-C stops it
  MESH_NODE_ID=ceo openclaw-meshd       under another name than the machine's
  openclaw-meshd --check-config         what it would run with
  openclaw-meshd --restore FILE         bring a node back whose machine or disk is gone

Everything is kept under <home>/meshd; agents read <home>/mesh. The log goes to stderr.
Exit codes: 0 stopped, 1 failed, 2 wrong use or configuration, 3 Node too old, 11 already running or database in
use, 12 a port is in use, 13 the home is not writable, 14 the database, or the backup, is damaged or
of a newer version.`

async function act({ home: givenHome, init, checkConfig, restore, asNewNode, json }: Options): Promise<void> {
  const home = givenHome ?? resolveHome()
  const layout = layoutOf(home)
  const config = await loadConfig({ home })
  if (checkConfig) {
    const { config: effective, sources, path } = config
    return say({ ok: true, config: effective, sources, path }, json, `${path}: in order`)
  }
  if (init) {
    const { nodeId } = config.config
    const { initNode } = await import('./init.ts')
    const made = await initNode(layout, nodeId)
    const words = `${made.created ? 'made' : 'there already:'} node ${nodeId} in ${layout.home}`
    return say({ ok: true, home: layout.home, nodeId, ...made }, json, words)
  }
  if (restore !== undefined) {
    const { runRestore } = await import('./run-restore.ts')
    const init = { file: restore, asNewNode: asNewNode === true, nodeId: config.config.nodeId }
    const { document, words } = await runRestore(layout, init)
    return say({ ok: true, ...document }, json, words)
  }
  const log = pino({ level: config.config.log.level }, pino.destination({ dest: 2, sync: false }))
  // Only here: a look at the configuration must not wait for all that a daemon is made of.
  const { startDaemon } = await import('./daemon.ts')
  const daemon = await startDaemon(layout, { config, log })
  stopOnSignal(daemon, log)
  announce(daemon, layout.home)
}

function say(document: object, json: boolean | undefined, words: string): void {
  process.stdout.write(json ? `${JSON.stringify(document)}\n` : `${words}\n`)
}

/** What a person who started it wants to see first. The log, beside it on stderr, is for machines. */
function announce({ mesh, url, created }: Daemon, home: string): void {
  const lines = [
    `${created ? 'made' : 'started'} node ${mesh.nodeId} (${mesh.peerId})`,
    `  home       ${home}`,
    `  store API  ${url ?? 'unix socket only'}`,
    `  peers dial ${mesh.addresses().join(' ') || 'nowhere'}`,
    'ready',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function stopOnSignal(daemon: Daemon, log: pino.Logger): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals) => {
    // A second signal means it: end at once.
    if (stopping) process.exit(1)
    stopping = true
    log.info({ signal }, 'stopping')
    const late = setTimeout(() => {
      log.error('stopping took too long; ending anyway: nothing acknowledged is lost')
      process.exit(1)
    }, STOP_MS)
    late.unref()
    daemon.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        log.error({ err }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

function fail(error: unknown, json: boolean): never {
  const known = error instanceof MeshError ? error : undefined
  const message = error instanceof Error ? error.message : String(error)
  if (json) {
    const { code = 'INTERNAL', field, hint } = known ?? {}
    process.stdout.write(`${JSON.stringify({ ok: false, error: { type: code, message, field, hint } })}\n`)
  } else {
    const hint = known?.hint === undefined ? '' : ` (${known.hint})`
    process.stderr.write(
      `openclaw-meshd: ${known === undefined ? ((error as Error).stack ?? message) : message}${hint}\n`,
    )
  }
  process.exit(exitCodeOf(known?.code))
}
