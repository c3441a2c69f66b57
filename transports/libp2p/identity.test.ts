import { createPrivateKey, sign, verify } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect, it } from 'vitest'
import type { PeerId } from '../transport.ts'
import { parsePeerId, peerIdFromPublicKey, peerIdFromSeed, privateKeyFromSeed, publicKeyOf } from './identity.ts'
import { seedOf } from './lab-suite.ts'

/** The first test vector of RFC 8032, 7.1. */
const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
const PUBLIC_KEY = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')

it('makes the peer id of a seed, and finds its public key in it', () => {
  const peer = peerIdFromSeed(SEED)
  expect(peer).toMatch(/^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/)
  expect(Buffer.from(publicKeyOf(peer))).toEqual(PUBLIC_KEY)
  expect(peerIdFromPublicKey(PUBLIC_KEY)).toBe(peer)
  expect(parsePeerId(peer)).toBe(peer)
  expect(privateKeyFromSeed(SEED).publicKey.toString()).toBe(peer)
})

it('signs as every other Ed25519 key of the same seed does', async () => {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), SEED])
  const text = Buffer.from('mesh')
  const signature = await privateKeyFromSeed(SEED).sign(text)
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  expect(verify(null, text, key, signature)).toBe(true)
  expect(Buffer.from(signature)).toEqual(sign(null, text, key))
})

it.each([
  ['nothing', ''],
  ['words', 'ceo'],
  ['a peer id cut short', peerIdFromSeed(SEED).slice(0, -1)],
  ['a peer id with a letter changed', peerIdFromSeed(SEED).replace('12D3KooW', '12D3KooX')],
  ['a peer id and more', `${peerIdFromSeed(SEED)} `],
  ['the peer id of an RSA key', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
  ['the peer id of a secp256k1 key', (await generateKeyPair('secp256k1')).publicKey.toString()],
  ['another way to write the same peer id', privateKeyFromSeed(SEED).publicKey.toCID().toString()],
  ['a megabyte', '1'.repeat(1_000_000)],
])('refuses %s as a peer id', (_, text) => {
  expect(() => parsePeerId(text)).toThrow(expect.objectContaining({ code: 'PEER_ID_INVALID', field: 'peerId' }))
  expect(() => publicKeyOf(text as PeerId)).toThrow(expect.objectContaining({ code: 'PEER_ID_INVALID' }))
})

it('refuses keys and seeds of another length', () => {
  const short = expect.objectContaining({ code: 'PEER_ID_INVALID', field: 'publicKey' })
  expect(() => peerIdFromPublicKey(PUBLIC_KEY.subarray(1))).toThrow(short)
  expect(() => peerIdFromPublicKey(new Uint8Array(33))).toThrow(short)
  expect(() => peerIdFromSeed(seedOf('ceo').subarray(1))).toThrow(RangeError)
})
