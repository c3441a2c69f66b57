/**
 * The store API: HTTP over the replica and the mesh, on a unix socket and on 127.0.0.1. Programs that call it import
 * `client.ts` instead, which needs none of this.
 */
export { openCredentials } from './access/index.ts'
export type { ApiComponents, ApiInit, ApiLimits } from './components.ts'
export { type Api, createApi } from './server.ts'
