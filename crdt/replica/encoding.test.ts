import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { newHandle } from '../entry/automerge.ts'
import { EntryDocument, inspectChange } from '../entry/index.ts'
import { FIRST, forge, leaf, signHash } from './forge-suite.ts'
import { packOffered } from './index.ts'
import { exchange, memory, openTestReplica, sharedWorkers, verdicts } from './lab-suite.ts'

const workers = sharedWorkers()
const id = memory('plan')

/**
 * The same change in other bytes, which Automerge reads as the same and writes out as the usual ones: its column of keys
 * says "these two" as "this one, this one".
 */
function otherwise(change: Uint8Array): { bytes: Uint8Array; hash: string } {
  const text = Buffer.from(change)
  const usual = Buffer.from('7e022f78046c697665', 'hex') // two literals: "/x", "live"
  const other = Buffer.from('7f022f787f046c697665', 'hex')
  const at = text.indexOf(usual)
  expect(at).toBeGreaterThan(0)
  const contents = Buffer.concat([text.subarray(10, at), other, text.subarray(at + usual.length)])
  // The column of keys is number 21 and one byte longer now.
  const column = contents.indexOf(Buffer.of(21, usual.length))
  contents[column + 1] = other.length
  const chunk = Buffer.concat([Buffer.of(1, contents.length), contents])
  const hash = createHash('sha256').update(chunk).digest()
  return { bytes: Buffer.concat([text.subarray(0, 4), hash.subarray(0, 4), chunk]), hash: hash.toString('hex') }
}

it('the trick works on Automerge itself: what it saves it cannot open', () => {
  const { chunks } = forge(id, leaf('/x'))
  const { bytes, hash } = otherwise(chunks[1] as Uint8Array)
  const handle = newHandle('ab'.repeat(16))
  handle.applyChanges([FIRST, bytes])
  expect(handle.getHeads()).toEqual([hash])
  expect(() => EntryDocument.load(id, handle.save(), 'cd'.repeat(16))).toThrow()
  handle.free()
})

it('a change in an unusual encoding, signed under both its hashes, is refused: the entry could never be opened again', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  await ceo.put('plan', { kept: 1 })
  const { chunks } = forge(id, leaf('/x'))
  const { bytes, hash } = otherwise(chunks[1] as Uint8Array)
  const hashes = [hash, inspectChange(chunks[1] as Uint8Array).hash]
  const signatures = packOffered(hashes.map((one) => signHash(id, one, 'sec')))
  expect(await verdicts(ceo, [{ id, chunks: [FIRST, bytes], signatures }])).toEqual(['refused CHANGE_MALFORMED'])
  await ceo.put('plan', { kept: 2 })
  const sec = await openTestReplica('sec', { workers })
  await exchange(ceo, sec)
  expect((await sec.get(id))?.row).toMatchObject({ value: { kept: 2 } })
})

it('and so is one that builds on a first change in an unusual encoding', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  // An empty column more, which Automerge leaves out when it writes.
  const contents = Buffer.from(FIRST.subarray(10))
  const at = contents.length - 1
  expect(contents[at]).toBe(0) // no columns
  const longer = Buffer.concat([contents.subarray(0, at), Buffer.of(1, 21, 0)])
  const chunk = Buffer.concat([Buffer.of(1, longer.length), longer])
  const hash = createHash('sha256').update(chunk).digest()
  const first = Buffer.concat([FIRST.subarray(0, 4), hash.subarray(0, 4), chunk])
  const above = forge(id, leaf('/x'), { base: [first] })
  const [verdict] = await verdicts(ceo, [above])
  expect(verdict).toMatch(/^refused CHANGE_(MALFORMED|UNSIGNED)$/)
  await ceo.put('plan', 1)
  expect((await ceo.get(id))?.row).toMatchObject({ value: 1 })
})
