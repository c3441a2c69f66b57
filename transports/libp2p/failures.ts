/** What libp2p and the system say went wrong, in the words of the contract. */

import { MeshError } from '../../crdt/errors.ts'
import type { PeerId } from '../transport.ts'

export function stoppedError(message: string): MeshError {
  return new MeshError('TRANSPORT_STOPPED', message)
}

/** @param errors what was told about single addresses, in the order in which they failed */
export function listenFailure(
  listen: readonly string[],
  errors: readonly { readonly address: string; readonly error: unknown }[],
  cause: unknown,
): MeshError {
  const inUse = errors.find(({ error }) => systemCode(error) === 'EADDRINUSE')
  if (inUse !== undefined) {
    const message = `${inUse.address} is in use by another process; stop that one or choose another port`
    return new MeshError('PORT_IN_USE', message, { field: inUse.address, cause: inUse.error })
  }
  const first = errors[0]
  const field = first?.address ?? listen.join(', ')
  const message = `cannot listen on ${field}: ${firstLine(first?.error ?? cause)}`
  return new MeshError('LISTEN_FAILED', message, { field, cause: first?.error ?? cause })
}

export function dialFailure(peer: PeerId, addresses: readonly string[], cause: unknown): MeshError {
  const tried = addresses.length === 0 ? 'no address is known' : `tried ${addresses.join(', ')}`
  const message = `peer ${peer} was not reached (${tried}): ${reasons(cause).join('; ')}`
  const hint = 'It may be off, behind a firewall, or not list this node as a member.'
  return new MeshError('PEER_UNREACHABLE', message, { field: 'peer', hint, cause })
}

export function openFailure(peer: PeerId, protocol: string, cause: unknown): MeshError {
  if (nameOf(cause) === 'UnsupportedProtocolError') {
    const message = `peer ${peer} does not speak ${protocol}`
    return new MeshError('PROTOCOL_UNSUPPORTED', message, { field: 'protocol', cause })
  }
  const message = `the channel to ${peer} for ${protocol} did not open: ${firstLine(cause)}`
  return new MeshError('CHANNEL_CLOSED', message, { cause })
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined
}

function reasons(cause: unknown): string[] {
  return [...new Set(cause instanceof AggregateError ? cause.errors.flatMap(reasons) : [firstLine(cause)])]
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.split('\n', 1)[0] ?? ''
}
