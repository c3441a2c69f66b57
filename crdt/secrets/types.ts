import type { JsonValue } from '../entry/index.ts'

/** What of an entry is looked at: everything that others get to read. */
export type ScannedEntry =
  | { readonly kind: 'memory'; readonly key: string; readonly value: JsonValue }
  | {
      readonly kind: 'skill'
      /** Its name. */
      readonly key: string
      readonly content: string | null
      readonly path: string | null
    }

/** What looks like a credential. It holds nothing of the credential itself, so that it may be shown and logged. */
export interface Finding {
  /** Id of the rule; stable, explained in docs/secrets.md. */
  readonly rule: string
  /** What the rule finds, in words. */
  readonly name: string
  /** Which part of the entry holds it. Where it is the key, whoever tells of it must not name the entry. */
  readonly where: 'key' | 'value' | 'content' | 'path'
  /** RFC 6901 path inside a value, to the object where a name in it is meant; empty elsewhere. */
  readonly path: string
  /** Whether the name of a member of the object is meant, and not what it holds. */
  readonly inName: boolean
  /** Line of the text, from 1. */
  readonly line: number
  /** What goes on the list of false alarms. See `fingerprintOf`. */
  readonly fingerprint: string
}

export interface SecretsGuardInit {
  /**
   * What fingerprints are made with; 32 bytes that only this machine knows, the same after every start. Never the node's
   * signing key itself: one derived from it.
   */
  readonly key: Uint8Array
  /** Fingerprints that are no secrets. */
  readonly allowed: ReadonlySet<string>
}

export interface SecretsGuard {
  /**
   * The first credential of an entry. What is said does not depend on the order of members. Takes time in proportion to
   * the size of the entry, whatever it holds, and never throws for what `parseJsonValue` accepts.
   */
  scan(entry: ScannedEntry): Finding | undefined
}
