import { encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lengthPrefixed } from '../../crdt/bytes.ts'
import { LONG } from '../../test/support/long.ts'
import { person } from '../pairing/lab-suite.ts'
import { meshIdOf, parseRecord, type RosterRecord, signRecord } from './record.ts'

const [ceo, sec] = [person('ceo'), person('sec')]
const invalid = expect.objectContaining({ code: 'ROSTER_INVALID' })
const HASH = 'ab'.repeat(32)

const genesis = signRecord(ceo.signer, { parents: [], at: 1, statement: { type: 'genesis', name: 'ceo', nonce: 'n' } })

/** A record of any content, signed in the way that records are. */
function sealed(body: unknown): Uint8Array {
  const bytes = encode(body)
  return encode([bytes, ceo.signer.signMessage(lengthPrefixed('openclaw-mesh roster 1', bytes))])
}

describe('a roster record', () => {
  it('reads as it was signed', () => {
    const statements: readonly RosterRecord['statement'][] = [
      { type: 'genesis', name: 'ceo', nonce: 'n' },
      { type: 'add', member: sec.key, name: '\u00fc \u{1f600}' },
      { type: 'remove', member: sec.key },
    ]
    for (const statement of statements) {
      const record = signRecord(ceo.signer, { parents: [HASH], at: 5, statement })
      expect(parseRecord(record.bytes)).toEqual(record)
      expect(record).toMatchObject({ author: ceo.key, at: 5, parents: [HASH], statement })
    }
  })

  it('names every mesh differently, and one the same for everybody', () => {
    const other = signRecord(ceo.signer, {
      parents: [],
      at: 1,
      statement: { type: 'genesis', name: 'ceo', nonce: 'm' },
    })
    expect(meshIdOf(genesis)).toMatch(/^[0-9a-f]{32}$/)
    expect(meshIdOf(other)).not.toBe(meshIdOf(genesis))
    expect(meshIdOf(parseRecord(genesis.bytes))).toBe(meshIdOf(genesis))
  })

  it('is the same for whoever names its parents in another order', () => {
    const make = (parents: string[]) =>
      signRecord(ceo.signer, { parents, at: 5, statement: { type: 'remove', member: sec.key } }).hash
    expect(make([HASH, 'cd'.repeat(32)])).toBe(make(['cd'.repeat(32), HASH]))
  })

  it.each<[string, unknown]>([
    ['nothing', []],
    ['another version', [2, ceo.key, [], 1, 'remove', sec.key]],
    ['somebody else’s name as author', [1, sec.key, [], 1, 'remove', sec.key]],
    ['an author that is no key', [1, 'ceo', [], 1, 'remove', sec.key]],
    ['an author in capitals', [1, ceo.key.toUpperCase(), [], 1, 'remove', sec.key]],
    ['parents that are no hashes', [1, ceo.key, ['x'], 1, 'remove', sec.key]],
    ['parents that are no list', [1, ceo.key, HASH, 1, 'remove', sec.key]],
    ['more parents than a record has', [1, ceo.key, Array.from({ length: 33 }, () => HASH), 1, 'remove', sec.key]],
    ['a time that is no number', [1, ceo.key, [], 'now', 'remove', sec.key]],
    ['a time with a fraction', [1, ceo.key, [], 1.5, 'remove', sec.key]],
    ['an unknown statement', [1, ceo.key, [], 1, 'promote', sec.key]],
    ['a member that is no key', [1, ceo.key, [], 1, 'remove', 'sec']],
    ['no member', [1, ceo.key, [], 1, 'remove']],
    ['a name with an escape sequence', [1, ceo.key, [], 1, 'add', sec.key, '\u001b[2J']],
    ['an empty name', [1, ceo.key, [], 1, 'add', sec.key, '']],
    ['a name of 257 bytes', [1, ceo.key, [], 1, 'add', sec.key, 'x'.repeat(257)]],
    ['more than a record may hold', [1, ceo.key, [], 1, 'genesis', 'ceo', 'n'.repeat(5_000)]],
  ])('of %s is refused, though it is signed', (_, body) => {
    expect(() => parseRecord(sealed(body))).toThrow(invalid)
  })

  it('without a signature, with another’s, or signed for another use is refused', () => {
    const body = encode([1, ceo.key, [], 1, 'remove', sec.key])
    const by = (signature: Uint8Array) => () => parseRecord(encode([body, signature]))
    expect(by(new Uint8Array())).toThrow(invalid)
    expect(by(new Uint8Array(64))).toThrow(invalid)
    expect(by(sec.signer.signMessage(lengthPrefixed('openclaw-mesh roster 1', body)))).toThrow(invalid)
    expect(by(ceo.signer.signMessage(body))).toThrow(invalid)
    expect(by(ceo.signer.signMessage(lengthPrefixed('openclaw-mesh roster 2', body)))).toThrow(invalid)
    expect(by(ceo.signer.signMessage(lengthPrefixed('openclaw-mesh roster 1', body)))).not.toThrow()
  })

  it('S-16: of random or mutated bytes is refused with the one code', () => {
    const random = fc.uint8Array({ maxLength: 300 })
    const mutated = fc.tuple(fc.nat(genesis.bytes.length - 1), fc.nat(255), fc.nat(4)).map(([at, byte, cut]) => {
      const { bytes } = genesis
      return Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at + cut)])
    })
    const property = fc.property(fc.oneof(random, mutated, random.map(sealed)), (bytes) => {
      fc.pre(!Buffer.from(bytes).equals(genesis.bytes))
      expect(() => parseRecord(bytes)).toThrow(invalid)
    })
    fc.assert(property, { numRuns: LONG ? 100_000 : 1_000 })
  })
})
