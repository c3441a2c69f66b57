import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { decode, encode } from 'cborg'
import { parseScope } from '../../../crdt/entry/index.ts'
import { MeshError } from '../../../crdt/errors.ts'
import type { SideStore } from '../../../crdt/replica/replica.ts'
import { type Access, keyAccess } from './access.ts'
import { isOfTenant, parseScopePattern, type ScopePattern, tenantPatterns } from './scope-pattern.ts'

/** Where the replica keeps the keys, by id. */
const NAMESPACE = 'api-keys'
/** Most keys of one node. */
const MAX_KEYS = 1_000
const MAX_PATTERNS = 64
/** Most requests a minute that a limit may allow. */
const MAX_RATE = 1_000_000
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/
/** Callers that are no keys. */
const RESERVED: ReadonlySet<string> = new Set(['operator', 'agent', 'anybody'])
/** `mk_`, an id of 8 characters that may be shown, `_`, and 32 secret bytes as base64url. */
const KEY = /^mk_([a-z2-7]{8})_([\w-]{43})$/
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567'

/** A key as people may see it. */
export interface KeyInfo {
  /** Named in logs and messages; no two keys have the same. */
  readonly name: string
  /** 8 characters, with which the key itself begins behind `mk_`. */
  readonly id: string
  readonly read: readonly ScopePattern[]
  readonly write: readonly ScopePattern[]
  readonly tenant: string | null
  /** Most requests a minute; null for no limit. */
  readonly rate: number | null
  /** Unix seconds. */
  readonly createdAt: number
}

/** What a new key is to be. Without `read` and `write` a tenant's key may use all that the tenant has. */
export interface KeyInit {
  readonly name: string
  readonly read?: readonly string[] | undefined
  readonly write?: readonly string[] | undefined
  readonly tenant?: string | undefined
  readonly rate?: number | undefined
}

/** A key that was presented: who it is, what it may, and how often. */
export interface KnownKey {
  readonly info: KeyInfo
  readonly access: Access
}

interface KeptKey extends KnownKey {
  /** SHA-256 of the secret. It is random and long: nothing slower is needed. */
  readonly hash: Uint8Array
  /** Aborted when it is revoked. */
  readonly end: AbortController
}

/**
 * Named keys for the API, each for some scopes. Only hashes are kept, in the replica's own database: whoever reads that
 * learns no key.
 */
export class ApiKeys {
  readonly #side: SideStore
  readonly #now: () => number
  readonly #keys: Map<string, KeptKey>

  private constructor(side: SideStore, now: () => number, keys: readonly KeptKey[]) {
    this.#side = side
    this.#now = now
    this.#keys = new Map(keys.map((key) => [key.info.id, key]))
  }

  /** @param now Unix milliseconds @throws {MeshError} `STORAGE_CORRUPT` */
  static async open(side: SideStore, now: () => number = Date.now): Promise<ApiKeys> {
    const records = await side.list(NAMESPACE)
    return new ApiKeys(
      side,
      now,
      records.map(({ value }) => decodeKey(value)),
    )
  }

  /** The key of this text, or undefined where there is none (any more). Takes the same time whatever differs. */
  find(text: string): KnownKey | undefined {
    const [, id = '', secret = ''] = KEY.exec(text) ?? []
    const key = this.#keys.get(id)
    return key !== undefined && timingSafeEqual(hashOf(secret), key.hash) ? key : undefined
  }

  /** All keys in order of name. */
  list(): KeyInfo[] {
    return [...this.#keys.values()].map(({ info }) => info).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /**
   * Makes a key. Its text is given this once and nowhere kept.
   * @throws {MeshError} `KEY_REFUSED` with the field at fault, `KEY_NAME_TAKEN`, `SCOPE_INVALID`, `STORAGE_FAILED`
   */
  async create(init: KeyInit): Promise<{ key: string; info: KeyInfo }> {
    const { name, tenant } = init
    if (!NAME.test(name)) {
      const what = '1 to 64 letters, digits, ".", "_" or "-", with a letter or digit at both ends'
      throw refused('name', `is not ${what}`)
    }
    if (RESERVED.has(name)) throw refused('name', `${name} is what the log calls somebody else`)
    if (this.list().some((other) => other.name === name)) {
      const hint = 'give it another name, or revoke that one first'
      throw new MeshError('KEY_NAME_TAKEN', `name: there is a key ${name} already`, { field: 'name', hint })
    }
    if (this.#keys.size >= MAX_KEYS) throw refused('name', `there are ${MAX_KEYS} keys already; revoke some`)
    if (tenant !== undefined) parseScope(`tenant:${tenant}`, 'tenant')
    if (tenant === '*') throw refused('tenant', 'is the id of one tenant')
    if (init.rate !== undefined && !(Number.isInteger(init.rate) && init.rate >= 1 && init.rate <= MAX_RATE)) {
      throw refused('rate', `is not a whole number of requests a minute from 1 to ${MAX_RATE}`)
    }
    const given = init.read !== undefined || init.write !== undefined
    const all = tenant === undefined || given ? undefined : tenantPatterns(tenant)
    const info: KeyInfo = {
      name,
      id: this.#newId(),
      read: all ?? parsePatterns('read', init.read, tenant),
      write: all ?? parsePatterns('write', init.write, tenant),
      tenant: tenant ?? null,
      rate: init.rate ?? null,
      createdAt: Math.floor(this.#now() / 1000),
    }
    if (info.read.length + info.write.length === 0) throw refused('read', 'names no scope, and neither does write')
    const secret = randomBytes(32).toString('base64url')
    const hash = hashOf(secret)
    await this.#side.write([{ namespace: NAMESPACE, key: info.id, value: encode({ ...info, hash }) }])
    this.#keys.set(info.id, keptKey(info, hash))
    return { key: `mk_${info.id}_${secret}`, info }
  }

  /** Ends a key, by name or id; it is dead when this resolves. @throws {MeshError} `NOT_FOUND`, `STORAGE_FAILED` */
  async revoke(nameOrId: string): Promise<KeyInfo> {
    const found = this.list().find(({ name }) => name === nameOrId) ?? this.#keys.get(nameOrId)?.info
    if (found === undefined) {
      throw new MeshError('NOT_FOUND', `key: there is no key ${JSON.stringify(nameOrId.slice(0, 64))}`, {
        field: 'key',
        hint: '`mesh key ls` lists them',
      })
    }
    // Where this fails it is said, and the key lives on: one that came back with the next start would be worse.
    await this.#side.write([{ namespace: NAMESPACE, key: found.id, value: undefined }])
    this.#keys.get(found.id)?.end.abort()
    this.#keys.delete(found.id)
    return found
  }

  #newId(): string {
    for (;;) {
      const id = Array.from(randomBytes(8), (byte) => ID_LETTERS[byte % 32]).join('')
      if (!this.#keys.has(id)) return id
    }
  }
}

function parsePatterns(
  field: 'read' | 'write',
  given: readonly string[] = [],
  tenant: string | undefined,
): readonly ScopePattern[] {
  if (given.length > MAX_PATTERNS) throw refused(field, `names ${given.length} scopes, at most ${MAX_PATTERNS}`)
  return given.map((text, i) => {
    const pattern = parseScopePattern(text, `${field}[${i}]`)
    if (tenant !== undefined && !isOfTenant(pattern, tenant)) {
      throw refused(`${field}[${i}]`, `${text} is not the tenant's: it has tenant:${tenant} and user:${tenant}:*`)
    }
    return pattern
  })
}

function refused(field: string, what: string): MeshError {
  return new MeshError('KEY_REFUSED', `${field}: ${what}`, { field })
}

const hashOf = (secret: string) => createHash('sha256').update(secret).digest()

function decodeKey(value: Uint8Array): KeptKey {
  const { hash, ...info } = decode(value) as KeyInfo & { hash: Uint8Array }
  return keptKey(info, hash)
}

function keptKey(info: KeyInfo, hash: Uint8Array): KeptKey {
  const end = new AbortController()
  return { info, hash, end, access: keyAccess(info.name, { ...info, ended: end.signal }) }
}
