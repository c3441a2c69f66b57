/**
 * Secrets that are stored already. The guard of the replica refuses what comes in; what came in before it was switched
 * on, before it knew a rule, or while a fingerprint was on the list of false alarms, is found by this audit.
 */
import type { Logger } from 'pino'
import type { EntryStore, Replica, SecretsRules } from '../../crdt/replica/index.ts'
import type { Finding } from '../../transports/mesh.ts'

export { createSecretsAudit } from './audit.ts'

/** What is looked through, and where it is remembered how far. */
export interface AuditedStore
  extends Pick<EntryStore, 'position' | 'horizon' | 'scopes' | 'list' | 'get' | 'conflicts' | 'feed' | 'onCommit'>,
    Pick<Replica, 'databaseId' | 'side'> {}

export interface SecretsAuditComponents {
  /** A replica whose own guard is on, with the same rules. */
  readonly store: AuditedStore
  readonly log: Logger
}

export interface SecretsAuditInit {
  readonly rules: SecretsRules
  /** Of the package: rules come with releases, so after another release all is looked through again. */
  readonly version: string
  readonly pace?: AuditPace
}

/** How much of the time is taken. */
export interface AuditPace {
  /** How long it looks before others have their turn, in milliseconds. One entry is looked at in any case. */
  readonly sliceMs: number
  /** Share of the time that is spent with looking, from above 0 to 1. */
  readonly share: number
}

/**
 * Looks through what is stored, once, in the background; what is found is kept until it is mended. How far it came is
 * kept in the replica's side records: a restart in the middle goes on, and later starts look at nothing again.
 */
export interface SecretsAudit {
  /** Begins. What goes wrong is logged and tried again; it stops nobody. */
  start(): void
  /** `secrets.stored` while anything is found, and `secrets.checking` while not everything has been looked at. */
  findings(): Promise<Finding[]>
  /** Ends after the entry in work, and remembers how far it came. Idempotent, also before {@link start}. */
  stop(): Promise<void>
}
