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
  transferInChanges,
  transfersOf,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()
const WRITER = fileURLToPath(new URL('./full-disk-child-suite.ts', import.meta.url))
const ADOPTER = fileURLToPath(new URL('./full-disk-adoption-child-suite.ts', import.meta.url))

/**
 * Runs a program on a new database under a limit on the size of files, which every user may set, and which fails a
 * write in the middle as a full disk does. The limit is in blocks, of 512 bytes here and of 1,024 there.
 */
async function runLimited<T>(blocks: number, program: string, argument: string): Promise<{ path: string; told: T }> {
  const empty = await openTestReplica('ceo', { workers })
  await empty.close()
  const command = `ulimit -f ${blocks}; exec "$0" "$@"`
  const stdout = await new Promise<string>((resolve) => {
    execFile('sh', ['-c', command, process.execPath, program, empty.path, argument], (_, text, errors) =>
      resolve(text === '' ? errors : text),
    )
  })
  return { path: empty.path, told: JSON.parse(stdout) as T }
}

it('S-05: after a failed write nothing is acknowledged that is not kept, and writing goes on by itself', async () => {
  const { path, told } = await runLimited<Told>(3_072, WRITER, 'recovers')
  expect(told.codes).toEqual(['STORAGE_FAILED'])
  expect(told.readable).toBe(true)
  expect(told.before.length).toBeGreaterThan(5)
  expect(told.after).toHaveLength(6)

  const { faults, entries } = await audit(path, authorsOf(['ceo']))
  expect(faults).toEqual([])
  expect(entries).toBe(told.before.length + told.after.length + 2)
  const ceo = await openTestReplica('ceo', { workers, path })
  for (const key of [...told.before, ...told.after]) expect((await ceo.get(memory(key)))?.row, key).toBeDefined()
  expect((await ceo.history(memory('hot'))).length).toBe(told.hot)
  expect(await ceo.get(memory('refused'))).toBeUndefined()
  expect(await ceo.get(skill('refused', 'node'))).toBeUndefined()
  expect((await ceo.side.list('x')).map(({ key }) => key)).toEqual(['kept'])
  expect(ceo.position).toBe(told.position)

  const { chunks } = await transferInChanges(ceo, memory('actor'))
  const authors = chunks.slice(1).map((change) => decodeChange(change))
  expect(authors.map(({ seq }) => seq)).toEqual([1, 1])
  expect(new Set(authors.map(({ actor }) => actor)).size).toBe(2)
  const sec = await openTestReplica('sec', { workers })
  expect(new Set(await verdicts(sec, await transfersOf(ceo)))).toEqual(new Set(['applied']))
  expect(digestOf(sec)).toBe(digestOf(ceo))
}, 60_000)

it('S-05: while there is no room writes are refused and reads go on, and what was kept is there later', async () => {
  const { path, told } = await runLimited<Told>(960, WRITER, 'stays')
  expect(told).toMatchObject({ codes: ['STORAGE_FAILED'], readable: true, after: [] })
  const { faults, entries } = await audit(path, authorsOf(['ceo']))
  expect({ faults, entries }).toEqual({ faults: [], entries: told.before.length + 2 })
}, 60_000)

it('a change of mesh that meets a full disk goes on when there is room; until then writes are refused', async () => {
  const other = 'b'.repeat(32)
  const { path, told } = await runLimited<{ failed: boolean; refused: boolean; meshId: string }>(3_072, ADOPTER, other)
  expect(told).toEqual({ failed: true, refused: true, meshId: other })
  const ceo = await openTestReplica('ceo', { workers, path })
  expect(ceo.meshId).toBe(other)
  expect(await ceo.history(memory('key-0'))).toHaveLength(2)
  await ceo.close()
  const { faults, rows, entries } = await audit(path, authorsOf(['ceo']))
  expect(faults).toEqual([])
  expect(entries).toBe(1_500 + 3)
  expect(rows.get('memory mesh key-999')).toMatchObject({ value: 'second' })
  expect(rows.has('memory mesh key-1')).toBe(false)
}, 60_000)
