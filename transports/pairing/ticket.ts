import { crc32 } from 'node:zlib'
import { decode, encode } from 'cborg'
import { MeshError } from '../../crdt/errors.ts'
import { parsePeerId } from '../libp2p/identity.ts'
import type { PeerId } from '../transport.ts'

/** What one machine tells another so that it can join. A secret: whoever holds it first, joins. */
export interface Ticket {
  readonly meshId: string
  /** Who invites. */
  readonly peer: PeerId
  /** Multiaddrs at which the inviting node may be dialled. */
  readonly addresses: readonly string[]
  /** 16 random bytes, once. */
  readonly secret: Uint8Array
  /** Unix seconds. */
  readonly expiresAt: number
}

const MESH_ID_BYTES = 16
/** Bytes of a ticket's secret. */
export const SECRET_BYTES = 16

/** The number is the version of the format. */
const PREFIX = 'mesh-ticket-1.'
/** Longest text that is looked at; ten addresses make some 700 characters. */
const MAX_TEXT = 8_192

/** `mesh-ticket-1.` and base64url of CBOR, closed by a CRC-32 so that a torn copy is noticed before anything is dialled. */
export function encodeTicket({ meshId, peer, addresses, secret, expiresAt }: Ticket): string {
  const body = encode([Buffer.from(meshId, 'hex'), peer, [...addresses], secret, expiresAt])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return PREFIX + Buffer.concat([body, sum]).toString('base64url')
}

/** @throws {MeshError} `TICKET_MALFORMED` */
export function parseTicket(text: string): Ticket {
  const trimmed = text.trim()
  if (!trimmed.startsWith('mesh-ticket-')) throw malformed(`it does not begin with ${PREFIX}`)
  if (!trimmed.startsWith(PREFIX)) throw malformed('it is of another version; update openclaw-mesh on both machines')
  if (trimmed.length > MAX_TEXT) throw malformed('it is too long')
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url')
  const body = bytes.subarray(0, -4)
  if (bytes.length < 5 || bytes.readUInt32BE(bytes.length - 4) !== crc32(body))
    throw malformed('a part of it is missing or changed')
  try {
    const [meshId, peer, addresses, secret, expiresAt] = decode(body) as unknown[]
    if (!isBytes(meshId, MESH_ID_BYTES) || !isBytes(secret, SECRET_BYTES) || !isTime(expiresAt))
      throw malformed('a field is of the wrong size')
    if (!Array.isArray(addresses) || !addresses.every((a) => typeof a === 'string'))
      throw malformed('addresses are a list')
    const mesh = Buffer.from(meshId).toString('hex')
    return { meshId: mesh, peer: parsePeerId(peer as string), addresses, secret, expiresAt }
  } catch (cause) {
    if (cause instanceof MeshError && cause.code === 'TICKET_MALFORMED') throw cause
    throw malformed('its content cannot be read', cause)
  }
}

const isBytes = (value: unknown, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length

/** Unix seconds that a date can show. */
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && Math.abs(value as number) <= 8.64e12

function malformed(what: string, cause?: unknown): MeshError {
  const hint = 'copy the whole line that `mesh invite` printed; it begins with mesh-ticket-'
  return new MeshError('TICKET_MALFORMED', `ticket: ${what}`, { field: 'ticket', hint, cause })
}
