import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MeshError } from '../crdt/errors.ts'
import { createReplica, replicaExists } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { newMesh, rosterWrite } from '../transports/roster/index.ts'
import type { HomeLayout } from './home.ts'
import { createNodeKey, linkUnlessThere, readNodeKey } from './identity.ts'

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
 * this may be called at every start. Interrupted at any moment, it goes on at the next call. The key gets its name
 * last: where it has it, there was a database, and none is made silently in its place.
 *
 * @throws {MeshError} `HOME_UNWRITABLE`, `KEY_UNREADABLE`, `DATABASE_MISSING`
 */
export async function setUp(layout: HomeLayout, nodeId: string): Promise<SetUp> {
  await makeFolders(layout)
  const keyPath = keyPathOf(layout)
  const newKeyPath = `${keyPath}.new`
  const { databasePath } = layout
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const seed = await readNodeKey(keyPath)
    if (seed !== undefined) {
      if (!replicaExists(databasePath)) throw await missingDatabase(databasePath)
      if (attempt === 0) await sweep(layout)
      return { seed, created: attempt > 0 }
    }
    if (!replicaExists(databasePath)) {
      if (await holdsFiles(databasePath)) throw await missingDatabase(databasePath)
      const made = await createNodeKey(newKeyPath)
      // Another first start has just finished: what it made is read in the next round.
      if (made !== undefined) await makeReplica(databasePath, made, nodeId)
    }
    await nameKey(newKeyPath, keyPath)
  }
  throw new MeshError('KEY_UNREADABLE', `the database is there, but its node's key ${keyPath} is not`, {
    field: keyPath,
    hint: 'restore node.key from a backup; or move the whole meshd folder away to begin as a new node',
  })
}

/** Rounds of a first start: one to make everything, one to read it; more only where others do the same at once. */
const MAX_ATTEMPTS = 5

/** Gives the new key its name, unless there is one: then that is the key that the database was made with. */
async function nameKey(from: string, to: string): Promise<void> {
  try {
    await linkUnlessThere(from, to)
    await rm(from, { force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function makeFolders({ home, meshdDir }: HomeLayout): Promise<void> {
  try {
    await makeFolder(home)
    await makeFolder(meshdDir)
    await chmod(meshdDir, 0o700)
  } catch (cause) {
    throw new MeshError('HOME_UNWRITABLE', `cannot write to the home ${home}: ${(cause as Error).message}`, {
      field: home,
      hint: 'mend its rights, or set MESH_HOME to a folder of your own',
      cause,
    })
  }
}

/** With what is above it. Not `mkdir` with `recursive`, which below /proc and its like goes on for ever. */
async function makeFolder(path: string): Promise<void> {
  const made = await mkdir(path, { mode: 0o700 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && dirname(path) !== path) return false
      if (error.code !== 'EEXIST') throw error
      return true
    },
  )
  if (made) return
  await makeFolder(dirname(path))
  await mkdir(path, { mode: 0o700 })
}

/** Removes what a kill has left: of a first start a database or key without its name, of a rotation half a token. */
async function sweep({ meshdDir }: HomeLayout): Promise<void> {
  const left = (await readdir(meshdDir)).filter((name) => /^(node\.key\.|db\.new|(agent-)?token\.)/.test(name))
  await Promise.all(left.map((name) => rm(join(meshdDir, name), { recursive: true, force: true })))
}

// In a folder with files but without CURRENT LevelDB would start empty and delete the rest.
async function missingDatabase(databasePath: string): Promise<MeshError> {
  const what = (await holdsFiles(databasePath)) ? 'is damaged: its file CURRENT is missing' : 'is gone'
  return new MeshError('DATABASE_MISSING', `the database ${databasePath} ${what}`, {
    field: databasePath,
    hint: 'mount or restore the folder; or move the whole meshd folder away to begin as a new node',
  })
}

async function holdsFiles(path: string): Promise<boolean> {
  return (await readdir(path).catch(() => [])).length > 0
}

/** Made beside and renamed, so that a start that is cut short leaves no half-made database. */
async function makeReplica(databasePath: string, seed: Uint8Array, nodeId: string): Promise<void> {
  const beside = `${databasePath}.new-${randomBytes(6).toString('hex')}`
  try {
    const at = Math.floor(Date.now() / 1000)
    const { meshId, genesis } = newMesh(createSigner(seed), { name: nodeId, at })
    await createReplica(beside, { meshId, records: [rosterWrite(genesis)] })
    await rename(beside, databasePath).catch((error: NodeJS.ErrnoException) => {
      // Two first starts at once: the other one was here first, and its database has the same key.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } catch (cause) {
    if (cause instanceof MeshError) throw cause
    const message = `cannot make the database ${databasePath}: ${(cause as Error).message}`
    throw new MeshError('HOME_UNWRITABLE', message, { cause })
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}
