import { type EntryContent, type EntryId, NODE_SCOPE } from '../entry/index.ts'
import { createSecretsGuard, type SecretsGuard, secretRefused } from '../secrets/index.ts'
import type { Signer } from '../signing.ts'

/** What the guard is made with, as it goes to workers. */
export interface SecretsRules {
  /** 32 bytes that only this node knows: fingerprints are made with them. */
  readonly key: Uint8Array
  /** Fingerprints of what was taken for a secret and is none. */
  readonly allowed: readonly string[]
}

/** What the guard of a node is made with: the key of its fingerprints follows from the node's own. */
export function secretsRules(signer: Signer, allowed: readonly string[]): SecretsRules {
  return { key: signer.derive('secrets fingerprint'), allowed }
}

/** Makes guards, and keeps the latest: making one takes some 16 ms. */
export class Guards {
  #rules = ''
  #guard: SecretsGuard | undefined

  for(rules: SecretsRules | undefined): SecretsGuard | undefined {
    const name = rules === undefined ? '' : [Buffer.from(rules.key).toString('hex'), ...rules.allowed].join()
    if (name !== this.#rules) {
      this.#rules = name
      this.#guard = rules && createSecretsGuard({ key: rules.key, allowed: new Set(rules.allowed) })
    }
    return this.#guard
  }
}

/** Looks at what is to be written into a scope that others read. @throws {MeshError} `SECRET_REFUSED` */
export function refuseSecrets(guard: SecretsGuard | undefined, id: EntryId, content: EntryContent): void {
  if (guard === undefined || id.scope === NODE_SCOPE) return
  const finding = guard.scan(
    content.kind === 'memory'
      ? { kind: 'memory', key: id.key, value: content.value }
      : { kind: 'skill', key: id.key, content: content.content ?? null, path: content.path ?? null },
  )
  if (finding !== undefined) throw secretRefused(finding)
}
