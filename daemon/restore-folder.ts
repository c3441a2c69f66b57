import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MeshError } from '../crdt/errors.ts'
import type { HomeLayout } from './home.ts'

/** What is unpacked lies beside the database, on the same disk, until it is renamed or thrown away. */
const NAME = /^restore-/

/**
 * A new folder to unpack a backup in; disposing of it removes it with what is in it.
 * @throws {MeshError} `STORAGE_FAILED`
 */
export async function makeRestoreFolder({
  meshdDir,
}: Pick<HomeLayout, 'meshdDir'>): Promise<AsyncDisposable & { readonly path: string }> {
  const path = newPath(meshdDir)
  await mkdir(path, { mode: 0o700 }).catch((cause: Error) => {
    throw new MeshError('STORAGE_FAILED', `cannot make the folder ${path}: ${cause.message}`, { cause })
  })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Removes a folder of `meshd` so that it is gone at once, or is still whole: never a part of it under its name. */
export async function removeAtOnce(path: string): Promise<void> {
  const away = newPath(dirname(path))
  await rename(path, away).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rm(away, { recursive: true, force: true })
}

const newPath = (meshdDir: string) => join(meshdDir, `restore-${randomBytes(6).toString('hex')}`)

/**
 * Removes what a kill in the middle of a restore has left. Whoever calls it has the node to himself: another process
 * could be at work in such a folder.
 */
export async function sweepRestoreFolders({ meshdDir }: Pick<HomeLayout, 'meshdDir'>): Promise<void> {
  const left = (await readdir(meshdDir)).filter((name) => NAME.test(name))
  await Promise.all(left.map((name) => rm(join(meshdDir, name), { recursive: true, force: true })))
}
