/**
 * The transport over libp2p: TCP, Noise, yamux; one Ed25519 key is the node's identity. Who is no member of the roster
 * is cut right after Noise has proved its peer id, before it can open anything.
 */

import type { Transport } from '../transport.ts'
import { Libp2pTransport, type Libp2pTransportComponents } from './libp2p-transport.ts'
import { DEFAULT_LIMITS, type Libp2pLimits } from './limits.ts'

export { createDialler, type Dialler, type DiallerComponents, type DiallerInit, type DialTarget } from './dialler.ts'
export { parsePeerId, peerIdFromPublicKey, peerIdFromSeed, publicKeyOf } from './identity.ts'
export type { Libp2pTransportComponents } from './libp2p-transport.ts'
export type { Libp2pLimits } from './limits.ts'
export type { Log } from './log.ts'

export interface Libp2pTransportInit {
  /** The 32-byte Ed25519 seed that is this node's identity. */
  readonly seed: Uint8Array
  /** Multiaddrs to listen on, such as `/ip4/0.0.0.0/tcp/4079`; port 0 takes a free one; none only dials. */
  readonly listen: readonly string[]
  /** Multiaddrs under which others reach this node that it cannot know by itself: a router's, a name's. */
  readonly announce?: readonly string[]
  /** Replaces single bounds of {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<Libp2pLimits>
}

/** Makes a transport, not started. @throws RangeError unless the seed has 32 bytes */
export function createLibp2pTransport(components: Libp2pTransportComponents, init: Libp2pTransportInit): Transport {
  return new Libp2pTransport(components, {
    seed: init.seed,
    listen: init.listen,
    announce: init.announce ?? [],
    limits: { ...DEFAULT_LIMITS, ...init.limits },
  })
}
