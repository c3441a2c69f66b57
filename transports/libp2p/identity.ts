/** Between an Ed25519 key and the peer id that libp2p makes of it: base58btc of an identity multihash of the key. */

import { privateKeyFromRaw, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey as libp2pPeerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import { MeshError } from '../../crdt/errors.ts'
import { createSigner, PUBLIC_KEY_BYTES, SEED_BYTES } from '../../crdt/signing.ts'
import type { PeerId } from '../transport.ts'

/** The longest text that is looked at; an Ed25519 peer id has 52 characters. */
const MAX_PEER_ID_TEXT = 64

function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  if (seed.byteLength !== SEED_BYTES) {
    throw new RangeError(`an Ed25519 seed has ${SEED_BYTES} bytes, not ${seed.byteLength}`)
  }
  return createSigner(seed).publicKey
}

/** The key pair in libp2p's own type. @throws RangeError unless the seed has 32 bytes */
export function privateKeyFromSeed(seed: Uint8Array): PrivateKey {
  return privateKeyFromRaw(Buffer.concat([seed, publicKeyFromSeed(seed)]))
}

/** The peer id of the key that grows from a 32-byte Ed25519 seed. @throws RangeError unless the seed has 32 bytes */
export function peerIdFromSeed(seed: Uint8Array): PeerId {
  return peerIdFromPublicKey(publicKeyFromSeed(seed))
}

/** The peer id of a 32-byte Ed25519 public key. @throws {MeshError} `PEER_ID_INVALID` for any other number of bytes */
export function peerIdFromPublicKey(publicKey: Uint8Array): PeerId {
  if (publicKey.byteLength !== PUBLIC_KEY_BYTES) {
    const message = `publicKey has ${publicKey.byteLength} bytes; an Ed25519 public key has ${PUBLIC_KEY_BYTES}`
    throw new MeshError('PEER_ID_INVALID', message, { field: 'publicKey' })
  }
  return libp2pPeerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString() as PeerId
}

/** The 32-byte Ed25519 public key that a peer id holds. @throws {MeshError} `PEER_ID_INVALID` */
export function publicKeyOf(peer: PeerId): Uint8Array {
  return parse(peer).publicKey.raw
}

/**
 * Takes a peer id as text from outside. Only the one usual form of an Ed25519 peer id (`12D3Koo…`) passes, so that
 * equal peers are always equal text.
 * @throws {MeshError} `PEER_ID_INVALID`
 */
export function parsePeerId(text: string): PeerId {
  parse(text)
  return text as PeerId
}

function parse(text: string): Ed25519PeerId {
  let cause: unknown
  if (text.length <= MAX_PEER_ID_TEXT) {
    try {
      const peer = peerIdFromString(text)
      if (peer.type === 'Ed25519' && peer.toString() === text) return peer
    } catch (error) {
      cause = error
    }
  }
  const shown = JSON.stringify(text.length > MAX_PEER_ID_TEXT ? `${text.slice(0, MAX_PEER_ID_TEXT)}…` : text)
  const message = `peerId ${shown} is not the peer id of an Ed25519 key; it looks like 12D3Koo… (52 characters)`
  throw new MeshError('PEER_ID_INVALID', message, { field: 'peerId', cause })
}
