import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import type { Told } from './full-disk-child-suite.ts'
import { authorsOf, openTestReplica, tempFolder } from './lab-suite.ts'

const PROGRAM = fileURLToPath(new URL('./full-disk-child-suite.ts', import.meta.url))

/** A disk of 24 MB, 16 of them in use by something else, in a mount namespace of its own: gone with the process. */
const SCRIPT = `
set -e
mount -t tmpfs -o size=24m tmpfs "$1"
head -c 16000000 /dev/zero > "$1/filler"
cp -r "$2" "$1/db"
"$4" "$5" "$1/db" recovers "$1/filler" || true
rm -f "$1/filler"
mkdir "$3"
cp -r "$1/db" "$3"
`

it('S-05: a disk that is full, and then freed', { timeout: 120_000 }, async () => {
  const empty = await openTestReplica('ceo')
  await empty.close()
  const folder = await tempFolder()
  const disk = join(folder, 'disk')
  const after = join(folder, 'after')
  await mkdir(disk)
  const places = [disk, empty.path, after, process.execPath, PROGRAM]
  const run = promisify(execFile)('unshare', ['-rm', 'sh', '-c', SCRIPT, 'sh', ...places])
  const { stdout } = await run.catch((cause: unknown) => {
    throw new Error('this test mounts a small disk: it needs Linux, and root or user namespaces', { cause })
  })
  const told = JSON.parse(stdout) as Told
  expect(told).toMatchObject({ codes: ['STORAGE_FAILED'], readable: true })
  expect(told.after).toHaveLength(6)
  const { faults, entries } = await audit(join(after, 'db'), authorsOf(['ceo']))
  expect({ faults, entries }).toEqual({ faults: [], entries: told.before.length + told.after.length + 2 })
})
