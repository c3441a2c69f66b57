import type { IncomingHttpHeaders } from 'node:http'
import { MeshError } from '../../../crdt/errors.ts'
import type { SideStore } from '../../../crdt/replica/replica.ts'
import { type Access, AGENT, OPERATOR } from './access.ts'
import { ApiKeys, type KnownKey } from './keys.ts'
import { RateLimited, RateLimits } from './rate-limits.ts'
import { openTokenFile, type TokenFile } from './token.ts'

/** All that a caller may present. */
export interface Credentials {
  readonly operator: TokenFile
  readonly agent: TokenFile
  readonly keys: ApiKeys
  readonly limits: RateLimits
  /** Most requests a minute of all keys of a tenant together; 0 for no limit. */
  readonly tenantRate: number
}

export interface CredentialsInit {
  readonly tokenPath: string
  readonly agentTokenPath: string
  readonly tenantRate: number
}

/** Reads what callers may present; makes token files that are not there. @throws {MeshError} as their parts */
export async function openCredentials(side: SideStore, init: CredentialsInit): Promise<Credentials> {
  return {
    operator: await openTokenFile(init.tokenPath),
    agent: await openTokenFile(init.agentTokenPath),
    keys: await ApiKeys.open(side),
    limits: new RateLimits(),
    tenantRate: init.tenantRate,
  }
}

/**
 * Who calls, by `Authorization: Bearer` or `X-API-Key`.
 * @param trusts whether a caller without credentials is the operator: the unix socket, or `api.auth` off
 * @throws {MeshError} `UNAUTHORIZED`; `RATE_LIMITED` as a {@link RateLimited}
 */
export function authenticate(headers: IncomingHttpHeaders, credentials: Credentials, trusts: boolean): Access {
  const candidate = candidateOf(headers)
  if (candidate === undefined) {
    if (trusts) return OPERATOR
    throw unauthorized('no token was given')
  }
  const { operator, agent } = credentials
  if (operator.matches(candidate)) return { ...OPERATOR, ended: operator.ended }
  if (agent.matches(candidate)) return { ...AGENT, ended: agent.ended }
  const key = credentials.keys.find(candidate)
  if (key !== undefined) return withinLimits(key, credentials)
  // Tools that send some token of their own are let in where none is needed; a key that is revoked is not.
  if (trusts && !candidate.startsWith('mk_')) return OPERATOR
  throw unauthorized('the token is not a valid one')
}

function candidateOf(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  const key = headers['x-api-key']
  return bearer ?? (typeof key === 'string' ? key : undefined)
}

function withinLimits({ info, access }: KnownKey, { limits, tenantRate }: Credentials): Access {
  const { rate, tenant, name, id } = info
  const wait = rate === null ? 0 : limits.take(`key ${id}`, rate)
  if (rate !== null && wait > 0) throw new RateLimited(name, rate, wait)
  if (tenant === null || tenantRate === 0) return access
  const tenantWait = limits.take(`tenant ${tenant}`, tenantRate)
  if (tenantWait > 0) throw new RateLimited(`tenant ${tenant}`, tenantRate, tenantWait)
  return access
}

function unauthorized(what: string): MeshError {
  return new MeshError('UNAUTHORIZED', `authorization: ${what}`, {
    field: 'authorization',
    hint: 'send "Authorization: Bearer …" with the token that `mesh token show` prints on the machine of this node, or a key',
  })
}
