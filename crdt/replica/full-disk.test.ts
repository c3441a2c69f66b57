import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { decodeChange } from '@automerge/automerge'
import { expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import type { Told } from './full-disk-child-suite.ts'
import {
  authorsOf,
  digestOf,
  memory,
  openTestReplica,
  sharedWorkers,
  skill,
  transferOf,
  transfersOf,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()
const PROGRAM = fileURLToPath(new URL('./full-disk-child-suite.ts', import.meta.url))

/**
 * Runs the program on a new database under a limit on the size of files, which every user may set, and which fails a
 * write in the middle as a full disk does. The limit is in blocks, of 512 bytes here and of 1,024 there.
 */
async function runLimited(mode: 'recovers' | 'stays', blocks: number): Promise<{ path: string; told: Told }> {
  const empty = await openTestReplica('ceo', { workers })
  await empty.close()
  const command = `ulimit -f ${blocks}; exec "$0" "$@"`
  const stdout = await new Promise<string>((resolve) => {
    execFile('sh', ['-c', command, process.execPath, PROGRAM, empty.path, mode], (_, text, errors) =>
      resolve(text === '' ? errors : text),
    )
  })
  return { path: empty.path, told: JSON.parse(stdout) as Told }
}

it('S-05: after a failed write nothing is acknowledged that is not kept, and writing goes on by itself', async () => {
  const { path, told } = await runLimited('recovers', 3_072)
  expect(told.codes).toEqual(['STORAGE_FAILED'])
  expect(told.readable).toBe(true)
  expect(told.before.length).toBeGreaterThan(5)
  expect(told.after).toHaveLength(6)

  const { faults, entries } = await audit(path, authorsOf(['ceo']))
  expect(faults).toEqual([])
  expect(entries).toBe(told.before.length + told.after.length + 1)
  const ceo = await openTestReplica('ceo', { workers, path })
  for (const key of [...told.before, ...told.after]) expect((await ceo.get(memory(key)))?.row, key).toBeDefined()
  expect(await ceo.get(memory('refused'))).toBeUndefined()
  expect(await ceo.get(skill('refused', 'node'))).toBeUndefined()
  expect((await ceo.side.list('x')).map(({ key }) => key)).toEqual(['kept'])
  expect(ceo.position).toBe(told.position)

  const { changes } = await transferOf(ceo, memory('actor'))
  const authors = changes.slice(1).map((change) => decodeChange(change))
  expect(authors.map(({ seq }) => seq)).toEqual([1, 1])
  expect(new Set(authors.map(({ actor }) => actor)).size).toBe(2)
  const sec = await openTestReplica('sec', { workers })
  expect(new Set(await verdicts(sec, await transfersOf(ceo)))).toEqual(new Set(['applied']))
  expect(digestOf(sec)).toBe(digestOf(ceo))
}, 60_000)

it('S-05: while there is no room writes are refused and reads go on, and what was kept is there later', async () => {
  const { path, told } = await runLimited('stays', 960)
  expect(told).toMatchObject({ codes: ['STORAGE_FAILED'], readable: true, after: [] })
  const { faults, entries } = await audit(path, authorsOf(['ceo']))
  expect({ faults, entries }).toEqual({ faults: [], entries: told.before.length + 1 })
}, 60_000)
