import { once } from 'node:events'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeBackup } from '../../crdt/backup/index.ts'
import { MeshError } from '../../crdt/errors.ts'
import { LONG } from '../../test/support/long.ts'
import { until } from '../../test/support/until.ts'
import { type BackupHeader, createClient, type MeshClient, readBackup } from './client.ts'
import { interfere, type Lab, openLab, post } from './lab-suite.ts'

const FILE = { 'content-type': 'application/octet-stream' }
/** For a body to arrive, or for the longest pause in one that may be of any length; and for headers. Milliseconds. */
const REQUEST_MS = 600
const HEADERS_MS = 400

let lab: Lab
let other: Lab
let client: MeshClient
beforeAll(async () => {
  ;[lab, other] = await Promise.all([
    openLab({ limits: { requestMs: REQUEST_MS, headersMs: HEADERS_MS } }),
    openLab({ name: 'sec' }),
  ])
  client = createClient({ home: lab.layout.home })
  await client.bulk([
    { scope: 'mesh', key: 'plan', value: { short: 'ship' } },
    { scope: 'node', key: 'own', value: 'here' },
    { kind: 'skill', name: 'greet', content: 'Say hello.\n' },
  ])
})
afterAll(async () => {
  client.close()
  await Promise.all([lab.close(), other.close()])
})

const backupOf = async (from: MeshClient, init?: { key: boolean }) =>
  Buffer.concat(await Array.fromAsync(from.backup(init)))

async function lookThrough(bytes: Uint8Array): Promise<{ header: BackupHeader | undefined; seed: string | undefined }> {
  let header: BackupHeader | undefined
  let seed: string | undefined
  for await (const part of readBackup(Readable.from([bytes]))) {
    if (part.kind === 'header') header = part.header
    if (part.kind === 'key') seed = Buffer.from(part.seed).toString('hex')
  }
  return { header, seed }
}

/** What lies in the daemon's folder of what is unpacked. */
const unpacked = async () => (await readdir(lab.layout.meshdDir)).filter((name) => name.startsWith('restore'))

async function* streamed(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

describe('GET /backup', () => {
  test('is all of the node, with its key unless that is left out', async () => {
    const { header, seed } = await lookThrough(await backupOf(client))
    const status = await client.status()
    expect(header).toMatchObject({
      nodeId: 'ceo',
      peerId: status.peerId,
      meshId: status.meshId,
      digest: status.digest,
      position: status.position,
      counts: { memory: 2, skills: 1, deleted: 0 },
    })
    expect(seed).toMatch(/^[0-9a-f]{64}$/)
    const { seed: none } = await lookThrough(await backupOf(client, { key: false }))
    expect(none).toBeUndefined()
  })

  test('over plain HTTP it comes as a stream of bytes; what is wrong from the start has a status', async () => {
    const { status, headers } = await lab.local('/backup')
    expect([status, headers['content-type']]).toEqual([200, 'application/octet-stream'])
    expect((await lab.local('/backup?key=maybe')).status).toBe(400)
    const key = `${lab.layout.meshdDir}/node.key`
    await rename(key, `${key}.away`)
    try {
      expect((await lab.local('/backup')).json).toMatchObject({ code: 'KEY_UNREADABLE', field: key })
      await writeFile(key, `${'ab'.repeat(32)}\n`)
      expect((await lab.local('/backup')).json).toMatchObject({ code: 'KEY_UNREADABLE', field: key })
      expect((await lab.local('/backup?key=false')).status).toBe(200)
    } finally {
      await rename(`${key}.away`, key)
    }
  })

  test('where a value is damaged half-way, the caller is told which, and gets nothing that looks whole', async () => {
    const { store } = lab
    const bytes = await backupOf(client)
    const message = 'the value at "emmesh" does not fit'
    async function* failing() {
      const { header } = await lookThrough(bytes)
      // biome-ignore lint/correctness/useYield: it fails before it could
      async function* damaged(): AsyncGenerator<never[]> {
        throw new MeshError('STORAGE_CORRUPT', message)
      }
      yield* writeBackup({ header: header as BackupHeader, seed: undefined }, damaged())
    }
    using _damage = interfere(store, 'backup', failing)
    const pieces: Uint8Array[] = []
    const take = async () => {
      for await (const piece of client.backup()) pieces.push(piece)
    }
    await expect(take()).rejects.toMatchObject({ code: 'ANSWER_INVALID' })
    await expect(lookThrough(Buffer.concat(pieces))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', message })
  })
})

describe('POST /restore', () => {
  test('merges a backup of this node into it: nothing is new', async () => {
    const bytes = await backupOf(client)
    const before = await client.status()
    await client.putMemory({ scope: 'mesh', key: 'plan', value: 'newer' })
    await client.deleteSkill('greet')
    const progress: string[] = []
    const report = await client.restore(streamed(bytes), { onProgress: ({ phase }) => progress.push(phase) })
    expect(report).toMatchObject({
      backup: { nodeId: 'ceo', peerId: before.peerId, meshId: before.meshId, position: before.position },
      entries: before.entries,
      applied: 0,
      known: before.entries,
      left: 0,
      refused: 0,
      incomplete: 0,
      faults: [],
    })
    expect(new Set(progress)).toEqual(new Set(['unpack', 'merge']))
    expect((await client.getMemory('mesh', 'plan')).value).toBe('newer')
    await expect(client.getSkill('greet')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await unpacked()).toEqual([])
    // Without lines of progress it is one document.
    const plain = await lab.local('/restore', { method: 'POST', headers: FILE, body: bytes })
    expect([plain.status, plain.json]).toEqual([200, report])
  })

  test('refuses that of another mesh before it has read all of it, and answers all the same', async () => {
    const stranger = createClient({ home: other.layout.home })
    const bytes = await backupOf(stranger)
    stranger.close()
    await expect(client.restore(streamed(bytes))).rejects.toMatchObject({ code: 'BACKUP_OTHER_MESH' })
    const plain = await lab.local('/restore', { method: 'POST', headers: FILE, body: bytes })
    expect([plain.status, plain.json]).toEqual([409, expect.objectContaining({ code: 'BACKUP_OTHER_MESH' })])
    // More than any buffer on the way holds.
    let sent = 0
    async function* endless() {
      yield bytes
      for (; sent < 1_000_000_000; sent += 100_000) yield Buffer.alloc(100_000)
    }
    await expect(client.restore(endless())).rejects.toMatchObject({ code: 'BACKUP_OTHER_MESH' })
    expect(sent).toBeLessThan(100_000_000)
    expect(await unpacked()).toEqual([])
    expect((await client.status()).nodeId).toBe('ceo')
  })

  const RUNS = LONG ? 20_000 : 200
  test(`S-16: ${RUNS} times what is no backup, or none any more, is a clear 4xx, and changes nothing`, async () => {
    const bytes = await backupOf(client)
    const { position } = lab.store
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 0, max: bytes.length - 1 }).map((length) => bytes.subarray(0, length)),
      fc.integer({ min: 0, max: 8 * bytes.length - 1 }).map((bit) => {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        return flipped
      }),
    )
    const codes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(junk, async (body) => {
        const answer = await lab.local('/restore', { method: 'POST', headers: FILE, body: Buffer.from(body) })
        const { code } = answer.json as { code: string }
        expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
        expect(answer.status, answer.text).toBeLessThan(500)
        codes.add(code)
      }),
      { numRuns: RUNS, endOnFailure: true },
    )
    expect([...codes]).toEqual(expect.arrayContaining(['BACKUP_INVALID', 'BACKUP_DAMAGED']))
    expect([...codes].every((code) => code.startsWith('BACKUP_'))).toBe(true)
    expect(lab.store.position).toBe(position)
    expect(await unpacked()).toEqual([])
  }, 600_000)

  test('wants a file; no other call takes one', async () => {
    for (const call of [{ method: 'POST' }, post({ a: 1 }), { method: 'POST', body: 'x' }]) {
      const { status, json } = await lab.local('/restore', call)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(json).toMatchObject({ code: expect.stringMatching(/^(CONTENT_TYPE_UNSUPPORTED|JSON_INVALID)$/) })
    }
    const { status, json } = await lab.local('/import', { method: 'POST', headers: FILE, body: '{}' })
    expect([status, json]).toEqual([415, expect.objectContaining({ code: 'CONTENT_TYPE_UNSUPPORTED' })])
    const form = await lab.local('/restore', { ...post({}), headers: { 'content-type': 'text/plain' } })
    expect(form.status).toBe(403)
    // Others keep their bound.
    const large = await lab.local('/mesh/bulk', post('x'.repeat(3 * 1024 * 1024)))
    expect([large.status, large.json]).toEqual([413, expect.objectContaining({ code: 'BODY_TOO_LARGE' })])
  })

  test('may take longer than other bodies may, and goes one at a time; one that falls silent is cut', async () => {
    const bytes = await backupOf(client)
    const step = Math.ceil(bytes.length / 20)
    let sent = 0
    async function* slowly() {
      for (; sent < bytes.length; sent += step) {
        yield bytes.subarray(sent, sent + step)
        await new Promise((resolve) => setTimeout(resolve, REQUEST_MS / 4))
      }
    }
    const slow = client.restore(slowly())
    await until('it is under way', async () => (await unpacked()).length === 1)
    await expect(client.restore(streamed(bytes))).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' })
    expect(await slow).toMatchObject({ refused: 0 })
    // Which holds for no other body, and not any longer.
    const asked = request({ socketPath: lab.layout.socketPath, path: '/mesh/memory', method: 'PUT', agent: false })
    asked.setHeader('content-length', '100').write('{')
    const [late] = (await once(asked, 'response')) as [IncomingMessage]
    expect(late.statusCode).toBe(408)
    asked.on('error', () => {}).destroy()

    const silent = new Promise<never>(() => {})
    async function* fallingSilent() {
      yield bytes.subarray(0, 1_000)
      await silent
    }
    await expect(client.restore(fallingSilent())).rejects.toMatchObject({ code: 'ANSWER_INVALID' })
    await until('what was unpacked is gone', async () => (await unpacked()).length === 0)
    expect(await client.restore(streamed(bytes))).toMatchObject({ refused: 0 })
  }, 60_000)

  test('a caller that goes away ends it', async () => {
    const bytes = await backupOf(client)
    const end = new AbortController()
    async function* half() {
      yield bytes.subarray(0, bytes.length / 2)
      await until('it is under way', async () => (await unpacked()).length === 1)
      end.abort(new Error('enough'))
      await new Promise<never>(() => {})
    }
    await expect(client.restore(half(), { signal: end.signal })).rejects.toThrow('enough')
    await until('what was unpacked is gone', async () => (await unpacked()).length === 0)
    expect(await client.restore(streamed(bytes))).toMatchObject({ refused: 0 })
  })
})

describe('who may', () => {
  test('the operator alone: not agents, not keys, not a tenant, nobody without a token', async () => {
    const { key } = await client.createKey({ name: 'acme', tenant: 'acme' })
    const { key: wide } = await client.createKey({ name: 'wide', read: ['mesh', 'node'], write: ['mesh', 'node'] })
    const agent = await readFile(lab.layout.agentTokenPath, 'utf8')
    for (const token of [key, wide, agent.trim()]) {
      const authorization = `Bearer ${token}`
      const made = await lab.tcp('/backup', { headers: { authorization } })
      const restored = await lab.tcp('/restore', { method: 'POST', headers: { ...FILE, authorization }, body: 'x' })
      expect([made.status, restored.status]).toEqual([403, 403])
      expect(made.json).toMatchObject({ code: 'FORBIDDEN' })
    }
    expect((await lab.tcp('/backup')).status).toBe(401)
    expect((await lab.tcp('/restore', { method: 'POST', headers: FILE, body: 'x' })).status).toBe(401)
    const authorization = `Bearer ${await lab.token()}`
    expect((await lab.tcp('/backup', { headers: { authorization } })).status).toBe(200)
  })
})

describe('several at once', () => {
  test('two are made at once, and a third is told to wait; who leaves gives his place back', async () => {
    // More than the buffers on the way hold.
    for (let i = 0; i < 16; i++) {
      const value = Array.from({ length: 10_000 }, Math.random).join()
      await client.putMemory({ scope: 'federation', key: `big/${i}`, value })
    }
    const open = async () => {
      const asked = request({ socketPath: lab.layout.socketPath, path: '/backup', agent: false }).end()
      const [response] = (await once(asked, 'response')) as [IncomingMessage]
      return response
    }
    const [one, two] = [await open(), await open()]
    expect([one.statusCode, two.statusCode]).toEqual([200, 200])
    const third = await lab.local('/backup')
    expect([third.status, third.json]).toEqual([429, expect.objectContaining({ code: 'TOO_MANY_REQUESTS' })])
    expect(third.headers['retry-after']).toBe('1')
    one.destroy()
    await until('the place is free again', async () => (await lab.local('/backup')).status === 200)
    expect((await lookThrough(await buffer(two))).header?.nodeId).toBe('ceo')
  })
})
