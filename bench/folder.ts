import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A new temporary folder, on the disk that `TMPDIR` names. It is removed with everything in it by `remove`, or when this
 * process exits before that.
 */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mesh-bench-'))
  // Retried: a process that was killed just now may be writing its last file.
  const removeAtExit = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  process.once('exit', removeAtExit)
  const remove = () => {
    process.off('exit', removeAtExit)
    return rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
  return { path, remove }
}
