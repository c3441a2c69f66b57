import { NODE_SCOPE } from '../../crdt/entry/index.ts'
import type { Search } from '../search/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { routes } from './route-schemas.ts'

const SERVICE = 'openclaw-meshd'

/** The node itself: health, status, configuration, findings. */
export function addNodeRoutes(app: ApiApp, context: RouteContext): void {
  const { store, mesh, search, config, findings, layout, version, startedAt, url } = context

  app.get('/health', routes.health, async () => ({
    ok: true as const,
    service: SERVICE,
    storeAvailable: await isReadable(context),
    version,
  }))

  app.get('/status', routes.status, () => {
    const { memory, skills, deleted, expired, conflicts } = store.counts()
    return {
      nodeId: mesh.nodeId,
      peerId: mesh.peerId,
      meshId: mesh.meshId,
      version,
      startedAt,
      entries: memory + skills,
      memory,
      skills,
      deleted,
      expired,
      conflicts,
      digest: Buffer.from(store.digest().digest).toString('hex'),
      position: store.position,
      addresses: mesh.addresses(),
      api: { socket: layout.socketPath, url: url() ?? null, auth: config.config.api.auth },
      home: layout.home,
      search: search === undefined ? null : searchStatus(search),
      peers: mesh.peers(),
    }
  })

  app.get('/doctor', routes.doctor, async () => {
    const found = [...(await findings())]
    return { ok: found.every(({ severity }) => severity !== 'error'), findings: found }
  })

  app.get('/config', routes.config, () => ({ ...config, config: { ...config.config } }))
}

function searchStatus(search: Search) {
  const { state, position, entries, bytes } = search.status()
  return { state, position, entries, bytes }
}

async function isReadable({ store }: RouteContext): Promise<boolean> {
  try {
    await store.get({ kind: 'memory', scope: NODE_SCOPE, key: 'health' })
    return true
  } catch {
    return false
  }
}
