import { expect, it } from 'vitest'
import type { EntryId } from '../entry/index.ts'
import { forge, leaf } from './forge-suite.ts'
import {
  collect,
  hex,
  itemsIn,
  memory,
  openTestReplica,
  scopeOf,
  sharedWorkers,
  skill,
  transfersOf,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()

async function replicaWithSecrets() {
  const ceo = await openTestReplica('ceo', { workers })
  await ceo.put('shared', 1)
  const { digest, items } = ceo.digest()
  await ceo.put('secret', 1, 'node')
  await ceo.putText('secret', 'text', 'node')
  await ceo.drop(memory('secret', 'node'))
  return { ceo, before: { digest: hex(digest), items } }
}

it('node scope: is in no digest, item or transfer that a peer gets', async () => {
  const { ceo, before } = await replicaWithSecrets()
  expect({ digest: hex(ceo.digest().digest), items: ceo.digest().items }).toEqual(before)
  const keys = (items: readonly { readonly id: EntryId }[]) => items.map(({ id }) => id.key)
  expect(keys(await itemsIn(ceo))).toEqual(['shared'])
  expect(keys(await transfersOf(ceo))).toEqual(['shared'])
  expect(keys(await collect(ceo.itemsSince(0, 'sec')))).toEqual(['shared'])
  expect(keys(await collect(ceo.itemsSince(1, 'sec')))).toEqual([])
  expect(await ceo.news(memory('secret', 'node'), () => true, 8)).toBeUndefined()
  expect(await ceo.transfer(memory('secret', 'node'))).toBeUndefined()
  expect(await ceo.transfer(skill('secret', 'node'))).toBeUndefined()
})

it('node scope: is read, listed and counted on its own machine', async () => {
  const { ceo } = await replicaWithSecrets()
  expect((await collect(ceo.list('skill', { scopes: [scopeOf('node')] }))).map(({ id }) => id.key)).toEqual(['secret'])
  expect(ceo.counts()).toEqual({ memory: 1, skills: 1, deleted: 1, expired: 0, conflicts: 0 })
  expect(await ceo.history(memory('secret', 'node'))).toHaveLength(2)
  expect((await collect(ceo.feed(0))).map(({ id }) => id.scope)).toEqual(['mesh', 'node', 'node', 'node'])
})

it('node scope: is not taken from a peer, however well it is signed, nor does it hold up what came with it', async () => {
  const { ceo } = await replicaWithSecrets()
  const transfers = [
    forge(memory('secret', 'node'), leaf('/x')),
    forge(memory('new', 'node'), leaf('/x')),
    forge(memory('honest'), leaf('/x')),
  ]
  expect(await verdicts(ceo, transfers)).toEqual(['refused SCOPE_NOT_SHARED', 'refused SCOPE_NOT_SHARED', 'applied'])
  expect(await ceo.get(memory('new', 'node'))).toBeUndefined()
  expect((await ceo.get(memory('secret', 'node')))?.row).toBeUndefined()
})

it('node scope: a name that only looks like it is refused as well', async () => {
  const { ceo } = await replicaWithSecrets()
  const names = ['node\0', 'NODE', ' node', 'node:', 'node:x', '']
  const transfers = names.map((scope) => forge(memory('x', scope), leaf('/x')))
  expect(await verdicts(ceo, transfers)).toEqual(names.map(() => 'refused SCOPE_INVALID'))
})
