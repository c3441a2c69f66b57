/**
 * A process that writes to a replica until the system takes no more, and tells on standard output, in one JSON document,
 * what came of it. Then it ends as if it were killed. `full-disk-child-suite.ts PATH recovers|stays`.
 */

import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { NODE_SCOPE, type Scope } from '../entry/index.ts'
import { createSigner } from '../signing.ts'
import { openReplica } from './index.ts'

/** What the process tells. */
export interface Told {
  /** Keys of acknowledged puts before and after the failure. */
  readonly before: readonly string[]
  readonly after: readonly string[]
  /** Acknowledged puts of the key "hot", whose document is stored in several parts. */
  readonly hot: number
  /** Codes of every write that failed. */
  readonly codes: readonly string[]
  /** Whether all that was acknowledged could be read while nothing could be written. */
  readonly readable: boolean
  readonly position: number
}

const [, , path = '', mode = '', filler] = process.argv
/** How long a failed database is watched that nothing frees, in milliseconds: two attempts to open it again. */
const WATCHED_MS = 2_300
/** Large, and easily compressed: what the log holds must fit in a table when it is opened again. */
const VALUE = 'x'.repeat(60_000)

const signer = createSigner(createHash('sha256').update('ceo').digest())
const replica = await openReplica({ signer }, { path })
const put = (key: string, value: string = VALUE) =>
  replica.putMemory({ scope: 'mesh' as Scope, key, value, nodeId: 'ceo' })

const before: string[] = []
const codes = new Set<string>()
const failing = (error: unknown) => void codes.add((error as { code?: string }).code ?? String(error))

let hot = 0
const putHot = () => put('hot', `${hot}`.repeat(50)).then(() => hot++)

await put('actor', 'before')
for (let i = 0; i < 40; i++) await putHot()
for (let n = 0; codes.size === 0; n++) {
  // Three at once: those behind the one that fails are lost with it, and said to be.
  const keys = [0, 1, 2].map((i) => `key-${n}-${i}`)
  await Promise.all([putHot().catch(failing), ...keys.map((key) => put(key).then(() => before.push(key), failing))])
}
const readable = await isReadable()
await Promise.all([
  put('refused').catch(failing),
  replica.remove({ kind: 'memory', scope: 'mesh' as Scope, key: 'actor' }, 'ceo').catch(failing),
  replica.putSkill({ scope: NODE_SCOPE, name: 'refused', nodeId: 'ceo', content: '' }).catch(failing),
  replica.side.write([{ namespace: 'x', key: 'refused', value: new Uint8Array(1) }]).catch(failing),
])

if (filler !== undefined) await rm(filler)

const after: string[] = []
const began = performance.now()
while (after.length === 0 && (mode === 'recovers' || performance.now() - began < WATCHED_MS)) {
  await put('key-after').then(() => after.push('key-after'), failing)
  if (after.length === 0 && !(await isReadable())) throw new Error('reads ended')
  await new Promise((resolve) => setTimeout(resolve, 50))
}
if (mode === 'recovers') {
  await put('actor', 'after')
  for (let i = 0; i < 10; i++) await putHot()
  await replica.side.write([{ namespace: 'x', key: 'kept', value: new Uint8Array(1) }])
  for (let i = 0; i < 5; i++) await put(`later-${i}`).then(() => after.push(`later-${i}`))
}
const told: Told = { before, after, hot, codes: [...codes], readable, position: replica.position }
process.stdout.write(`${JSON.stringify(told)}\n`)
process.kill(process.pid, 'SIGKILL')

async function isReadable(): Promise<boolean> {
  let listed = 0
  for await (const { row } of replica.list('memory')) if (row !== undefined) listed++
  const last = await replica.get({ kind: 'memory', scope: 'mesh' as Scope, key: before.at(-1) ?? 'actor' })
  const history = await replica.history({ kind: 'memory', scope: 'mesh' as Scope, key: 'actor' })
  return listed === before.length + 2 && last?.row !== undefined && history.length === 1
}
