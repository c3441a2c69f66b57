import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new temporary folder, removed with everything in it by `remove`. On the disk that `TMPDIR` names. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mesh-bench-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
