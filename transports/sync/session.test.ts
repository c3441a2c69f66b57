import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { LONG } from '../../test/support/long.ts'
import type { Channel, PeerId } from '../transport.ts'
import { Link } from './link.ts'
import type { SessionComponents } from './pass.ts'
import { CHECKPOINTS_NAMESPACE, PeerMemory } from './peer-memory.ts'
import { initiate, respond } from './session.ts'
import { decodeMessage } from './wire.ts'

const MESH_ID = '00112233445566778899aabbccddeeff'
const ROSTER = '0011223344556677'
const QUIET = { debug() {}, info() {}, warn() {} }
const signers = { ceo: createSigner(Buffer.alloc(32, 1)), sec: createSigner(Buffer.alloc(32, 2)) }
type Name = keyof typeof signers

let folder: string
const replicas = {} as Record<Name, Replica>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'session-'))
  for (const name of ['ceo', 'sec'] as const) {
    const path = join(folder, name)
    await createReplica(path, { meshId: MESH_ID, records: [] })
    replicas[name] = await openReplica({ signer: signers[name] }, { path })
    replicas[name].setAuthors([signers.ceo.publicKey, signers.sec.publicKey])
  }
})
afterAll(async () => {
  for (const replica of Object.values(replicas)) await replica.close()
  await rm(folder, { recursive: true })
})

describe('a session takes the cheapest way', () => {
  test('what is new on either side of a known peer goes by filters of what changed since', async () => {
    await put('ceo', 0, 50)
    await talk()
    await put('ceo', 1_000, 2_200)
    await put('sec', 4_000, 2_200)
    expect(await talk()).toContain('since')
    expect(digestOf('ceo')).toEqual(digestOf('sec'))
  }, 60_000)

  test('what both have in two versions is sifted out where nothing is known of the peer', async () => {
    await forget()
    await put('ceo', 1_000, 1_400)
    await put('sec', 4_000, 1_400)
    const types = await talk()
    expect(types).toContain('sifted')
    expect(types).not.toContain('sieve')
    expect(digestOf('ceo')).toEqual(digestOf('sec'))
  }, 60_000)
})

test('so much that it is not named one by one goes by filters of everything', async () => {
  for (const name of ['ceo', 'sec'] as const) {
    await replicas[name].close()
    const path = join(folder, `${name}-2`)
    await createReplica(path, { meshId: MESH_ID, records: [] })
    replicas[name] = await openReplica({ signer: signers[name] }, { path })
    replicas[name].setAuthors([signers.ceo.publicKey, signers.sec.publicKey])
  }
  await put('ceo', 0, 10)
  await put('sec', 100, 2_500)
  expect(await talk()).toContain('sieve')
  expect(digestOf('ceo')).toEqual(digestOf('sec'))
}, 60_000)

// In small numbers the meshes on a bad network do the same.
describe.runIf(LONG)('a session sifts', () => {
  test('entries that one side alone has out among others', async () => {
    await forget()
    await put('ceo', 1_000, 1_500)
    await put('sec', 8_000, 1_500)
    await put('ceo', 10_000, 1_500)
    expect(await talk()).toContain('sifted')
    expect(digestOf('ceo')).toEqual(digestOf('sec'))
  }, 60_000)

  test('what is written meanwhile is neither lost nor keeps the two from becoming equal', async () => {
    await forget()
    await put('ceo', 1_000, 1_400)
    await put('sec', 4_000, 1_400)
    const [types] = await Promise.all([talk(), put('ceo', 2_000, 600), put('sec', 1_500, 600)])
    expect(types).toContain('sifted')
    await talk()
    expect(digestOf('ceo')).toEqual(digestOf('sec'))
  }, 60_000)
})

/** Makes the two equal in one session; gives the types of all messages. */
async function talk(): Promise<ReadonlySet<string>> {
  const types = new Set<string>()
  const [a, b] = channels(types)
  const [here, there] = [new Link(a), new Link(b)]
  const responding = serve(await components('sec', 'ceo'), there)
  await initiate(await components('ceo', 'sec'), here)
  await here.close()
  await responding
  return types
}

async function serve(components: SessionComponents, link: Link): Promise<void> {
  const open = await link.receiveNext('open')
  if (open !== undefined) await respond(components, link, open)
}

const digestOf = (name: Name) => Buffer.from(replicas[name].digest().digest).toString('hex')

async function components(name: Name, peer: Name): Promise<SessionComponents> {
  const replica = replicas[name]
  const memory = await PeerMemory.load({ replica, side: replica.side, log: QUIET, now: Date.now }, peer as PeerId)
  memory.setDatabase(replicas[peer].databaseId)
  return {
    replica,
    memory,
    roster: { version: ROSTER, records: [], merge: async () => {} },
    presence: { mine: () => ({ boot: ROSTER, cloned: false }), heard() {} },
    counts: { sent: 0, received: 0, expected: undefined },
    onProgress() {},
    onStand() {},
  }
}

function channels(types: Set<string>): [Channel, Channel] {
  const [there, back] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()]
  const end = (peer: Name, out: TransformStream, from: TransformStream): Channel => {
    const writer = out.writable.getWriter()
    return {
      peer: peer as PeerId,
      frames: from.readable,
      send: async (frame) => {
        types.add(decodeMessage(frame).message.type)
        await writer.write(frame)
      },
      close: () => writer.close(),
      abort: (reason) => void writer.abort(reason),
    }
  }
  return [end('sec', there, back), end('ceo', back, there)]
}

let version = 0
async function put(name: Name, from: number, count: number): Promise<void> {
  version++
  for (let done = 0; done < count; done += 250) {
    const keys = Array.from({ length: Math.min(250, count - done) }, (_, i) => `note/${from + done + i}`)
    await Promise.all(
      keys.map((key) => replicas[name].putMemory({ scope: MESH_SCOPE, key, value: { version, key }, nodeId: name })),
    )
  }
}

async function forget(): Promise<void> {
  for (const { side } of Object.values(replicas)) {
    const kept = await side.list(CHECKPOINTS_NAMESPACE)
    await side.write(kept.map(({ key }) => ({ namespace: CHECKPOINTS_NAMESPACE, key, value: undefined })))
  }
}
