/**
 * The roster: the mesh's signed log of members. Each node keeps all of it, adds records of its own, and takes in those
 * of others; equal sets of records say the same everywhere.
 */
import { randomBytes } from 'node:crypto'
import type { SideStore, SideWrite } from '../../crdt/replica/index.ts'
import type { Signer } from '../../crdt/signing.ts'
import { evaluateRoster, type Member, type RosterState } from './log.ts'
import { meshIdOf, parseRecord, type RosterRecord, type RosterStatement, signRecord } from './record.ts'

export type { Member } from './log.ts'
export { evaluateRoster } from './log.ts'
export type { RosterRecord } from './record.ts'
export { meshIdOf, parseRecord, signRecord } from './record.ts'

/** Where the replica keeps the records, by hash. */
export const ROSTER_NAMESPACE = 'roster'

/**
 * Most records that add somebody, and most that remove somebody, in a log: far beyond what any mesh writes, and few
 * enough to be read at every change. Whoever fills it can be removed all the same.
 */
const MAX_RECORDS = 1_000

/** The first record of a new mesh with this node as its only member. */
export function newMesh(signer: Signer, init: { name: string; at: number }): { meshId: string; genesis: RosterRecord } {
  const nonce = randomBytes(16).toString('hex')
  const statement = { type: 'genesis', name: init.name, nonce } as const
  const genesis = signRecord(signer, { parents: [], at: init.at, statement })
  return { meshId: meshIdOf(genesis), genesis }
}

/** A record as the replica stores it. */
export function rosterWrite(record: RosterRecord): SideWrite & { readonly value: Uint8Array } {
  return { namespace: ROSTER_NAMESPACE, key: record.hash, value: record.bytes }
}

export interface RosterComponents {
  readonly side: SideStore
  readonly signer: Signer
  /** Unix milliseconds. */
  readonly now: () => number
}

/** This node's copy of a mesh's roster. */
export class Roster {
  readonly meshId: string
  /** This node's public key, hex. */
  readonly self: string
  readonly #components: RosterComponents
  readonly #records: Map<string, RosterRecord>
  readonly #listeners = new Set<() => void>()
  #state: RosterState

  private constructor(components: RosterComponents, meshId: string, records: readonly RosterRecord[]) {
    this.meshId = meshId
    this.self = Buffer.from(components.signer.publicKey).toString('hex')
    this.#components = components
    this.#records = new Map(records.map((record) => [record.hash, record]))
    this.#state = evaluateRoster(meshId, records)
  }

  /** Reads what the replica keeps. @throws {MeshError} `ROSTER_INVALID` when a stored record is damaged */
  static async load(components: RosterComponents, meshId: string): Promise<Roster> {
    const stored = await components.side.list(ROSTER_NAMESPACE)
    return new Roster(
      components,
      meshId,
      stored.map(({ value }) => parseRecord(value)),
    )
  }

  /** All members, this node included, in order of name. */
  get members(): readonly Member[] {
    return [...this.#state.members.values()].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : a.key < b.key ? -1 : 1,
    )
  }

  /** Public keys (raw) of everybody who ever was a member. */
  get authors(): readonly Uint8Array[] {
    return this.#state.everMembers.map((key) => Buffer.from(key, 'hex'))
  }

  /** Equal on nodes that hold the same records: 16 hex characters. */
  get version(): string {
    return this.#state.version
  }

  /** Every record, to be sent. */
  get records(): readonly RosterRecord[] {
    return [...this.#records.values()]
  }

  member(key: string): Member | undefined {
    return this.#state.members.get(key)
  }

  /** Whether this node itself is a member still. */
  get isSelfMember(): boolean {
    return this.#state.members.has(this.self)
  }

  /** A signed record of this node's, after all that it knows; {@link add} stores it. */
  sign(statement: RosterStatement): RosterRecord {
    const at = Math.floor(this.#components.now() / 1000)
    const subject = statement.type === 'genesis' ? this.self : statement.member
    const parents = this.#state.parentsFor(this.self, subject)
    return signRecord(this.#components.signer, { parents, at, statement })
  }

  /**
   * Takes in records, durably, with other side records in the same batch. What is known, says nothing, or is by nobody
   * who was a member is dropped. Returns how many were taken.
   * @throws {MeshError} `STORAGE_FAILED`
   */
  async add(records: readonly RosterRecord[], alongside: readonly SideWrite[] = []): Promise<number> {
    const state = evaluateRoster(this.meshId, [...this.records, ...records])
    const news = this.#fitting(state.kept.filter(({ hash }) => !this.#records.has(hash)))
    const writes = [...news.map(rosterWrite), ...alongside]
    if (writes.length > 0) await this.#components.side.write(writes)
    // Another call may have added meanwhile: the state is of all records that are there now.
    for (const record of news) this.#records.set(record.hash, record)
    if (news.length > 0) {
      this.#state = evaluateRoster(this.meshId, this.records)
      for (const listener of this.#listeners) listener()
    }
    return news.length
  }

  /**
   * What the log has room for, in its own order, and what does not hang on something left out. The first removal of
   * somebody by somebody always fits.
   */
  #fitting(news: readonly RosterRecord[]): RosterRecord[] {
    const taken: RosterRecord[] = []
    const known = new Map(this.#records)
    const counts = { adds: 0, removals: 0 }
    const removed = new Set<string>()
    const count = ({ author, statement }: RosterRecord) => {
      if (statement.type === 'remove') {
        counts.removals++
        removed.add(`${author} ${statement.member}`)
      } else counts.adds++
    }
    for (const record of known.values()) count(record)
    for (const record of news) {
      const { author, statement, parents } = record
      const fits =
        statement.type === 'remove'
          ? counts.removals < MAX_RECORDS || !removed.has(`${author} ${statement.member}`)
          : counts.adds < MAX_RECORDS
      if (!fits || !parents.every((parent) => known.has(parent))) continue
      count(record)
      known.set(record.hash, record)
      taken.push(record)
    }
    return taken
  }

  /** Called after each change. Returns the way to stop listening. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
