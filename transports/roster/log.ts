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
  /** Keys of everybody who was a member by somebody's word: what they signed then stays valid. */
  readonly everMembers: readonly string[]
  /** Records worth keeping. The others are dropped by every node. */
  readonly kept: readonly RosterRecord[]
  /** Parents for the next record of an author about somebody: first what entitles it, then the latest of the rest. */
  readonly parentsFor: (author: string, subject: string) => readonly string[]
  /** 8 bytes as hex: equal for equal sets. */
  readonly version: string
}

/**
 * Reads a roster. Rules:
 * - The genesis is the record whose hash gives the mesh id; its author is the first member.
 * - A record is kept when its ancestors know its author and whom it removes, and when it does not repeat its author's
 *   last word. It counts when its author was a member by those of its ancestors that count.
 * - A removal beats whatever is concurrent with it: an add of the same member, and every record of that member.
 * - Of members that remove each other at once, the one counts who was in the mesh first. So nobody who was removed can
 *   undo it with a record that pretends to be older, unless it is the older member itself.
 */
export function evaluateRoster(meshId: string, records: readonly RosterRecord[]): RosterState {
  const log = new Log(meshId, records)
  const valid = log.valid()
  return {
    members: log.members(valid),
    everMembers: log.everMembers,
    kept: log.kept.map(({ record }) => record),
    parentsFor: (author, subject) => log.parentsFor(valid, author, subject),
    version: log.version(),
  }
}

/** A record in the log, with the indices of all its ancestors as bits. */
interface Node {
  readonly index: number
  readonly record: RosterRecord
  /** Whom it is about. */
  readonly subject: string
  readonly removes: boolean
  readonly ancestors: Uint32Array
}

class Log {
  /** Parents first, then by distance from the genesis and hash. */
  readonly kept: Node[] = []
  readonly #bySubject = new Map<string, Node[]>()

  constructor(meshId: string, records: readonly RosterRecord[]) {
    const ordered = inOrder(meshId, records)
    const words = Math.ceil(ordered.length / 32)
    const nodes = new Map<string, Node>()
    for (const record of ordered) {
      const parents = record.parents.map((parent) => nodes.get(parent))
      // A record that hangs on one that is dropped is dropped as well.
      if (!parents.every((parent) => parent !== undefined)) continue
      const node = nodeOf(record, this.kept.length, parents, words)
      if (record.statement.type !== 'genesis' && !this.#isWorthKeeping(node)) continue
      nodes.set(record.hash, node)
      this.kept.push(node)
      this.#bySubject.set(node.subject, [...(this.#bySubject.get(node.subject) ?? []), node])
    }
  }

  /** Whoever was added by somebody who was a member by what it knew. */
  get everMembers(): string[] {
    const isByMember = (node: Node) =>
      node.record.statement.type === 'genesis' ||
      this.#membership(node.record.author, (other) => isAncestor(other, node)) !== undefined
    return [...this.#bySubject].flatMap(([key, said]) =>
      said.some((node) => !node.removes && isByMember(node)) ? [key] : [],
    )
  }

  /** Records that count, after the rule on what is concurrent with a removal. */
  valid(): ReadonlySet<Node> {
    const standing: Node[] = []
    let valid = this.#read(standing)
    for (const removal of this.#removalsBySeniority()) {
      if (!valid.has(removal)) continue
      standing.push(removal)
      // Anew only where it takes something away: a flood of removals must not cost their square.
      const undoes = [...valid].some(
        (node) => node !== removal && node.record.author === removal.subject && areConcurrent(node, removal),
      )
      if (undoes) valid = this.#read(standing)
    }
    return valid
  }

  members(valid: ReadonlySet<Node>): Map<string, Member> {
    const members = new Map<string, Member>()
    for (const key of this.#bySubject.keys()) {
      const record = this.#membership(key, (node) => valid.has(node))?.record
      if (record === undefined || record.statement.type === 'remove') continue
      members.set(key, { key, name: record.statement.name, since: record.at })
    }
    return members
  }

  parentsFor(valid: ReadonlySet<Node>, author: string, subject: string): string[] {
    const named = new Set(this.kept.flatMap(({ record }) => record.parents))
    const heads = this.kept.filter(({ record }) => !named.has(record.hash)).reverse()
    // A record names few parents: whoever makes many heads must not crowd out those that others' memberships hang on.
    const above = [author, subject].flatMap((key) => {
      const membership = this.#membership(key, (node) => valid.has(node))
      return (
        heads.find((head) => membership !== undefined && (head === membership || isAncestor(membership, head))) ?? []
      )
    })
    return [...new Set([...above, ...heads])].map(({ record }) => record.hash)
  }

  version(): string {
    const hashes = this.kept.map(({ record }) => record.hash).sort()
    return createHash('sha256').update(hashes.join()).digest('hex').slice(0, 16)
  }

  /**
   * Whether a record is worth keeping, whatever is concurrent with it: by and about people whom its ancestors know, and
   * no mere repetition. Whether it counts is for {@link #read} to say: a removal among the ancestors may be void.
   */
  #isWorthKeeping(node: Node): boolean {
    const isAdded = (key: string) => this.#said(key, node).some(({ removes }) => !removes)
    const { author, statement } = node.record
    if (!isAdded(author) || (node.removes && !isAdded(node.subject))) return false
    const about = this.#said(node.subject, node)
    const last = about.findLast(({ record }) => record.author === author)
    const said = last?.record.statement
    if (last === undefined || said?.type !== statement.type) return true
    if (said.type === 'add' && statement.type === 'add' && said.name !== statement.name) return true
    // A repetition, unless somebody has said something since that may have undone it.
    const since = [...about, ...this.#said(author, node).filter(({ removes }) => removes)]
    return since.some((other) => other !== last && !isAncestor(other, last))
  }

  /** Kept ancestors of a record that are about somebody. */
  #said(key: string, node: Node): Node[] {
    return (this.#bySubject.get(key) ?? []).filter((other) => isAncestor(other, node))
  }

  #read(standing: readonly Node[]): Set<Node> {
    const valid = new Set<Node>()
    for (const node of this.kept) {
      const { author, statement } = node.record
      // What stands, stands by seniority: it is not undone by what became of its author at the same time.
      const isVoid =
        !standing.includes(node) &&
        standing.some((removal) => removal.subject === author && areConcurrent(removal, node))
      const isByMember = () =>
        this.#membership(author, (other) => valid.has(other) && isAncestor(other, node)) !== undefined
      if (!isVoid && (statement.type === 'genesis' || isByMember())) valid.add(node)
    }
    return valid
  }

  /** The latest record, of those that `counts` lets through, by which somebody is a member; undefined if it is none. */
  #membership(key: string, counts: (node: Node) => boolean): Node | undefined {
    const said = (this.#bySubject.get(key) ?? []).filter(counts)
    const removals = said.filter(({ removes }) => removes)
    return said.findLast((add) => !add.removes && removals.every((removal) => isAncestor(removal, add)))
  }

  /** Of whoever has been in the mesh longest first; nobody chooses when it was added itself. */
  #removalsBySeniority(): Node[] {
    const seniority = (node: Node) => this.#bySubject.get(node.record.author)?.[0]?.index ?? Number.MAX_SAFE_INTEGER
    return this.kept.filter(({ removes }) => removes).sort((a, b) => seniority(a) - seniority(b) || a.index - b.index)
  }
}

/** Records that hang together with the genesis. */
function inOrder(meshId: string, records: readonly RosterRecord[]): RosterRecord[] {
  const waiting = new Map<string, RosterRecord[]>()
  const missing = new Map<string, number>()
  const ready: RosterRecord[] = []
  for (const record of new Map(records.map((one) => [one.hash, one])).values()) {
    const isGenesis = record.statement.type === 'genesis'
    if (isGenesis ? meshIdOf(record) !== meshId : record.parents.length === 0) continue
    const parents = new Set(record.parents)
    missing.set(record.hash, parents.size)
    for (const parent of parents) waiting.set(parent, [...(waiting.get(parent) ?? []), record])
    if (isGenesis && parents.size === 0) ready.push(record)
  }
  const depth = new Map<string, number>()
  const placed: RosterRecord[] = []
  for (let record = ready.pop(); record !== undefined; record = ready.pop()) {
    depth.set(record.hash, 1 + Math.max(-1, ...record.parents.map((parent) => depth.get(parent) ?? 0)))
    placed.push(record)
    for (const child of waiting.get(record.hash) ?? []) {
      const left = (missing.get(child.hash) ?? 0) - 1
      missing.set(child.hash, left)
      if (left === 0) ready.push(child)
    }
  }
  const order = ({ hash }: RosterRecord) => depth.get(hash) ?? 0
  return placed.sort((a, b) => order(a) - order(b) || (a.hash < b.hash ? -1 : 1))
}

function nodeOf(record: RosterRecord, index: number, parents: readonly Node[], words: number): Node {
  const ancestors = new Uint32Array(words)
  for (const parent of parents) {
    for (let i = 0; i < words; i++) ancestors[i] = (ancestors[i] as number) | (parent.ancestors[i] as number)
    ancestors[parent.index >>> 5] = (ancestors[parent.index >>> 5] as number) | (1 << (parent.index & 31))
  }
  const { author, statement } = record
  const subject = statement.type === 'genesis' ? author : statement.member
  return { index, record, subject, removes: statement.type === 'remove', ancestors }
}

function isAncestor(node: Node, of: Node): boolean {
  return (((of.ancestors[node.index >>> 5] as number) >>> (node.index & 31)) & 1) === 1
}

function areConcurrent(a: Node, b: Node): boolean {
  return a !== b && !isAncestor(a, b) && !isAncestor(b, a)
}
