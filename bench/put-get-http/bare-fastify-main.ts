import fastify from 'fastify'
import { serveParent } from '../child.ts'

/** A server with one route, without auth, validation, schema or log. */
export const methods = {
  /** Returns its URL. */
  listen: async (constant: unknown): Promise<string> => {
    const app = fastify()
    app.get('/', async () => constant)
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
}

serveParent(methods)
