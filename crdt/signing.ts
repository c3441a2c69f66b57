import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { getPublicKey, hashes, sign as nobleSign, verify as nobleVerify } from '@noble/ed25519'
import { lengthPrefixed } from './bytes.ts'
import type { EntryId } from './entry/index.ts'

/**
 * The only module that touches keys. Ed25519 (RFC 8032) throughout. The changes of entries, which are many, are signed
 * and verified by `node:crypto` (22 and 61 µs); single messages, tickets and roster records by @noble/ed25519 (250 and
 * 912 µs). A test proves that both give and take the same signatures.
 */

const signLater: (algorithm: null, message: Uint8Array, key: KeyObject) => Promise<Uint8Array> = promisify(nodeSign)

hashes.sha512 = (message) => createHash('sha512').update(message).digest()

/** Bytes of a private seed, a public key and a signature. */
export const SEED_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

// DER wrappings of a raw Ed25519 key (RFC 8410), since node:crypto takes no raw ones.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** Most public keys kept parsed; a mesh has tens of members. */
const KEPT_KEYS = 1_024

/** A node's own key, ready to sign. */
export interface Signer {
  readonly publicKey: Uint8Array
  /** Signs one of many: the hash of a change in an entry (see {@link changeMessage}). */
  signChange(message: Uint8Array): Uint8Array
  /** As {@link signChange}, on another thread: a seventh of the time on this one, but later. */
  signChangeLater(message: Uint8Array): Promise<Uint8Array>
  /** Signs a single message: a roster record, a ticket, a post. */
  signMessage(message: Uint8Array): Uint8Array
  /** 32 secret bytes for another use, always the same for the same label (HMAC-SHA-256). They tell nothing of the key. */
  derive(label: string): Uint8Array
}

/** @param seed 32 secret bytes */
export function createSigner(seed: Uint8Array): Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  return {
    publicKey: getPublicKey(seed),
    signChange: (message) => nodeSign(null, message, key),
    signChangeLater: (message) => signLater(null, message, key),
    signMessage: (message) => nobleSign(message, seed),
    derive: (label) => createHmac('sha256', seed).update(lengthPrefixed('openclaw-mesh derive 1', label)).digest(),
  }
}

const parsedKeys = new Map<string, KeyObject>()

/** Whether `signature` over `message` is by the owner of `publicKey`. False, never an error, for malformed input. */
export function verifyChange(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  const name = Buffer.from(publicKey).toString('base64')
  let key = parsedKeys.get(name)
  try {
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
      if (parsedKeys.size >= KEPT_KEYS) parsedKeys.clear()
      parsedKeys.set(name, key)
    }
    return nodeVerify(null, message, key, signature)
  } catch {
    return false
  }
}

/** As {@link verifyChange}, for single messages. */
export function verifyMessage(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return nobleVerify(signature, message, publicKey)
  } catch {
    return false
  }
}

/** What an author signs of a change: it binds the change to its mesh and entry. @param changeHash 32 bytes */
export function changeMessage(meshId: string, id: EntryId, changeHash: Uint8Array): Uint8Array {
  return lengthPrefixed('openclaw-mesh change 1', meshId, id.kind, id.scope, id.key, changeHash)
}
