import { damaged } from './frames.ts'

/** What a backup says of itself. */
export interface BackupHeader {
  /** Format of the database that it was made of, and its id. A restore has another id. */
  readonly databaseFormat: number
  readonly databaseId: string
  readonly meshId: string
  /** The node that it was made on: its name, its peer id, and its public key in hex. */
  readonly nodeId: string
  readonly peerId: string
  readonly publicKey: string
  /** Of the program. */
  readonly version: string
  /** Unix seconds. */
  readonly createdAt: number
  /** Feed position of the moment that it shows. */
  readonly position: number
  /** Hex digest of all shared scopes at that moment. */
  readonly digest: string
  /** How many entries of each kind, as `mesh status` counts them. */
  readonly counts: {
    readonly memory: number
    readonly skills: number
    readonly deleted: number
    readonly expired: number
    readonly conflicts: number
  }
  /** About how many pairs follow, for whoever wants to show how far it is. */
  readonly pairs: number
}

const TEXTS = ['databaseId', 'meshId', 'nodeId', 'peerId', 'publicKey', 'version', 'digest'] as const
const NUMBERS = ['databaseFormat', 'createdAt', 'position', 'pairs'] as const
const COUNTS = ['memory', 'skills', 'deleted', 'expired', 'conflicts'] as const

export function encodeHeader(header: BackupHeader): Uint8Array {
  return Buffer.from(JSON.stringify(header))
}

/** What later versions add is passed over. @throws {MeshError} `BACKUP_DAMAGED` */
export function decodeHeader(bytes: Uint8Array): BackupHeader {
  const header = decodeJson(bytes)
  const counts = (header['counts'] ?? {}) as Record<string, unknown>
  const isSound =
    TEXTS.every((name) => typeof header[name] === 'string') &&
    NUMBERS.every((name) => Number.isSafeInteger(header[name])) &&
    COUNTS.every((name) => Number.isSafeInteger(counts[name]))
  if (!isSound) throw damaged('its header lacks what every header has')
  return header as unknown as BackupHeader
}

/** @throws {MeshError} `BACKUP_DAMAGED` for what is no JSON object */
export function decodeJson(bytes: Uint8Array): Record<string, unknown> {
  let decoded: unknown
  try {
    decoded = JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    throw damaged('a part of it is no JSON', cause)
  }
  if (typeof decoded === 'object' && decoded !== null) return decoded as Record<string, unknown>
  throw damaged('a part of it is no JSON object')
}
