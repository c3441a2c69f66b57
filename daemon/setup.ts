import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MeshError } from '../crdt/errors.ts'
import { createReplica, replicaExists } from '../crdt/replica/index.ts'
import { createSigner } from '../crdt/signing.ts'
import { newMesh, rosterWrite } from '../transports/roster/index.ts'
import type { HomeLayout } from './home.ts'
import { createNodeKey, linkUnlessThere, readNodeKey } from './identity.ts'
import { removeAtOnce } from './restore-folder.ts'

export interface SetUp {
  /** The node's secret seed, 32 bytes. */
  readonly seed: Uint8Array
  /** Whether the node was made just now. */
  readonly created: boolean
}

/** Where the node's key lies. */
export const keyPathOf = ({ meshdDir }: HomeLayout) => join(meshdDir, 'node.key')
/** Where it lies on a first start, until there is a database. */
export const newKeyPathOf = (layout: HomeLayout) => `${keyPathOf(layout)}.new`
/** Where a node lies that was restored and has not got its place yet: its `db` and its `node.key`. */
export const restoredPathOf = ({ meshdDir }: HomeLayout) => join(meshdDir, 'restored')

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
  const newKeyPath = newKeyPathOf(layout)
  const { databasePath } = layout
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    await placeRestored(layout)
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
      // And a restore that has just got so far is given its place in the next round.
      if (made !== undefined && !existsSync(restoredPathOf(layout))) await makeReplica(databasePath, made, nodeId)
    }
    await nameKey(newKeyPath, keyPath)
  }
  throw new MeshError('KEY_UNREADABLE', `the database is there, but its node's key ${keyPath} is not`, {
    field: keyPath,
    hint: 'restore node.key from a backup; or move the whole meshd folder away to begin as a new node',
  })
}

/**
 * Gives a restored node its place. It was whole when its folder got its name; so what is interrupted here is gone on with
 * at the next call, and several may do it at once. Where another node has the place, what was restored is removed.
 */
export async function placeRestored(layout: HomeLayout): Promise<void> {
  const restored = restoredPathOf(layout)
  const [keyPath, newKeyPath] = [keyPathOf(layout), newKeyPathOf(layout)]
  const restoredKey = join(restored, 'node.key')
  const seed = await readNodeKey(restoredKey)
  if (seed === undefined) return
  await linkUnlessThere(restoredKey, newKeyPath).catch((error: NodeJS.ErrnoException) => {
    // Another call has just done all of this.
    if (error.code !== 'ENOENT') throw error
  })
  const owner = (await readNodeKey(keyPath)) ?? (await readNodeKey(newKeyPath))
  const isOurs = owner !== undefined && Buffer.compare(owner, seed) === 0
  if (isOurs && (await moveDatabase(join(restored, 'db'), layout.databasePath))) await nameKey(newKeyPath, keyPath)
  await removeAtOnce(restored)
}

/** Returns false where there is another. One that is not there any more was moved before an interruption. */
async function moveDatabase(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return replicaExists(to)
      if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false
      throw error
    },
  )
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

/** The home and the daemon's own folder. @throws {MeshError} `HOME_UNWRITABLE` */
export async function makeFolders({ home, meshdDir }: HomeLayout): Promise<void> {
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

export async function holdsFiles(path: string): Promise<boolean> {
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
