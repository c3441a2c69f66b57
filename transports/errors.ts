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
] as const
