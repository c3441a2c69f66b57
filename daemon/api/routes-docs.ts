import type { ApiApp } from './components.ts'
import { docsPage } from './docs-page.ts'
import { routes } from './route-schemas.ts'

/**
 * The description of the API, for programs and as a page.
 * @param describe called once all routes are known
 */
export function addDocsRoutes(app: ApiApp, describe: () => Readonly<Record<string, unknown>>): void {
  let json: string | undefined
  let page: string | undefined

  app.get('/openapi.json', routes.openApi, (_request, reply) => {
    json ??= JSON.stringify(describe())
    reply.type('application/json; charset=utf-8').send(json)
  })

  app.get('/docs', routes.docs, (_request, reply) => {
    page ??= docsPage(describe())
    // Nothing on it runs or loads anything.
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    reply.type('text/html; charset=utf-8').send(page)
  })
}
