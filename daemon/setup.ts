import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '../crdt/errors.ts'
import { createReplica, replicaExists } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { newMesh, rosterWrite } from '../transports/roster/index.ts'
import type { HomeLayout } from './home.ts'
import { createNodeKey, readNodeKey } from './identity.ts'

export interface SetUp {
  /** The node's secret seed, 32 bytes. */
  readonly seed: Uint8Array
  /** Whether the node was made just now. */
  readonly created: boolean
}

/** Where the node's key lies. */
export const keyPathOf = ({ meshdDir }: HomeLayout) => join(meshdDir, 'node.key')

/**
 * Makes what a node needs: folders, key, and an empty replica that is a mesh of its own. What is there is kept; so
 * this may be called at every start. Interrupted at any moment, it goes on at the next call.
 *
 * @throws {MeshError} `HOME_UNWRITABLE`, `KEY_UNREADABLE`, `DATABASE_MISSING`
 */
export async function setUp(layout: HomeLayout, nodeId: string): Promise<SetUp> {
  await makeFolders(layout)
  const keyPath = keyPathOf(layout)
  const existing = await readNodeKey(keyPath)
  const { databasePath } = layout
  if (replicaExists(databasePath)) {
    if (existing !== undefined) return { seed: existing, created: false }
    throw new MeshError(
      'KEY_UNREADABLE',
      `the database ${databasePath} is there, but its node's key ${keyPath} is not`,
      {
        field: keyPath,
        hint: 'restore node.key from a backup; or move the whole meshd folder away to begin as a new node',
      },
    )
  }
  await refuseDamaged(databasePath)
  const seed = existing ?? (await createNodeKey(keyPath))
  await makeReplica(databasePath, seed, nodeId)
  return { seed, created: true }
}

async function makeFolders({ home, meshdDir }: HomeLayout): Promise<void> {
  try {
    await mkdir(home, { recursive: true })
    await mkdir(meshdDir, { recursive: true, mode: 0o700 })
    await chmod(meshdDir, 0o700)
  } catch (cause) {
    throw new MeshError('HOME_UNWRITABLE', `cannot write to the home ${home}: ${(cause as Error).message}`, {
      field: home,
      hint: 'mend its rights, or set MESH_HOME to a folder of your own',
      cause,
    })
  }
}

// A folder with files but without CURRENT is a damaged database: LevelDB would start empty in it and delete the rest.
async function refuseDamaged(databasePath: string): Promise<void> {
  const files = await readdir(databasePath).catch(() => [])
  if (files.length === 0) return
  throw new MeshError('DATABASE_MISSING', `${databasePath} holds a damaged database: its file CURRENT is missing`, {
    field: databasePath,
    hint: 'restore the folder from a backup; or move it away to begin with an empty one',
  })
}

/** Made beside and renamed, so that a start that is cut short leaves no half-made database. */
async function makeReplica(databasePath: string, seed: Uint8Array, nodeId: string): Promise<void> {
  const beside = `${databasePath}.new`
  try {
    await rm(beside, { recursive: true, force: true })
    const at = Math.floor(Date.now() / 1000)
    const { meshId, genesis } = newMesh(createSigner(seed), { name: nodeId, at })
    await createReplica(beside, { meshId, records: [rosterWrite(genesis)] })
    await rename(beside, databasePath)
  } catch (cause) {
    if (cause instanceof MeshError) throw cause
    throw new MeshError('HOME_UNWRITABLE', `cannot make the database ${databasePath}: ${(cause as Error).message}`, {
      cause,
    })
  }
}
