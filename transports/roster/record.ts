import { createHash } from 'node:crypto'
import { decode, encode } from 'cborg'
import { lengthPrefixed } from '../../crdt/bytes.ts'
import { parseNodeId } from '../../crdt/entry/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import { PUBLIC_KEY_BYTES, type Signer, verifyChange } from '../../crdt/signing.ts'

/** What a roster record says. Public keys are raw Ed25519, as hex. */
export type RosterStatement =
  /** Begins a mesh, with its author as the first member. `nonce` makes every mesh another one. */
  | { readonly type: 'genesis'; readonly name: string; readonly nonce: string }
  /** Makes `member` a member under a name; by a member. By the member itself: it goes by another name now. */
  | { readonly type: 'add'; readonly member: string; readonly name: string }
  /** Ends a membership; by a member, also by the one itself, which leaves. */
  | { readonly type: 'remove'; readonly member: string }

/** One record of the roster: signed by its author, and after all records that the author knew. */
export interface RosterRecord {
  /** Hex SHA-256 of the body. */
  readonly hash: string
  readonly author: string
  /** Hashes of the latest records that the author knew; none for the genesis. */
  readonly parents: readonly string[]
  /** Unix seconds by the author's clock; for people. */
  readonly at: number
  readonly statement: RosterStatement
  /** The record as it is stored and sent: CBOR of [body, signature]. */
  readonly bytes: Uint8Array
}

/** Largest record, in bytes: {@link MAX_PARENTS} hashes and what else there is fit well. */
const MAX_RECORD_BYTES = 4096
/** Most parents that a record names. Where more heads are open, the next records name the others. */
const MAX_PARENTS = 32

/** Id of the mesh that a genesis record begins: nobody can make another record with the same id. 32 hex characters. */
export const meshIdOf = (genesis: RosterRecord): string => genesis.hash.slice(0, 32)

/** Signs a statement. For a genesis, `parents` is empty; of many the first are named. */
export function signRecord(
  signer: Signer,
  init: { parents: readonly string[]; at: number; statement: RosterStatement },
): RosterRecord {
  const author = Buffer.from(signer.publicKey).toString('hex')
  const { statement } = init
  const said =
    statement.type === 'genesis'
      ? ['genesis', statement.name, statement.nonce]
      : statement.type === 'add'
        ? ['add', statement.member, statement.name]
        : ['remove', statement.member]
  const body = encode([1, author, init.parents.slice(0, MAX_PARENTS).sort(), init.at, ...said])
  const bytes = encode([body, signer.signMessage(message(body))])
  return parseRecord(bytes)
}

/**
 * Reads a record and verifies its author's signature. Whether the author was entitled to it is the log's question.
 * @throws {MeshError} `ROSTER_INVALID`
 */
export function parseRecord(bytes: Uint8Array): RosterRecord {
  try {
    if (bytes.length > MAX_RECORD_BYTES) throw new Error('too large')
    const [body, signature] = decode(bytes) as [Uint8Array, Uint8Array]
    const [version, author, parents, at, type, ...rest] = decode(body) as unknown[]
    if (version !== 1) throw new Error(`version ${String(version)}`)
    const key = parseKey(author)
    // By node:crypto: a peer sends all of its log at once.
    if (!verifyChange(Buffer.from(key, 'hex'), message(body), signature)) throw new Error('the signature does not fit')
    if (!Number.isSafeInteger(at)) throw new Error('a time is a whole number')
    const hash = createHash('sha256').update(body).digest('hex')
    return {
      hash,
      author: key,
      parents: parseParents(parents),
      at: at as number,
      statement: parseStatement(type, rest),
      bytes,
    }
  } catch (cause) {
    throw new MeshError('ROSTER_INVALID', `a roster record is not valid: ${(cause as Error).message}`, { cause })
  }
}

function parseStatement(type: unknown, rest: readonly unknown[]): RosterStatement {
  const [first, second] = rest
  if (type === 'genesis') return { type, name: parseNodeId(first), nonce: String(second) }
  if (type === 'add') return { type, member: parseKey(first), name: parseNodeId(second) }
  if (type === 'remove') return { type, member: parseKey(first) }
  throw new Error(`unknown statement ${String(type)}`)
}

function parseKey(value: unknown): string {
  if (typeof value === 'string' && value.length === 2 * PUBLIC_KEY_BYTES && /^[0-9a-f]+$/.test(value)) return value
  throw new Error('a public key is 64 hex characters')
}

function parseParents(value: unknown): string[] {
  if (!Array.isArray(value) || value.length > MAX_PARENTS) throw new Error('parents are a list')
  if (!value.every((parent) => typeof parent === 'string' && /^[0-9a-f]{64}$/.test(parent))) {
    throw new Error('a parent is the hash of a record')
  }
  return value as string[]
}

const message = (body: Uint8Array) => lengthPrefixed('openclaw-mesh roster 1', body)
