import type { ApiApp } from './components.ts'
import type { Metrics } from './metrics.ts'
import { routes } from './route-schemas.ts'

/** What is counted, for Prometheus. */
export function addMetricsRoute(app: ApiApp, metrics: Metrics): void {
  app.get('/metrics', routes.metrics, async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return metrics.text()
  })
}
