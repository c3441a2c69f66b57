/**
 * Every code that a {@link MeshError} thrown in this layer may carry. Each stands in docs/errors.md; a test ties the
 * two together.
 */
export const TRANSPORT_ERROR_CODES = [
  // transport: reaching members of the mesh
  'CHANNEL_CLOSED',
  'FRAME_TOO_LARGE',
  'LISTEN_FAILED',
  'PEER_ID_INVALID',
  'PEER_NOT_CONNECTED',
  'PEER_UNREACHABLE',
  'PORT_IN_USE',
  'PROTOCOL_UNSUPPORTED',
  'TRANSPORT_STOPPED',
  // roster and pairing
  'ROSTER_INVALID',
  'ALREADY_MEMBER',
  'HAS_PEERS',
  'INVITE_NO_ADDRESS',
  'MESH_BUSY',
  'NAME_TAKEN',
  'NOT_IN_A_MESH',
  'PEER_AMBIGUOUS',
  'PEER_IS_SELF',
  'PEER_UNKNOWN',
  'TICKET_EXPIRED',
  'TICKET_MALFORMED',
  'TICKET_OWN',
  'TICKET_UNKNOWN',
  'TICKET_USED',
  'TOO_MANY_TICKETS',
  // sessions and push
  'MESSAGE_INVALID',
  'MESSAGE_UNEXPECTED',
  'PEER_SILENT',
  'SYNC_INCOMPLETE',
  'SYNC_UNDECIDED',
] as const
