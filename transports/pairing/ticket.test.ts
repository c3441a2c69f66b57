import { crc32 } from 'node:zlib'
import { encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { person } from './lab-suite.ts'
import { encodeTicket, parseTicket, SECRET_BYTES, type Ticket } from './ticket.ts'

const ceo = person('ceo')
const TICKET: Ticket = {
  meshId: '0123456789abcdef'.repeat(2),
  peer: ceo.peer,
  addresses: ['/ip4/192.0.2.1/tcp/4079', '/dns4/ceo.example/tcp/4079'],
  secret: new Uint8Array(SECRET_BYTES).fill(7),
  expiresAt: 1_800_000_000,
}
const malformed = expect.objectContaining({ code: 'TICKET_MALFORMED', field: 'ticket', hint: expect.any(String) })

/** A ticket of any content, with a sum that fits. */
function seal(body: Uint8Array): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return `mesh-ticket-1.${Buffer.concat([body, sum]).toString('base64url')}`
}

describe('a ticket', () => {
  it('comes back as it went in, whatever it says', () => {
    const hex = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
    const tickets = fc.record({
      meshId: hex,
      peer: fc.constantFrom(...['ceo', 'sec', 'lab'].map((name) => person(name).peer)),
      addresses: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), { maxLength: 10 }),
      secret: fc.uint8Array({ minLength: SECRET_BYTES, maxLength: SECRET_BYTES }),
      expiresAt: fc.nat({ max: 8_000_000_000 }),
    })
    const property = fc.property(tickets, (ticket) => {
      const read = parseTicket(encodeTicket(ticket))
      expect({ ...read, secret: Buffer.from(read.secret) }).toEqual({ ...ticket, secret: Buffer.from(ticket.secret) })
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('is one word that a shell, a chat and a mail leave as it is, and may be copied with space around it', () => {
    const text = encodeTicket(TICKET)
    expect(text).toMatch(/^mesh-ticket-1\.[A-Za-z0-9_-]+$/)
    expect(parseTicket(`\n  ${text}\r\n`)).toEqual(parseTicket(text))
  })

  it('is refused when it is torn anywhere', () => {
    const text = encodeTicket(TICKET)
    for (let length = 0; length < text.length; length++)
      expect(() => parseTicket(text.slice(0, length)), `${length}`).toThrow(malformed)
    expect(() => parseTicket(text.slice(1))).toThrow(malformed)
    expect(() => parseTicket(text.replace('.', ''))).toThrow(malformed)
  })

  it('is refused when a character of it is another one, or two are swapped, or a line is doubled', () => {
    const text = encodeTicket(TICKET)
    const start = 'mesh-ticket-1.'.length
    for (let at = start; at < text.length - 1; at++) {
      const other = text[at] === 'A' ? 'B' : 'A'
      expect(() => parseTicket(text.slice(0, at) + other + text.slice(at + 1)), `${at}`).toThrow(malformed)
      const swapped = text.slice(0, at) + text[at + 1] + text[at] + text.slice(at + 2)
      if (swapped !== text) expect(() => parseTicket(swapped), `${at}`).toThrow(malformed)
    }
    expect(() => parseTicket(text + text)).toThrow(malformed)
    expect(() => parseTicket(`${text}\n${text}`)).toThrow(malformed)
  })

  it('of another version says so, and what is no ticket at all says how one begins', () => {
    const other = encodeTicket(TICKET).replace('-1.', '-2.')
    expect(() => parseTicket(other)).toThrow(/another version/)
    for (const text of ['', 'hello', 'mesh-ticke', '12D3KooW', 'MESH-TICKET-1.x']) {
      expect(() => parseTicket(text)).toThrow(/mesh-ticket-1/)
      expect(() => parseTicket(text)).toThrow(malformed)
    }
  })

  it('that is too long is not even decoded', () => {
    expect(() => parseTicket(`mesh-ticket-1.${'A'.repeat(9_000)}`)).toThrow(/too long/)
    expect(() => parseTicket(`mesh-ticket-1.${'A'.repeat(50_000_000)}`)).toThrow(malformed)
  })

  const mesh = Buffer.alloc(16)
  const secret = Buffer.alloc(SECRET_BYTES)
  it.each<[string, unknown]>([
    ['nothing', null],
    ['a number', 7],
    ['a map', { meshId: mesh }],
    ['too few fields', [mesh, ceo.peer]],
    ['a mesh id of another size', [Buffer.alloc(15), ceo.peer, [], secret, 1]],
    ['a mesh id as text', ['0123456789abcdef', ceo.peer, [], secret, 1]],
    ['a secret of another size', [mesh, ceo.peer, [], Buffer.alloc(15), 1]],
    ['a secret as text', [mesh, ceo.peer, [], '0123456789abcdef', 1]],
    ['no peer id', [mesh, 'ceo', [], secret, 1]],
    ['a peer id as number', [mesh, 1, [], secret, 1]],
    ['addresses that are none', [mesh, ceo.peer, [1], secret, 1]],
    ['one address as text', [mesh, ceo.peer, '/ip4/192.0.2.1', secret, 1]],
    ['a time with a fraction', [mesh, ceo.peer, [], secret, 1.5]],
    ['a time that no date has', [mesh, ceo.peer, [], secret, -9_007_199_254_740_991]],
  ])('of %s is refused, though its sum fits', (_, content) => {
    expect(() => parseTicket(seal(encode(content)))).toThrow(malformed)
  })

  it('of random bytes, though its sum fits, is refused with the same code', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => parseTicket(seal(bytes))).toThrow(malformed)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
