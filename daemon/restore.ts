import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupHeader } from '../crdt/backup/index.ts'
import { MeshError } from '../crdt/errors.ts'
import { openReplica, replicaExists, unpackBackup } from '../crdt/replica/index.ts'
import { createSigner, SEED_BYTES } from '../crdt/signing.ts'
import { peerIdFromSeed } from '../transports/libp2p/index.ts'
import type { Progress } from '../transports/mesh.ts'
import { INVITATIONS_NAMESPACE } from '../transports/pairing/invitations.ts'
import { newMesh, rosterWrite } from '../transports/roster/index.ts'
import { MESH_NAMESPACES } from '../transports/sync/membership.ts'
import type { HomeLayout } from './home.ts'
import { readNodeKey, writeNodeKey } from './identity.ts'
import { makeRestoreFolder, sweepRestoreFolders } from './restore-folder.ts'
import { holdsFiles, keyPathOf, makeFolders, newKeyPathOf, placeRestored, restoredPathOf } from './setup.ts'

export interface RestoreInit {
  /** Path of the backup. */
  readonly file: string
  /** Whether it is to be another node than the one that the backup was made on, in a mesh of its own. */
  readonly asNewNode: boolean
  /** The name of this node. */
  readonly nodeId: string
  readonly onProgress?: (progress: Progress) => void
}

/** What a restore has made. */
export interface RestoredNode {
  readonly peerId: string
  readonly meshId: string
  /** Whether it has a new key, and all is signed by it for a new mesh. */
  readonly isNewNode: boolean
  /** Live entries, those deleted, and those expired. */
  readonly entries: number
  readonly backup: Pick<BackupHeader, 'nodeId' | 'peerId' | 'meshId' | 'createdAt' | 'position'>
}

/**
 * Makes a node of a backup in a home without one; the daemon is started afterwards. It is made beside and renamed when it
 * is whole: killed at any moment this leaves nothing, or all of it, which the next start then puts in its place.
 *
 * The node has its key from the backup, or from the home where the very same one is left there. Without either, or when
 * it is to be so, a new node is made that takes all there is, scope `node` included, into a new mesh.
 *
 * @throws {MeshError} `RESTORE_NOT_EMPTY`, `BACKUP_UNREADABLE`, `BACKUP_INVALID`, `BACKUP_DAMAGED`, `BACKUP_TOO_NEW`,
 * `HOME_UNWRITABLE`, `STORAGE_FAILED`
 */
export async function restoreNode(layout: HomeLayout, init: RestoreInit): Promise<RestoredNode> {
  await makeFolders(layout)
  await placeRestored(layout)
  if (replicaExists(layout.databasePath) || (await holdsFiles(layout.databasePath))) {
    throw notEmpty(layout, `there is a database in ${layout.databasePath}`)
  }
  const left = (await readNodeKey(keyPathOf(layout))) ?? (await readNodeKey(newKeyPathOf(layout)))
  await sweepRestoreFolders(layout)

  await using folder = await makeRestoreFolder(layout)
  const node = join(folder.path, 'node')
  await mkdir(node, { mode: 0o700 })
  const databasePath = join(node, 'db')
  const { header, seed: kept } = await unpackBackup(readFile(init.file), databasePath, {
    // Tickets are used once: those that were open then may have been used since.
    forget: [INVITATIONS_NAMESPACE],
    onProgress: (done, total) => init.onProgress?.({ phase: 'unpack', done, total }),
  })
  const known = init.asNewNode ? undefined : knownKey(layout, header, left, kept)
  if (known === undefined && left !== undefined) {
    throw notEmpty(layout, `${keyPathOf(layout)} is the key of another node`)
  }
  const seed = known ?? randomBytes(SEED_BYTES)
  const meshId = known === undefined ? await moveToNewMesh(databasePath, seed, init) : header.meshId
  await writeNodeKey(join(node, 'node.key'), seed)
  await rename(node, restoredPathOf(layout)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    throw notEmpty(layout, 'another restore has just ended')
  })
  await placeRestored(layout)
  const owner = await readNodeKey(keyPathOf(layout))
  if (owner === undefined || Buffer.compare(owner, seed) !== 0 || !replicaExists(layout.databasePath)) {
    throw notEmpty(layout, 'another node was made here meanwhile')
  }
  return { ...reportOf(header), peerId: peerIdFromSeed(seed), meshId, isNewNode: known === undefined }
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path)
  try {
    yield* stream
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : (cause as Error).message
    throw new MeshError('BACKUP_UNREADABLE', `cannot read the backup ${path}: ${why}`, { field: path, cause })
  }
}

/** The key of the node that the backup was made on, where it is at hand. */
function knownKey(
  layout: HomeLayout,
  { publicKey }: BackupHeader,
  left: Uint8Array | undefined,
  kept: Uint8Array | undefined,
): Uint8Array | undefined {
  const isKeyOf = (seed: Uint8Array) => Buffer.from(createSigner(seed).publicKey).toString('hex') === publicKey
  if (left !== undefined) {
    if (isKeyOf(left)) return left
    throw notEmpty(layout, `${keyPathOf(layout)} is not the key of the node that the backup was made on`)
  }
  if (kept !== undefined && !isKeyOf(kept)) {
    throw new MeshError('BACKUP_DAMAGED', 'the key in the backup is not that of the node that it was made on')
  }
  return kept
}

/** Signs everything anew, by a new key for a new mesh. Returns the mesh's id. */
async function moveToNewMesh(path: string, seed: Uint8Array, { nodeId, onProgress }: RestoreInit): Promise<string> {
  const signer = createSigner(seed)
  const replica = await openReplica({ signer }, { path })
  try {
    const { meshId, genesis } = newMesh(signer, { name: nodeId, at: Math.floor(Date.now() / 1000) })
    const adoption = { meshId, forget: MESH_NAMESPACES, records: [rosterWrite(genesis)] }
    await replica.adopt(adoption, (done, total) => onProgress?.({ phase: 'sign', done, total }))
    return meshId
  } finally {
    await replica.close()
  }
}

function reportOf(header: BackupHeader): Pick<RestoredNode, 'entries' | 'backup'> {
  const { nodeId, peerId, meshId, createdAt, position } = header
  const { memory, skills, deleted, expired } = header.counts
  return { entries: memory + skills + deleted + expired, backup: { nodeId, peerId, meshId, createdAt, position } }
}

function notEmpty({ meshdDir }: HomeLayout, what: string): MeshError {
  return new MeshError('RESTORE_NOT_EMPTY', `there is a node in ${meshdDir} already: ${what}`, {
    field: meshdDir,
    hint: `to merge the backup into it, start it and run \`mesh restore\`; to put the backup in its place, move ${meshdDir} away first`,
  })
}
