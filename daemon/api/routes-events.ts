import { Readable } from 'node:stream'
import { parseScope } from '../../crdt/entry/index.ts'
import { readable } from './access/index.ts'
import type { ApiApp, RouteContext } from './components.ts'
import { type EventHub, parseEventId } from './events/index.ts'
import { routes } from './route-schemas.ts'
import { callerGone, sendStream } from './streams.ts'

/** What is committed, as it is committed. */
export function addEventRoutes(app: ApiApp, { stopping }: RouteContext, hub: EventHub): void {
  app.get('/events', routes.events, async (request, reply) => {
    const { query, access, headers } = request
    const last = headers['last-event-id']
    const from =
      typeof last === 'string' && last !== ''
        ? parseEventId(last)
        : query.since === undefined
          ? undefined
          : { seq: query.since }
    const filter = {
      kind: query.kind,
      scope: query.scope ? readable(access, parseScope(query.scope)) : undefined,
      prefix: query.prefix || undefined,
      mayRead: access.mayRead,
    }
    const signal = AbortSignal.any([callerGone(reply), stopping, ...(access.ended ? [access.ended] : [])])
    const { events, leave } = hub.watch(access.name, from, filter, signal)
    reply.type('text/event-stream; charset=utf-8').header('x-accel-buffering', 'no')
    try {
      await sendStream(reply, Readable.from(events, { highWaterMark: 1 }))
    } finally {
      leave()
    }
  })
}
