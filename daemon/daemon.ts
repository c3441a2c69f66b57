import { join } from 'node:path'
import type { Logger } from 'pino'
import { MeshError } from '../crdt/errors.ts'
import { openReplica, secretsRules } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { systemClock } from '../transports/clock.ts'
import { createDialler, createLibp2pTransport } from '../transports/libp2p/index.ts'
import type { Finding, Mesh } from '../transports/mesh.ts'
import { createMesh } from '../transports/sync/index.ts'
import { createApi, openCredentials } from './api/index.ts'
import type { LoadedConfig } from './config/index.ts'
import { watchDatabase } from './database-watch.ts'
import { createFileView, type FileView } from './files/index.ts'
import type { HomeLayout } from './home.ts'
import { announcedAddresses, listenAddresses } from './listen.ts'
import { sweepRestoreFolders } from './restore-folder.ts'
import { createSearch } from './search/index.ts'
import { createSecretsAudit } from './secrets/index.ts'
import { setUp } from './setup.ts'
import { VERSION } from './version.ts'

export interface DaemonComponents {
  readonly config: LoadedConfig
  readonly log: Logger
}

/** A running node. */
export interface Daemon {
  readonly mesh: Mesh
  /** Where the API listens on TCP, or undefined. */
  readonly url: string | undefined
  /** Whether this start made the node. */
  readonly created: boolean
  /** Stops everything in the exact reverse of how it was started. Idempotent. */
  stop(): Promise<void>
}

/**
 * Starts a node on a home; makes it on the first start. What was started before something fails is stopped again.
 * @throws {MeshError} what its parts throw: `HOME_UNWRITABLE`, `DATABASE_LOCKED`, `PORT_IN_USE`, `API_PORT_IN_USE` …
 */
export async function startDaemon(layout: HomeLayout, { config: loaded, log }: DaemonComponents): Promise<Daemon> {
  const { config } = loaded
  const startedAt = Date.now()
  await using parts = new AsyncDisposableStack()

  const { seed, created } = await setUp(layout, config.nodeId)
  const signer = createSigner(seed)
  const { guard, allow } = config.secrets
  const secrets = guard ? { allowed: allow } : undefined
  const replica = await openReplica({ signer, secrets }, { path: layout.databasePath })
  parts.defer(() => replica.close())
  // Only now: while another process had the database, one of them could have been its.
  await sweepRestoreFolders(layout)
  const audit = guard
    ? createSecretsAudit(
        { store: replica, log: log.child({ component: 'secrets' }) },
        { rules: secretsRules(signer, allow), version: VERSION },
      )
    : undefined
  // Stopped after all that could still write: what was committed until then was guarded.
  if (audit !== undefined) parts.defer(() => audit.stop())
  const credentials = await openCredentials(replica.side, { ...layout, tenantRate: config.api.tenantRate })

  const meshLog = log.child({ component: 'mesh' })
  const mesh = await createMesh(
    {
      replica,
      signer,
      clock: systemClock,
      log: meshLog,
      random: Math.random,
      transport: (gate) =>
        createLibp2pTransport(
          { gate, log: meshLog },
          { seed, listen: listenAddresses(config.p2p), announce: announcedAddresses(config.p2p) },
        ),
      dialler: (transport, targets) => createDialler({ transport, log: meshLog, targets }),
    },
    { nodeId: config.nodeId, version: VERSION, repairIntervalMs: config.sync.intervalSeconds * 1000 },
  )

  const files = config.files.enabled ? fileView(layout, loaded, replica, log) : undefined
  if (files !== undefined) parts.defer(() => files.stop())

  parts.defer(() => mesh.stop())
  await mesh.start().catch((error: unknown) => {
    throw namingKey(error, config.p2p.port)
  })

  const search = config.search.enabled
    ? createSearch(
        { store: replica, log: log.child({ component: 'search' }), now: Date.now },
        { path: layout.searchPath },
      )
    : undefined
  if (search !== undefined) parts.defer(() => search.stop())

  const watch = await watchDatabase({ store: replica, log }, layout.databasePath)
  parts.defer(() => watch.stop())

  const findings = async (): Promise<Finding[]> => {
    await files?.check()
    return [
      ...(await watch.findings()),
      ...mesh.findings(),
      ...(files?.findings() ?? []),
      ...(search?.findings() ?? []),
      ...((await audit?.findings()) ?? []),
    ]
  }
  const api = createApi(
    { store: replica, mesh, findings, credentials, search, config: loaded, log },
    { layout, version: VERSION, startedAt },
  )
  parts.defer(() => api.stop())
  await api.start()
  // Last, though they are stopped before the replica: a start that fails writes no files, and nobody waits for them.
  await search?.start()
  await files?.start()
  audit?.start()

  const running = parts.move()
  return { mesh, url: api.url(), created, stop: () => running.disposeAsync() }
}

/** The transport knows addresses only; who reads the error knows config keys. */
function namingKey(error: unknown, port: number): unknown {
  if (!(error instanceof MeshError) || error.code !== 'PORT_IN_USE') return error
  return new MeshError('PORT_IN_USE', `p2p.port: ${port} is in use by another process`, {
    field: 'p2p.port',
    hint: 'stop that process, or set another p2p.port (MESH_P2P_PORT)',
    cause: error,
  })
}

function fileView(
  layout: HomeLayout,
  { config }: LoadedConfig,
  store: Parameters<typeof createFileView>[0]['store'],
  log: Logger,
): FileView {
  return createFileView(
    { store, log: log.child({ component: 'files' }) },
    {
      meshDir: layout.meshDir,
      memoryJsonPath: join(layout.home, 'mesh-memory.json'),
      indexPath: join(layout.meshdDir, 'files-index'),
      memoryJson: config.files.memoryJson,
      flatSkills: config.files.flatSkills,
    },
  )
}
