/** Who may do what over the API: the operator, agents, and named keys for some scopes. */
export { type Access, PUBLIC, type Right, readable, requireRight, writable } from './access.ts'
export { authenticate, type Credentials, openCredentials } from './authenticate.ts'
export type { KeyInfo, KeyInit } from './keys.ts'
export { RateLimited } from './rate-limits.ts'
