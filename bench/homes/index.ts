/**
 * Homes with many entries, for questions that need them. Putting a million entries takes minutes, so what was made is
 * kept in the system's temporary folder, by the format of the database and the number of entries, and every user gets a
 * copy. A change of what is stored without a change of the format needs {@link removeHomes}.
 */
import { constants, existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DATABASE_FORMAT } from '../../crdt/replica/records.ts'
import { startChild } from '../child.ts'
import { temporaryFolder } from '../folder.ts'

/** Paths of the homes of two members of one mesh with the same entries, `entry/0` and so on; no daemon ran on either. */
export interface Homes {
  readonly ceo: string
  readonly sec: string
}

const kept = () => join(tmpdir(), 'mesh-bench-homes')

/** Gives two homes with so many entries, to do with as one likes; they are removed with `parts`. */
export async function openHomes(parts: AsyncDisposableStack, entries: number): Promise<Homes> {
  const source = await keptHomes(entries)
  const folder = await temporaryFolder()
  parts.defer(() => folder.remove())
  await cp(source, folder.path, { recursive: true, mode: constants.COPYFILE_FICLONE })
  return { ceo: join(folder.path, 'ceo'), sec: join(folder.path, 'sec') }
}

/** Forgets what was kept, so that it is made anew. */
export function removeHomes(): Promise<void> {
  return rm(kept(), { recursive: true, force: true })
}

async function keptHomes(entries: number): Promise<string> {
  const path = join(kept(), `format-${DATABASE_FORMAT}-entries-${entries}`)
  if (existsSync(path)) return path
  await mkdir(kept(), { recursive: true, mode: 0o700 })
  const beside = await mkdtemp(join(kept(), 'new-'))
  const child = startChild<typeof import('./make-main.ts').methods>(new URL('./make-main.ts', import.meta.url))
  try {
    await child.call('make', beside, entries)
    await rename(beside, path).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
    return path
  } finally {
    await child.stop()
    await rm(beside, { recursive: true, force: true })
  }
}
