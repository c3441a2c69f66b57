import type { PeerId } from './transport.ts'

/** A member of the mesh as this node sees it. */
export interface PeerStatus {
  readonly nodeId: string
  readonly peerId: PeerId
  readonly connected: boolean
  /** Whether the last reconciliation proved both replicas equal and nothing was committed here since. */
  readonly equal: boolean
  /** Unix milliseconds at which the last reconciliation ended well, or null while there was none. */
  readonly lastSync: number | null
  /** Multiaddr of the live connection, or null. */
  readonly address: string | null
  /** Entries from this peer that could not be opened within limits, and wait to be tried again. */
  readonly incomplete: number
  /** Entries that this node or the peer refuses by rule: both leave them out, and count as equal without them. */
  readonly refused: number
  /** The last failure to reach or reconcile with it, in one line, or null. */
  readonly error: string | null
}

/** Something an operator should know or mend, as `mesh doctor` prints it. */
export interface Finding {
  /** Stable, dotted: `roster.same-name`, `peer.cloned`. Documented in docs/doctor.md. */
  readonly checkId: string
  readonly severity: 'info' | 'warning' | 'error'
  readonly message: string
  /** The file or place it is about. */
  readonly path?: string
  readonly fixHint?: string
}

export interface Invitation {
  /** `mesh-ticket-1.…`: everything the other machine needs, once, until it expires. A secret. */
  readonly ticket: string
  /** Unix seconds. */
  readonly expiresAt: number
  readonly addresses: readonly string[]
}

/** Progress of long work: `done` of `total` (undefined while unknown) in the named phase. */
export interface Progress {
  readonly phase: string
  readonly peer?: string
  readonly done: number
  readonly total?: number
}

export interface LongWorkOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
}

/** How reconciling with one peer went. */
export interface PeerSyncReport {
  readonly nodeId: string
  readonly peerId: PeerId
  /** Proven equal: each durably holds everything that the other held when the session began. */
  readonly equal: boolean
  readonly entriesSent: number
  readonly entriesReceived: number
  /** Bytes on the stream, framing included. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly roundTrips: number
  readonly milliseconds: number
  /** Why it is not equal, with its stable code. */
  readonly error?: { readonly code: string; readonly message: string }
}

export interface SyncReport {
  /** True only when every other member was reached and proven equal (also when there is none). */
  readonly equal: boolean
  readonly peers: readonly PeerSyncReport[]
}

export interface JoinReport {
  readonly meshId: string
  /** Names of the members after joining, this node included. */
  readonly members: readonly string[]
  /** How many entries this node brought along and vouched for. */
  readonly vouched: number
}

/** The mesh as an operator steers it. Implemented by `transports/sync`, called by the daemon's API. */
export interface Mesh {
  readonly meshId: string
  readonly nodeId: string
  readonly peerId: PeerId
  /** All members but this node, in order of name. */
  peers(): PeerStatus[]
  findings(): Finding[]
  /** Where others can dial this node. */
  addresses(): string[]
  /** @throws {MeshError} `INVITE_NO_ADDRESS` when no other machine could reach this one */
  invite(init: { ttlSeconds: number }): Promise<Invitation>
  /**
   * Joins the mesh of a ticket, taking this node's entries along.
   * @throws {MeshError} `TICKET_MALFORMED`, `TICKET_EXPIRED`, `TICKET_USED`, `TICKET_UNKNOWN`, `TICKET_OWN`,
   * `ALREADY_MEMBER`, `HAS_PEERS` (leave first), `NAME_TAKEN`, `PEER_UNREACHABLE`
   */
  join(ticket: string, options?: LongWorkOptions): Promise<JoinReport>
  /**
   * Leaves the mesh: this node keeps its entries and is alone again, in the new mesh `meshId`; `told` is how many members
   * heard it at once. @throws {MeshError} `NOT_IN_A_MESH`
   */
  leave(options?: LongWorkOptions): Promise<{ meshId: string; told: number }>
  /** Removes a member by peer id or unambiguous name. @throws {MeshError} `PEER_UNKNOWN`, `PEER_AMBIGUOUS`, `PEER_IS_SELF` */
  removePeer(peer: string): Promise<{ nodeId: string; peerId: PeerId }>
  /** Reconciles with every other member now. */
  sync(options?: LongWorkOptions): Promise<SyncReport>
}
