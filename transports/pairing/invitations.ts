import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { decode, encode } from 'cborg'
import { MeshError } from '../../crdt/errors.ts'
import type { SideStore, SideWrite } from '../../crdt/replica/index.ts'
import type { PeerId } from '../transport.ts'
import { SECRET_BYTES } from './ticket.ts'

/** Where the replica keeps the open and used invitations. */
export const INVITATIONS_NAMESPACE = 'invitations'

/** Tickets that may be open at once; each is somebody's word that a machine will come soon. */
const MAX_OPEN = 100
/** Used and expired tickets are kept this long, so that using one again is told from inventing one. Seconds. */
const REMEMBERED_S = 7 * 24 * 3600

interface Invited {
  /** Hex SHA-256 of the secret: the database holds nothing that lets anybody join. */
  readonly id: string
  readonly expiresAt: number
  readonly usedBy: PeerId | undefined
}

/** The tickets that this node gave out: short-lived, single use. */
export class Invitations {
  readonly #side: SideStore
  readonly #now: () => number
  readonly #known: Map<string, Invited>

  private constructor(side: SideStore, now: () => number, known: readonly Invited[]) {
    this.#side = side
    this.#now = now
    this.#known = new Map(known.map((invited) => [invited.id, invited]))
  }

  /** @param now Unix seconds */
  static async load(side: SideStore, now: () => number): Promise<Invitations> {
    const stored = await side.list(INVITATIONS_NAMESPACE)
    const known = stored.map(({ key, value }): Invited => {
      const [expiresAt, usedBy] = decode(value) as [number, PeerId | null]
      return { id: key, expiresAt, usedBy: usedBy ?? undefined }
    })
    return new Invitations(side, now, known)
  }

  /**
   * Whether somebody may come with a ticket now. Also while a used one has not expired: who comes with it a second time
   * is told so, instead of finding the door shut.
   */
  get isOpen(): boolean {
    return [...this.#known.values()].some(({ expiresAt }) => expiresAt > this.#now())
  }

  /** A new secret, good until `expiresAt` (Unix seconds). @throws {MeshError} `TOO_MANY_TICKETS` */
  async open(expiresAt: number): Promise<Uint8Array> {
    await this.#forgetOld()
    if (
      [...this.#known.values()].filter((one) => one.usedBy === undefined && one.expiresAt > this.#now()).length >=
      MAX_OPEN
    ) {
      throw new MeshError('TOO_MANY_TICKETS', `${MAX_OPEN} tickets are open; use them or let them expire`)
    }
    const secret = randomBytes(SECRET_BYTES)
    const invited = { id: idOf(secret), expiresAt, usedBy: undefined }
    // Counted before it is durable: many may be asked for at once.
    this.#known.set(invited.id, invited)
    try {
      await this.#side.write([write(invited)])
    } catch (error) {
      this.#known.delete(invited.id)
      throw error
    }
    return secret
  }

  /**
   * Checks a secret for a peer. The peer that used a ticket may come with it again: its answer was lost. Returns whether
   * it is that peer.
   * @throws {MeshError} `TICKET_UNKNOWN`, `TICKET_USED`, `TICKET_EXPIRED`
   */
  check(secret: Uint8Array, peer: PeerId): { again: boolean } {
    const id = idOf(secret)
    const invited = [...this.#known.values()].find((one) => timingSafeEqual(Buffer.from(one.id), Buffer.from(id)))
    const hint = 'ask for a new one: `mesh invite` on the other machine'
    if (invited === undefined)
      throw new MeshError('TICKET_UNKNOWN', 'ticket: not given out by this node', { field: 'ticket', hint })
    if (invited.usedBy === peer) return { again: true }
    if (invited.usedBy !== undefined)
      throw new MeshError('TICKET_USED', 'ticket: used already; each is good once', { field: 'ticket', hint })
    if (invited.expiresAt <= this.#now())
      throw new MeshError('TICKET_EXPIRED', 'ticket: expired', { field: 'ticket', hint })
    return { again: false }
  }

  /** What to write, in one batch with the record that makes the peer a member, to mark a checked ticket as used. */
  use(secret: Uint8Array, peer: PeerId): SideWrite {
    const id = idOf(secret)
    const invited = { id, expiresAt: this.#known.get(id)?.expiresAt ?? 0, usedBy: peer }
    this.#known.set(id, invited)
    return write(invited)
  }

  async #forgetOld(): Promise<void> {
    const old = [...this.#known.values()].filter(({ expiresAt }) => expiresAt + REMEMBERED_S < this.#now())
    for (const { id } of old) this.#known.delete(id)
    await this.#side.write(old.map(({ id }) => ({ namespace: INVITATIONS_NAMESPACE, key: id, value: undefined })))
  }
}

const idOf = (secret: Uint8Array) => createHash('sha256').update(secret).digest('hex')

function write({ id, expiresAt, usedBy }: Invited): SideWrite {
  return { namespace: INVITATIONS_NAMESPACE, key: id, value: encode([expiresAt, usedBy ?? null]) }
}
