import { expect, test } from 'vitest'
import { inBatches, type PreparedBatch } from './batches.ts'
import type { Candidate } from './source.ts'

const memory = (key: string, value = 'x'): Candidate => ({ memory: { scope: 'mesh', key, value } })
const skill = (name: string, content = 'x'): Candidate => ({ skill: { name, content } })

async function batches(candidates: Candidate[], limits?: { items: number; bytes: number }): Promise<PreparedBatch[]> {
  return Array.fromAsync(inBatches(candidates, limits))
}

test('nothing becomes nothing', async () => {
  expect(await batches([])).toEqual([])
})

test('a batch holds at most 500 items, memory and skills together, in their order', async () => {
  const candidates = Array.from({ length: 1200 }, (_, i) => (i % 2 ? skill(`s${i}`) : memory(`m${i}`)))
  const prepared = await batches(candidates)
  expect(prepared.map(({ size }) => size)).toEqual([500, 500, 200])
  expect(prepared[1]?.batch.memory?.[0]?.key).toBe('m500')
})

test('the JSON of a batch stays below 2 MiB, escapes and UTF-8 counted', async () => {
  const candidates = Array.from({ length: 12 }, (_, i) => skill(`s${i}`, '"é\n'.repeat(60_000)))
  const prepared = await batches(candidates)
  expect(prepared.length).toBeGreaterThan(2)
  for (const { batch } of prepared) expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(2 * 1024 * 1024)
  expect(prepared.flatMap(({ batch }) => batch.skills?.map(({ name }) => name))).toEqual(
    candidates.map((_, i) => `s${i}`),
  )
})

test('an item that no request can hold is refused, and the others go', async () => {
  const prepared = await batches([memory('a'), skill('big', 'x'.repeat(300)), memory('b')], { items: 10, bytes: 200 })
  expect(prepared.flatMap(({ refused }) => refused)).toMatchObject([
    { kind: 'skill', scope: 'mesh', key: 'big', code: 'BODY_TOO_LARGE' },
  ])
  expect(prepared.flatMap(({ batch }) => batch.memory?.map(({ key }) => key))).toEqual(['a', 'b'])
})

test('refusals found before come through, also when nothing is left to send', async () => {
  const refused = { kind: 'memory', scope: '', key: 'x', code: 'SCOPE_INVALID', message: 'no scope' } as const
  expect(await batches([{ refused }])).toEqual([{ batch: { memory: [], skills: [] }, size: 0, refused: [refused] }])
})
