/**
 * The contract of a transport: how this node reaches members of its mesh, whatever carries the bytes. Every
 * implementation passes `transport-suite.ts` on the real thing.
 */

/** A node's identity on the wire: the libp2p peer id of its Ed25519 key, as text (`12D3Koo…`). */
export type PeerId = string & { readonly __brand: 'PeerId' }

/** The largest frame that travels, in bytes. A larger one is refused by its announced length, before any is allocated. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024

/** One ordered two-way stream of frames to one peer. Frames arrive whole and in order, or the channel fails. */
export interface Channel {
  /** Whom the transport proved to be at the other end. */
  readonly peer: PeerId
  /**
   * Sends one frame; resolves when the transport has taken it and wants more (back-pressure), so awaiting every call
   * bounds memory. Frames sent without awaiting keep their order. The transport may hold on to the frame until the
   * channel is closed: do not change its bytes after handing it over.
   * @throws {MeshError} `FRAME_TOO_LARGE` above {@link MAX_FRAME_BYTES}; `CHANNEL_CLOSED` after close, abort or loss
   */
  send(frame: Uint8Array): Promise<void>
  /**
   * What the peer sends, until it closes its side. A frame is taken off the wire only when asked for. May be iterated
   * once. Throws `CHANNEL_CLOSED` when the channel is lost and `FRAME_TOO_LARGE` when the peer announces too much
   * (which aborts the channel).
   */
  readonly frames: AsyncIterable<Uint8Array>
  /**
   * Ends this side in good order once what was sent is out; the peer's side may still be read. Idempotent. Resolves also
   * when the channel was lost before, and when the peer takes nothing for too long, which aborts it.
   */
  close(): Promise<void>
  /** Drops the channel at once, both ways. Idempotent. */
  abort(reason: Error): void
}

/** Who may be served: `member` is cut at the gate unless the roster lists it; `guest` also takes peers not (yet) in it. */
export type Access = 'member' | 'guest'

/** Asked by the transport before a peer is let in; answered by the roster. */
export interface Gate {
  /** Whether the mesh's roster lists the peer now. */
  isMember(peer: PeerId): boolean
  /** Whether strangers may connect at all just now (an invitation is open). They reach `guest` protocols only. */
  admitsGuests(): boolean
}

export interface PeerEvent {
  readonly type: 'connected' | 'disconnected'
  readonly peer: PeerId
}

export interface OpenOptions {
  /** Aborts dialling and opening; checked first. */
  readonly signal?: AbortSignal
}

/**
 * Called for each inbound channel; the channel is aborted when it rejects, and closed when it resolves (and aborted
 * some time later if the peer does not close its side too).
 */
export type ChannelHandler = (channel: Channel) => Promise<void>

export interface Transport {
  readonly self: PeerId
  /**
   * Begins to listen. @throws {MeshError} `PORT_IN_USE` and `LISTEN_FAILED`, with the address as `field`;
   * `TRANSPORT_STOPPED` after {@link stop}: make a new one
   */
  start(): Promise<void>
  /** Aborts every channel, closes every connection, stops listening. Idempotent, also after a failed start. */
  stop(): Promise<void>
  /** Where others can dial this node, as multiaddrs without the peer id; announced addresses first. */
  addresses(): string[]
  /** Members connected now. */
  connected(): PeerId[]
  /** Multiaddr of the remote end of a live connection to the peer, or undefined. */
  remoteAddress(peer: PeerId): string | undefined
  /**
   * Serves a protocol. Register before {@link start}. A `guest` protocol is registered on both sides: only such a one
   * can be opened to a peer that is no member. @throws if it is served already, or after start
   */
  handle(protocol: string, access: Access, handler: ChannelHandler): void
  /**
   * Connects to a peer at the given multiaddrs (tried in order, in parallel where the implementation likes) unless it
   * is connected already. Resolves once the peer has admitted this node. A peer that is no member may be dialled: it is
   * a guest then, on both sides. Addresses that make no sense are left out.
   * @throws {MeshError} `PEER_UNREACHABLE`, `TRANSPORT_STOPPED`; the signal's reason when it aborts
   */
  dial(peer: PeerId, addresses: readonly string[], options?: OpenOptions): Promise<void>
  /**
   * Opens a channel to a connected peer, on any live connection. A peer that refuses (it holds this node for a guest)
   * may do so only after opening: the channel is then lost.
   * @throws {MeshError} `PEER_NOT_CONNECTED` (also for a peer that is no member, save for `guest` protocols),
   * `PROTOCOL_UNSUPPORTED`, `CHANNEL_CLOSED`; the signal's reason when it aborts
   */
  open(peer: PeerId, protocol: string, options?: OpenOptions): Promise<Channel>
  /** Ends all connections to the peer, if any: it left, was removed, or broke the protocol. */
  hangUp(peer: PeerId): Promise<void>
  /**
   * To be called when the roster has changed: asks the gate again about everybody who is connected. Members that are
   * none any more are cut; guests that became members are told of as connected.
   */
  recheck(): void
  /**
   * Tells when a member's first connection comes and its last one goes, in turns for each peer. Returns the way to stop
   * listening.
   */
  onPeer(listener: (event: PeerEvent) => void): () => void
}
