import { createHash } from 'node:crypto'
import { meshIdOf, type RosterRecord } from './record.ts'

/** A member of a mesh. */
export interface Member {
  /** Raw Ed25519 public key, hex. */
  readonly key: string
  readonly name: string
  /** Unix seconds at which it became a member under this name. */
  readonly since: number
}

/** What a set of records says, the same on every node that holds the same set, in whatever order it came. */
export interface RosterState {
  readonly members: ReadonlyMap<string, Member>
  /** Keys of everybody who ever was a member: what they signed then stays valid. */
  readonly everMembers: readonly string[]
  /** Records that no other names as a parent: the parents of the next one. */
  readonly heads: readonly string[]
  /** 8 bytes as hex: equal for equal sets. */
  readonly version: string
}

/**
 * Reads a roster. Rules:
 * - The genesis is the record whose hash gives the mesh id; its author is the first member.
 * - A record counts when its author was a member by what the record's ancestors say.
 * - A remove beats whatever is concurrent with it: an add of the same member, and every record of that member.
 * - Of two members that remove each other at once, the record that comes first counts: by distance from the genesis,
 *   then by hash.
 */
export function evaluateRoster(meshId: string, records: readonly RosterRecord[]): RosterState {
  const log = new Log(meshId, records)
  return { ...log.evaluate(), heads: log.heads(), version: log.version() }
}

class Log {
  readonly #ordered: readonly RosterRecord[]
  readonly #ancestors = new Map<string, ReadonlySet<string>>()

  constructor(meshId: string, records: readonly RosterRecord[]) {
    this.#ordered = this.#order(meshId, records)
  }

  evaluate(): Pick<RosterState, 'members' | 'everMembers'> {
    // Removals are taken in order, each read under those before it: one by somebody whom a removed member had added
    // at the same time stands no more than the add does.
    const removals: RosterRecord[] = []
    let valid = this.#read(removals)
    for (const record of this.#ordered) {
      if (record.statement.type !== 'remove' || !valid.includes(record)) continue
      removals.push(record)
      valid = this.#read(removals)
    }
    return {
      members: this.#members(valid),
      everMembers: [...new Set(valid.flatMap((record) => memberOf(record) ?? []))],
    }
  }

  heads(): string[] {
    const named = new Set(this.#ordered.flatMap(({ parents }) => parents))
    return this.#ordered.map(({ hash }) => hash).filter((hash) => !named.has(hash))
  }

  version(): string {
    const hashes = this.#ordered.map(({ hash }) => hash).sort()
    return createHash('sha256').update(hashes.join()).digest('hex').slice(0, 16)
  }

  /** Records that hang together with the genesis, parents first, then by distance from it and hash. */
  #order(meshId: string, records: readonly RosterRecord[]): RosterRecord[] {
    const depth = new Map<string, number>()
    const placed: RosterRecord[] = []
    let waiting = [...new Map(records.map((record) => [record.hash, record])).values()]
    for (let before = -1; placed.length !== before; ) {
      before = placed.length
      const later: RosterRecord[] = []
      for (const record of waiting) {
        const isGenesis = record.statement.type === 'genesis'
        const known = isGenesis ? meshIdOf(record) === meshId : record.parents.length > 0
        if (!known || !record.parents.every((parent) => depth.has(parent))) {
          later.push(record)
          continue
        }
        const parents = record.parents
        depth.set(record.hash, 1 + Math.max(-1, ...parents.map((parent) => depth.get(parent) as number)))
        this.#ancestors.set(record.hash, new Set([...parents, ...parents.flatMap((p) => [...this.#ancestorsOf(p)])]))
        placed.push(record)
      }
      waiting = later
    }
    const order = (record: RosterRecord) => depth.get(record.hash) as number
    return placed.sort((a, b) => order(a) - order(b) || (a.hash < b.hash ? -1 : 1))
  }

  /** The records that count, given the removals that stand. */
  #read(removals: readonly RosterRecord[]): RosterRecord[] {
    const valid: RosterRecord[] = []
    for (const record of this.#ordered) {
      const { statement } = record
      const before = valid.filter(({ hash }) => this.#ancestorsOf(record.hash).has(hash))
      const entitled = statement.type === 'genesis' || this.#members(before).has(record.author)
      if (entitled && !this.#isVoid(record, removals)) valid.push(record)
    }
    return valid
  }

  /** Whether a record is by somebody whom a concurrent removal ends. */
  #isVoid(record: RosterRecord, removals: readonly RosterRecord[]): boolean {
    return removals.some(
      (removal) =>
        removal.hash !== record.hash && memberOf(removal) === record.author && this.#areConcurrent(removal, record),
    )
  }

  #members(valid: readonly RosterRecord[]): Map<string, Member> {
    const removals = valid.filter(({ statement }) => statement.type === 'remove')
    const members = new Map<string, Member>()
    for (const record of valid) {
      const key = memberOf(record)
      const { statement } = record
      if (key === undefined || statement.type === 'remove') continue
      const ended = removals.some(
        (removal) => memberOf(removal) === key && !this.#ancestorsOf(record.hash).has(removal.hash),
      )
      if (!ended) members.set(key, { key, name: statement.name, since: record.at })
    }
    return members
  }

  #areConcurrent(a: RosterRecord, b: RosterRecord): boolean {
    return !this.#ancestorsOf(a.hash).has(b.hash) && !this.#ancestorsOf(b.hash).has(a.hash)
  }

  #ancestorsOf(hash: string): ReadonlySet<string> {
    return this.#ancestors.get(hash) ?? new Set()
  }
}

/** Whom a record is about. */
function memberOf({ author, statement }: RosterRecord): string | undefined {
  return statement.type === 'genesis' ? author : statement.member
}
