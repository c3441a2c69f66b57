import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { MESH_SCOPE } from './entry/index.ts'
import {
  changeMessage,
  createSigner,
  PUBLIC_KEY_BYTES,
  SEED_BYTES,
  SIGNATURE_BYTES,
  verifyChange,
  verifyMessage,
} from './signing.ts'

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const seeds = fc.uint8Array({ minLength: SEED_BYTES, maxLength: SEED_BYTES })
const messages = fc.uint8Array({ maxLength: 300 })

/** RFC 8032, section 7.1: seed, public key, message, signature. */
const VECTORS = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const

describe('both libraries', () => {
  test.each(VECTORS)('sign as RFC 8032 says: seed %s', async (seed, publicKey, message, signature) => {
    const signer = createSigner(bytes(seed))
    expect(Buffer.from(signer.publicKey).toString('hex')).toBe(publicKey)
    expect(Buffer.from(signer.signChange(bytes(message))).toString('hex')).toBe(signature)
    expect(Buffer.from(await signer.signChangeLater(bytes(message))).toString('hex')).toBe(signature)
    expect(Buffer.from(signer.signMessage(bytes(message))).toString('hex')).toBe(signature)
    expect(verifyChange(bytes(publicKey), bytes(message), bytes(signature))).toBe(true)
    expect(verifyMessage(bytes(publicKey), bytes(message), bytes(signature))).toBe(true)
  })

  it('give the same signature, and each takes it', () => {
    const property = fc.property(seeds, messages, (seed, message) => {
      const signer = createSigner(seed)
      const signature = signer.signChange(message)
      expect(Buffer.from(signer.signMessage(message))).toEqual(Buffer.from(signature))
      expect(verifyChange(signer.publicKey, message, signature)).toBe(true)
      expect(verifyMessage(signer.publicKey, message, signature)).toBe(true)
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('refuse a signature with one bit changed, of another message, and of another key', () => {
    const other = createSigner(new Uint8Array(SEED_BYTES).fill(9))
    const property = fc.property(seeds, messages, fc.nat(8 * SIGNATURE_BYTES - 1), (seed, message, bit) => {
      const signer = createSigner(seed)
      const torn = signer.signChange(message).slice()
      torn[bit >> 3] = (torn[bit >> 3] as number) ^ (1 << (bit & 7))
      const longer = Buffer.concat([message, Buffer.of(0)])
      for (const verify of [verifyChange, verifyMessage]) {
        expect(verify(signer.publicKey, message, torn)).toBe(false)
        expect(verify(signer.publicKey, longer, signer.signChange(message))).toBe(false)
        expect(verify(other.publicKey, message, signer.signChange(message))).toBe(false)
      }
    })
    fc.assert(property, { numRuns: 30 })
  })
})

describe('malformed keys and signatures', () => {
  it('are false, never an error, whatever their bytes and length', () => {
    const any = fc.uint8Array({ maxLength: 100 })
    const property = fc.property(any, messages, any, (publicKey, message, signature) => {
      fc.pre(publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES)
      expect(verifyChange(publicKey, message, signature)).toBe(false)
      expect(verifyMessage(publicKey, message, signature)).toBe(false)
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('are false when they are random bytes of the right length, be the key a point of the curve or not', () => {
    const property = fc.property(fc.nat(), messages, (n, message) => {
      const key = createHash('sha256').update(`${n}`).digest()
      const signature = createHash('sha512').update(`${n}`).digest()
      expect(verifyChange(key, message, signature)).toBe(false)
      expect(verifyMessage(key, message, signature)).toBe(false)
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('are false where only the length is wrong', () => {
    const signer = createSigner(new Uint8Array(SEED_BYTES).fill(1))
    const message = bytes('00')
    const signature = signer.signChange(message)
    for (const verify of [verifyChange, verifyMessage]) {
      expect(verify(signer.publicKey.subarray(1), message, signature)).toBe(false)
      expect(verify(Buffer.concat([signer.publicKey, Buffer.of(0)]), message, signature)).toBe(false)
      expect(verify(signer.publicKey, message, signature.subarray(0, -1))).toBe(false)
      expect(verify(signer.publicKey, message, Buffer.concat([signature, Buffer.of(0)]))).toBe(false)
      expect(verify(new Uint8Array(), message, new Uint8Array())).toBe(false)
    }
  })

  it('do not spoil the keys that are kept parsed, however many come', () => {
    const signer = createSigner(new Uint8Array(SEED_BYTES).fill(2))
    const signature = signer.signChange(bytes('01'))
    for (let i = 0; i < 1_200; i++) {
      const key = Buffer.alloc(32)
      key.writeUInt32BE(i)
      verifyChange(key, bytes('01'), signature)
    }
    expect(verifyChange(signer.publicKey, bytes('01'), signature)).toBe(true)
  })

  it('cannot be made a signer of', () => {
    expect(() => createSigner(new Uint8Array(31))).toThrow()
    expect(() => createSigner(new Uint8Array(33))).toThrow()
  })
})

describe('the message that an author signs', () => {
  const id = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' } as const
  const hash = new Uint8Array(32).fill(5)
  const told = (...parts: Parameters<typeof changeMessage>) => Buffer.from(changeMessage(...parts)).toString('hex')

  it('is another one for every mesh, kind, scope, key and change', () => {
    const said = [
      told('mesh', id, hash),
      told('mesi', id, hash),
      told('mesh', { ...id, kind: 'skill' }, hash),
      told('mesh', { ...id, scope: 'node' as typeof MESH_SCOPE }, hash),
      told('mesh', { ...id, key: 'plan2' }, hash),
      told('mesh', id, new Uint8Array(32).fill(6)),
    ]
    expect(new Set(said).size).toBe(said.length)
  })

  it('cannot be read as that of other parts, wherever one ends and the next begins', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 6 })
    const parts = fc.tuple(text, text, text)
    const property = fc.property(parts, parts, (a, b) => {
      const message = ([mesh, scope, key]: readonly string[]) =>
        told(mesh as string, { ...id, scope: scope as typeof MESH_SCOPE, key: key as string }, hash)
      expect(message(a) === message(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
    })
    fc.assert(property, { numRuns: 300 })
    expect(told('ab', { ...id, scope: 'c' as typeof MESH_SCOPE, key: 'd' }, hash)).not.toBe(
      told('a', { ...id, scope: 'bc' as typeof MESH_SCOPE, key: 'd' }, hash),
    )
  })

  it('begins with its version, so that nothing else that is signed can pass for it', () => {
    expect(
      Buffer.from(changeMessage('m', id, hash))
        .subarray(4, 26)
        .toString(),
    ).toBe('openclaw-mesh change 1')
  })
})
