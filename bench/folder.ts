import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from './at-exit.ts'

/**
 * A new temporary folder, on the disk that `TMPDIR` names. It is removed with everything in it by `remove`, or when this
 * process exits before that.
 */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mesh-bench-'))
  // Retried: a process that was killed just now may be writing its last file.
  const callOff = atExit(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  const remove = () => {
    callOff()
    return rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
  return { path, remove }
}
