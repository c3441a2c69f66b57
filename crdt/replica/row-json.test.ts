import { expect, test } from 'vitest'
import { type EntryId, NODE_SCOPE } from '../entry/index.ts'
import type { Replica } from './index.ts'
import { memory, openTestReplica, sharedWorkers, skill, transfersOf } from './lab-suite.ts'

const workers = sharedWorkers()

/** The row as text must be the row as `get` has it, whenever both are asked. */
async function rowOf(replica: Replica, id: EntryId): Promise<unknown> {
  const [found, stored] = await Promise.all([replica.rowJson(id), replica.get(id)])
  expect(found?.json).toBe(stored?.row === undefined ? undefined : JSON.stringify(stored.row))
  return stored?.row
}

test('a row is given as the JSON that is stored', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  const value = { text: 'ü "quoted" \u2028 👍', list: [1, 2.5, null, { deep: [] }], empty: {} }
  await ceo.put('plan', value)
  await ceo.put('short', 0, NODE_SCOPE)
  await ceo.put('long', 'x'.repeat(100_000))
  await ceo.putText('deploy', '---\nname: deploy\n---\r\n')
  expect(await rowOf(ceo, memory('plan'))).toMatchObject({ value })
  expect(await rowOf(ceo, memory('short', NODE_SCOPE))).toMatchObject({ value: 0 })
  expect(await rowOf(ceo, memory('long'))).toMatchObject({ key: 'long' })
  expect(await rowOf(ceo, skill('deploy'))).toMatchObject({ name: 'deploy' })
  expect(await rowOf(ceo, memory('deploy'))).toBeUndefined()
})

test('what was read before is read anew after every kind of commit', async () => {
  const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
  const id = memory('plan')
  await rowOf(ceo, id)
  await ceo.put('plan', 1)
  expect(await rowOf(ceo, id)).toMatchObject({ value: 1 })
  await ceo.put('plan', 2)
  expect(await rowOf(ceo, id)).toMatchObject({ value: 2 })
  await ceo.drop(id)
  expect(await rowOf(ceo, id)).toBeUndefined()
  await ceo.importMemory({ scope: id.scope, key: id.key, value: 3, nodeId: 'lab' }, undefined)
  expect(await rowOf(ceo, id)).toMatchObject({ value: 3, node_id: 'lab' })
  await sec.apply(await transfersOf(ceo), 'ceo')
  await sec.put('plan', 4)
  await ceo.apply(await transfersOf(sec), 'sec')
  expect(await rowOf(ceo, id)).toMatchObject({ value: 4, node_id: 'sec' })
  await ceo.adopt({ meshId: 'b'.repeat(32), forget: [], records: [] })
  expect(await rowOf(ceo, id)).toMatchObject({ value: 4 })
})

test('whoever is told of a commit reads it, whoever reads meanwhile keeps nothing old', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  const id = memory('hot')
  let done = false
  let reads = 0
  const readers = Array.from({ length: 4 }, async () => {
    for (; !done; reads++) {
      await ceo.rowJson(id)
      await new Promise(setImmediate)
    }
  })
  const told: ReturnType<Replica['rowJson']>[] = []
  ceo.onCommit(() => told.push(ceo.rowJson(id)))
  for (let value = 0; value < 200; value++) {
    const { row, version } = await ceo.put('hot', value)
    expect(await ceo.rowJson(id)).toMatchObject({ json: JSON.stringify(row), version })
  }
  done = true
  await Promise.all(readers)
  expect(reads).toBeGreaterThan(0)
  expect((await Promise.all(told)).map((row) => JSON.parse(row?.json as string).value)).toEqual(
    Array.from({ length: 200 }, (_, value) => value),
  )
})

test('a closed replica gives no rows', async () => {
  const ceo = await openTestReplica('ceo', { workers })
  await ceo.put('plan', 1)
  await rowOf(ceo, memory('plan'))
  await ceo.close()
  await expect(ceo.rowJson(memory('plan'))).rejects.toMatchObject({ code: 'REPLICA_CLOSED' })
})
