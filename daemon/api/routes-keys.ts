import type { KeyInfo } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { routes } from './route-schemas.ts'
import type { ApiKey } from './schemas.ts'

/** Tokens and keys: who may call this API. */
export function addKeyRoutes(app: ApiApp, { credentials }: RouteContext): void {
  const { operator, agent, keys } = credentials

  app.post('/token/rotate', routes.rotateToken, async ({ body }) => {
    const token = body.token === 'agent' ? agent : operator
    await token.rotate()
    return { path: token.path }
  })

  app.get('/keys', routes.listKeys, () => ({ keys: keys.list().map(shown) }))

  app.post('/keys', routes.createKey, async ({ body }) => {
    const { key, info } = await keys.create(body)
    return { ...shown(info), key }
  })

  app.delete('/keys/:key', routes.revokeKey, async ({ params }) => shown(await keys.revoke(params.key)))
}

function shown({ name, id, read, write, tenant, rate, createdAt }: KeyInfo): ApiKey {
  return { name, id, read: [...read], write: [...write], tenant, rate, created_at: createdAt }
}
