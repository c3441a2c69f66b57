/**
 * A process whose change of mesh meets a full disk in its middle, while others want to write. Then it ends as if it were
 * killed. `full-disk-adoption-child-suite.ts PATH MESH`, under a limit on the size of files.
 */

import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '../entry/index.ts'
import { createSigner } from '../signing.ts'
import { openReplica } from './index.ts'

const [, , path = '', meshId = ''] = process.argv
const scope = 'mesh' as Scope
const signer = createSigner(createHash('sha256').update('ceo').digest())
const replica = await openReplica({ signer }, { path })

const put = (key: string, value: string) => replica.putMemory({ scope, key, value, nodeId: 'ceo' })

/** Whether a write worked; it fails with the one code that says why. */
async function works(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== 'STORAGE_FAILED') throw error
    return false
  }
}

async function logBytes(): Promise<number> {
  const logs = (await readdir(path)).filter((name) => name.endsWith('.log')).sort()
  return (await stat(join(path, logs.at(-1) ?? ''))).size
}

await Promise.all(Array.from({ length: 1_500 }, (_, i) => put(`key-${i}`, 'first')))
const filler = 'x'.repeat(60_000)
while (await works(put('filler', filler)));
const most = await logBytes()
while (!(await works(put('room', 'again')))) await pause()
// Room for some batches of the change of mesh, and not for all.
while ((await logBytes()) < most - 200_000) await put('filler', filler)

let adopted = false
const adopting = replica.adopt({ meshId, forget: [], records: [] }).finally(() => {
  adopted = true
})
// Before and behind the place that it comes to. They wait for it, and are told when the disk makes it wait.
let refused = 0
const untilDone = async (write: () => Promise<unknown>) => {
  for (; !(await works(write())); await pause()) refused++
}
const waiting = [
  untilDone(() => put('aaa', 'new')),
  untilDone(() => put('key-0', 'second')),
  untilDone(() => put('key-999', 'second')),
  untilDone(() => replica.remove({ kind: 'memory', scope, key: 'key-1' }, 'ceo')),
]
let failures = 0
while (!adopted) {
  if (!(await works(replica.side.write([{ namespace: 'x', key: 'y', value: new Uint8Array(1) }])))) failures++
  await pause()
}
await Promise.all([adopting, ...waiting])
process.stdout.write(JSON.stringify({ failed: failures > 0, refused: refused > 0, meshId: replica.meshId }))
process.kill(process.pid, 'SIGKILL')

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}
