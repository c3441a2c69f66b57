import type { ApiApp, RouteContext } from './components.ts'
import { doLongWork } from './long-work.ts'
import { routes } from './route-schemas.ts'
import { callerGone } from './streams.ts'

/** Seconds that a ticket lives unless the caller says otherwise. */
const DEFAULT_TTL_SECONDS = 900

/** Members, tickets, joining, leaving and reconciling. */
export function addMeshRoutes(app: ApiApp, { mesh, stopping }: RouteContext): void {
  app.get('/peers', routes.peers, () => ({ peers: mesh.peers() }))

  app.delete('/peers/:peer', routes.removePeer, ({ params }) => mesh.removePeer(params.peer))

  app.post('/invite', routes.invite, async ({ body }) => {
    const invitation = await mesh.invite({ ttlSeconds: body.ttl_seconds ?? DEFAULT_TTL_SECONDS })
    return { ticket: invitation.ticket, expires_at: invitation.expiresAt, addresses: [...invitation.addresses] }
  })

  // Joining and leaving are finished once begun: half of either would help nobody.
  app.post('/join', routes.join, (request, reply) =>
    doLongWork(request, reply, { run: (options) => mesh.join(request.body.ticket, options) }),
  )

  app.post('/leave', routes.leave, (request, reply) =>
    doLongWork(request, reply, { run: (options) => mesh.leave(options) }),
  )

  app.post('/sync', routes.sync, (request, reply) =>
    doLongWork(request, reply, {
      run: (options) => mesh.sync(options),
      endsWith: AbortSignal.any([callerGone(reply), stopping]),
    }),
  )
}
