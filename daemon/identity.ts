import { randomBytes } from 'node:crypto'
import { chmod, link, open, readFile, rm } from 'node:fs/promises'
import { MeshError } from '../crdt/errors.ts'
import { SEED_BYTES } from '../crdt/signing.ts'

/** Reads the node's key: 32 bytes as hex, one line. Undefined where there is no file. @throws {MeshError} `KEY_UNREADABLE` */
export async function readNodeKey(path: string): Promise<Uint8Array | undefined> {
  const hint = 'restore it from a backup: it is what the mesh knows this node by'
  let text: string
  try {
    text = (await readFile(path, 'utf8')).trim()
    // Whoever can read it can speak as this node.
    await chmod(path, 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new MeshError('KEY_UNREADABLE', `cannot read the node's key ${path}`, { field: path, hint, cause })
  }
  if (text.length !== 2 * SEED_BYTES || !/^[0-9a-f]+$/.test(text)) {
    throw new MeshError('KEY_UNREADABLE', `${path} holds no key (${2 * SEED_BYTES} hex characters)`, {
      field: path,
      hint,
    })
  }
  return Buffer.from(text, 'hex')
}

/**
 * Makes a node's key, durably, unless there is one. Of two daemons that start at once neither replaces the other's.
 * Returns the one that is there afterwards, or undefined when another daemon has given it its final name meanwhile.
 */
export async function createNodeKey(path: string): Promise<Uint8Array | undefined> {
  const beside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeNodeKey(beside, randomBytes(SEED_BYTES))
    await linkUnlessThere(beside, path)
  } finally {
    await rm(beside, { force: true })
  }
  return readNodeKey(path)
}

/** Writes a node's key, durably, where there is no file. */
export async function writeNodeKey(path: string, seed: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`${Buffer.from(seed).toString('hex')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Gives a file another name as well, unless there is a file of that name. (A rename would replace it.) */
export async function linkUnlessThere(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
