import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import type { PeerId } from '../transport.ts'
import { PeerMemory } from './peer-memory.ts'

const PEER = 'sec' as PeerId
const QUIET = { debug() {}, info() {}, warn() {} }

let folder: string
let replica: Replica

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peer-memory-'))
  const path = join(folder, 'ceo')
  await createReplica(path, { meshId: '00112233445566778899aabbccddeeff', records: [] })
  replica = await openReplica({ signer: createSigner(Buffer.alloc(32, 1)) }, { path, feedKept: 10 })
})
afterAll(async () => {
  await replica.close()
  await rm(folder, { recursive: true })
})

const put = async (count: number) => {
  for (let i = 0; i < count; i++) await replica.putMemory({ scope: MESH_SCOPE, key: 'hot', value: i, nodeId: 'ceo' })
}

async function checkpoint(database: string) {
  const memory = await PeerMemory.load({ replica, side: replica.side, log: QUIET, now: Date.now }, PEER)
  memory.setDatabase(database)
  return { memory, checkpoint: (await memory.stand('roster')).checkpoint }
}

describe('a checkpoint', () => {
  test('holds as long as the feed reaches back to it, and both databases are the same', async () => {
    await put(5)
    const { memory } = await checkpoint('theirs')
    await memory.proveEqual(replica.position, 77)
    await put(10)
    expect((await checkpoint('theirs')).checkpoint).toEqual([5, 77])
    expect((await checkpoint('another')).checkpoint).toEqual([0, 0])
    await put(1)
    expect((await checkpoint('theirs')).checkpoint).toEqual([0, 0])
  })
})
