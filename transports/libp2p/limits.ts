/**
 * Every bound of the libp2p transport, with its reason. All can be set, which tests use to be quick; where a value is
 * libp2p's own default it says so.
 */
export interface Libp2pLimits {
  /** Connections in all, in and out. libp2p's default; a mesh of 50 machines needs 100 at the very worst moment. */
  readonly maxConnections: number
  /** Connections of one peer: two that dial each other at once make 2, a dead one not yet noticed makes 3 or 4. */
  readonly maxConnectionsPerPeer: number
  /**
   * Inbound connections that have not yet shown who they are, in all. Above what one host can hold, which is
   * `inboundPerHostPerSecond` times `upgradeTimeoutMs` (100): a single slow host does not shut the others out.
   * libp2p's default is 10.
   */
  readonly maxPendingInbound: number
  /**
   * New inbound connections a second from one address; above that they are dropped unread. A handshake costs about 3 ms
   * of one core, so a host that floods takes 6 % of it. libp2p's default is 5, too few for a mesh behind one router.
   */
  readonly inboundPerHostPerSecond: number
  /** For an inbound connection to show who it is: three round trips, also over a slow radio link. libp2p: 10 s. */
  readonly upgradeTimeoutMs: number
  /** Inbound channels of one protocol on one connection. libp2p's default. */
  readonly maxInboundChannels: number
  /** Outbound channels of one protocol on one connection. libp2p's default. */
  readonly maxOutboundChannels: number
  /** Bytes that a peer may send on a channel beyond what is read from it: 10 MB/s at 100 ms. yamux's default is 16 MiB. */
  readonly maxStreamWindowBytes: number
  /**
   * Connections of strangers while an invitation is open. One ticket serves one machine, and somebody sets up a few at
   * a time by hand; a stranger that takes all of them loses them again within `guestLifetimeMs`.
   */
  readonly maxGuests: number
  /** A guest that opens no channel, or moves no frame for so long, is cut. */
  readonly guestIdleMs: number
  /** A guest that has not become a member by then is cut, whatever it does. Joining takes a second. */
  readonly guestLifetimeMs: number
  /** For dialling all addresses of a peer, one after the other. */
  readonly dialTimeoutMs: number
  /** For one address. A host that drops packets must not use up the time of the address after it. libp2p: 6 s. */
  readonly addressDialTimeoutMs: number
  /** Addresses tried of one peer; the rest is left out. A machine with containers has ten. */
  readonly maxDialAddresses: number
  /** For the peer to answer which protocol a new channel speaks. libp2p's default. */
  readonly openTimeoutMs: number
  /** For the last frames of a channel to leave, and for the other side to close as well. Then it is aborted. */
  readonly closeTimeoutMs: number
  /** For a connection to end in good order in `hangUp`. libp2p's default. */
  readonly hangUpTimeoutMs: number
  /** How often each connection is tested. A link that died silently is noticed after this and `pingTimeoutMs` at most. */
  readonly pingIntervalMs: number
  /** For the answer to such a test. Above what one full window (1 MiB) ahead of it takes at 1 Mbit/s: 8 s. */
  readonly pingTimeoutMs: number
}

export const DEFAULT_LIMITS: Libp2pLimits = {
  maxConnections: 300,
  maxConnectionsPerPeer: 8,
  maxPendingInbound: 128,
  inboundPerHostPerSecond: 20,
  upgradeTimeoutMs: 5_000,
  maxInboundChannels: 32,
  maxOutboundChannels: 64,
  maxStreamWindowBytes: 1024 * 1024,
  maxGuests: 8,
  guestIdleMs: 10_000,
  guestLifetimeMs: 60_000,
  dialTimeoutMs: 30_000,
  addressDialTimeoutMs: 5_000,
  maxDialAddresses: 16,
  openTimeoutMs: 10_000,
  closeTimeoutMs: 30_000,
  hangUpTimeoutMs: 1_000,
  pingIntervalMs: 15_000,
  pingTimeoutMs: 20_000,
}
