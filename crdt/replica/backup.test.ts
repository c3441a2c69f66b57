import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Level } from 'level'
import { describe, expect, it } from 'vitest'
import { type BackupHeader, readBackup } from '../backup/index.ts'
import { inspectChange } from '../entry/index.ts'
import { changeMessage } from '../signing.ts'
import { audit } from './audit-suite.ts'
import { backUpView } from './backup.ts'
import { operationBomb } from './bomb-suite.ts'
import { Database } from './database.ts'
import { FIRST } from './forge-suite.ts'
import { type Replica, unpackBackup } from './index.ts'
import { documentKey, entryKey, metaKey } from './keys.ts'
import {
  authorsOf,
  digestOf,
  exchange,
  feedOf,
  hex,
  MESH,
  memory,
  openTestReplica,
  rowsOf,
  sharedWorkers,
  signerOf,
  skill,
  type TestReplica,
  tempFolder,
  transferOf,
} from './lab-suite.ts'
import { backupOf } from './migration.ts'
import { decodeDatabase, encodeDatabase, encodeDocument } from './records.ts'
import { MAX_CHANGE_BYTES } from './vet.ts'

const workers = sharedWorkers()
/** End what grows by half of what is allowed in earnest. */
const impatient = sharedWorkers({ growthBytes: 150 * 1024 * 1024 })
const OTHER = 'b'.repeat(32)
const SEED = Buffer.alloc(32, 3)

const pieces = (replica: TestReplica, seed?: Uint8Array) =>
  replica.backup({ nodeId: replica.name, peerId: `peer of ${replica.name}`, version: '0.1.0', seed })

async function* stream(made: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* made
}

/** A backup in a file. */
async function backedUp(replica: TestReplica, seed?: Uint8Array): Promise<string> {
  const file = join(await tempFolder(), 'backup')
  await pipeline(pieces(replica, seed), createWriteStream(file))
  return file
}

async function unpacked(file: string): Promise<{ path: string; header: BackupHeader; seed: Uint8Array | undefined }> {
  const path = join(await tempFolder(), 'db')
  return { path, ...(await unpackBackup(createReadStream(file), path)) }
}

async function headerOf(file: string): Promise<BackupHeader> {
  for await (const part of readBackup(createReadStream(file))) if (part.kind === 'header') return part.header
  throw new Error('no header')
}

const merged = async (replica: Replica, file: string, isOwn = true) =>
  replica.mergeBackup((await unpacked(file)).path, { isOwn })

/** Everything there is: entries of every kind, deleted, expired, in conflict, of scope node, of others, a long history. */
async function fill(ceo: TestReplica, sec: TestReplica): Promise<void> {
  await Promise.all([ceo.put('both', { a: 1 }), sec.put('both', { a: 2 }), sec.put('theirs', 1), ceo.put('gone', 1)])
  await Promise.all([ceo.putText('deploy', 'text\n'), ceo.put('own', 'here', 'node'), ceo.drop(memory('gone'))])
  await exchange(ceo, sec)
  for (let i = 0; i < 40; i++) await ceo.put('hot', { [`m${i % 7}`]: 'x'.repeat(50 * i) })
  await ceo.side.write([{ namespace: 'api-keys', key: 'x', value: Buffer.from('1') }])
}

async function everythingOf(replica: Replica) {
  const histories = await Promise.all(
    [memory('both'), memory('hot'), memory('gone'), memory('own', 'node'), skill('deploy')].map((id) =>
      replica.history(id),
    ),
  )
  return {
    digest: digestOf(replica),
    node: hex(replica.digest(['node' as never]).digest),
    counts: replica.counts(),
    position: replica.position,
    meshId: replica.meshId,
    rows: [await rowsOf(replica, 'memory'), await rowsOf(replica, 'skill')],
    feed: await feedOf(replica),
    histories,
    conflicts: await replica.conflicts(memory('both')),
    side: await replica.side.list('api-keys'),
    symbols: (await replica.symbols(0)).symbols(0, 4),
  }
}

describe('S-30: a backup of a replica', () => {
  it('has everything in it, under another database id', async () => {
    const [first, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await fill(first, sec)
    // They are written down at the end, and derived.
    await first.symbols(0)
    await first.close()
    const ceo = await openTestReplica('ceo', { workers, path: first.path })
    const { path, header, seed } = await unpacked(await backedUp(ceo, SEED))
    const before = await everythingOf(ceo)
    expect(seed && Buffer.from(seed)).toEqual(SEED)
    expect(header).toMatchObject({
      databaseFormat: 2,
      databaseId: ceo.databaseId,
      meshId: ceo.meshId,
      nodeId: 'ceo',
      peerId: 'peer of ceo',
      publicKey: hex(signerOf('ceo').publicKey),
      position: ceo.position,
      digest: digestOf(ceo),
      counts: ceo.counts(),
    })
    expect((await audit(path, authorsOf(['ceo', 'sec']))).faults).toEqual([])
    const database = await Database.open(path)
    expect(await database.get(metaKey('symbols'))).toBeUndefined()
    await database.close()

    const again = await openTestReplica('ceo', { workers, path })
    expect(await everythingOf(again)).toEqual(before)
    expect(again.databaseId).not.toBe(ceo.databaseId)
    expect(again.databaseId).toMatch(/^[0-9a-f]{32}$/)
    // Both go on, and what they write can be merged: no actor is used twice.
    await Promise.all([ceo.put('both', { a: 'ceo' }), again.put('both', { a: 'again' }), again.put('hot', 1)])
    await exchange(ceo, again)
    expect(digestOf(again)).toBe(digestOf(ceo))
    expect((await ceo.conflicts(memory('both')))[0]?.values.map(({ value }) => value).sort()).toEqual(['again', 'ceo'])
  })

  it('leaves the key, and side records that are to be forgotten, out', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.side.write([
      { namespace: 'invitations', key: 'a', value: Buffer.from('1') },
      { namespace: 'invitations2', key: 'a', value: Buffer.from('1') },
    ])
    const file = await backedUp(ceo)
    const path = join(await tempFolder(), 'db')
    const { seed } = await unpackBackup(createReadStream(file), path, { forget: ['invitations'] })
    expect(seed).toBeUndefined()
    const again = await openTestReplica('ceo', { workers, path })
    expect(await again.side.list('invitations')).toEqual([])
    expect(await again.side.list('invitations2')).toHaveLength(1)
  })

  it('shows one moment, whatever is written while it is made', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const digests = new Map<number, string | undefined>()
    const begun = Promise.withResolvers<void>()
    ceo.onCommit(() => {
      digests.set(ceo.position, digestOf(ceo))
      if (ceo.position > 1_500) begun.resolve()
    })
    const filled = Promise.all(
      Array.from({ length: 3_000 }, (_, i) => ceo.put(`key-${i}`, { i, pad: `${Math.random()}` })),
    )
    await begun.promise
    const source = pieces(ceo)[Symbol.asyncIterator]()
    const made: Uint8Array[] = []
    let writes = 0
    for (;;) {
      // As slow as somebody who writes it to a disk.
      const [step] = await Promise.all([
        source.next(),
        ceo.put(`key-${writes % 3_000}`, { n: writes++ }),
        ceo.drop(memory(`key-${3_000 - writes}`)),
        ceo.put(`new-${writes}`, writes),
      ])
      if (step.done) break
      made.push(step.value)
    }
    await filled
    const path = join(await tempFolder(), 'db')
    const { header } = await unpackBackup(stream(made), path)
    expect(writes).toBeGreaterThan(5)
    expect(header.position).toBeLessThan(ceo.position)
    expect(header.digest).toBe(digests.get(header.position))
    const { faults, digest } = await audit(path, authorsOf(['ceo']))
    expect({ faults, digest }).toEqual({ faults: [], digest: header.digest })
  })

  it('is not made of a damaged database: the error names the value, also to whoever reads what there is of it', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let i = 0; i < 3; i++) await ceo.put(`key-${i}`, i)
    await ceo.close()
    await damage(ceo.path, entryKey(memory('key-1')))
    const again = await openTestReplica('ceo', { workers, path: ceo.path })
    const made: Uint8Array[] = []
    const make = async () => {
      for await (const piece of pieces(again)) made.push(piece)
    }
    const damaged = { code: 'STORAGE_CORRUPT', message: expect.stringContaining('key-1') }
    await expect(make()).rejects.toMatchObject(damaged)
    const read = async () => {
      for await (const part of readBackup(stream(made))) expect(part).toBeDefined()
    }
    await expect(read()).rejects.toMatchObject(damaged)
  })

  it('waits for a change of mesh, and is then of the new one', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await Promise.all(Array.from({ length: 600 }, (_, i) => ceo.put(`key-${i}`, i)))
    const adopted = ceo.adopt({ meshId: OTHER, forget: [], records: [] })
    const file = await backedUp(ceo)
    await adopted
    expect(await headerOf(file)).toMatchObject({ meshId: OTHER, digest: digestOf(ceo) })
    const { path } = await unpacked(file)
    expect((await audit(path, authorsOf(['ceo']))).faults).toEqual([])
  })

  it('of which not all is there leaves nothing that could be taken for a database by its caller', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    const file = await backedUp(ceo)
    const whole = Buffer.concat(await Array.fromAsync(createReadStream(file) as AsyncIterable<Buffer>))
    for (const end of [0, 10, 50, whole.length - 1]) {
      const folder = await tempFolder()
      const unpack = unpackBackup(stream([whole.subarray(0, end)]), join(folder, 'db'))
      await expect(unpack).rejects.toMatchObject({ code: expect.stringMatching(/^BACKUP_(INVALID|DAMAGED)$/) })
      // Closed, so that the folder can be removed; and not made at all where there is not even a header.
      expect(await readdir(folder)).toEqual(end > 50 ? ['db'] : [])
    }
  })

  it('of a newer database is refused before anything is made', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.close()
    await reformat(ceo.path, 3)
    const folder = await tempFolder()
    const database = await Database.open(ceo.path)
    const source = { nodeId: 'ceo', peerId: 'p', version: '9', seed: undefined, publicKey: SEED, createdAt: 1 }
    const made = await Array.fromAsync(database.frozenPieces((view) => backUpView(view, source)))
    await database.close()
    const unpack = unpackBackup(stream(made), join(folder, 'db'))
    await expect(unpack).rejects.toMatchObject({ code: 'BACKUP_TOO_NEW' })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('S-30: a backup that is merged into a replica', () => {
  it('brings back what is lost, and neither what was deleted since nor what was overwritten', async () => {
    const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await fill(ceo, sec)
    const file = await backedUp(ceo)
    await Promise.all([ceo.drop(memory('theirs')), ceo.put('both', { a: 'newer' }), ceo.put('own', 'newer', 'node')])
    await ceo.put('later', 1)
    const before = await everythingOf(ceo)
    expect(await merged(ceo, file)).toMatchObject({ entries: 6, applied: 0, known: 6, left: 0, refused: 0 })
    expect(await everythingOf(ceo)).toEqual(before)

    // Another machine of this node's, that has lost all.
    const lost = await openTestReplica('ceo', { workers })
    await lost.put('since', 1)
    expect(await merged(lost, file)).toMatchObject({
      entries: 6,
      applied: 6,
      known: 0,
      left: 0,
      refused: 0,
      faults: [],
    })
    expect((await lost.get(memory('own', 'node')))?.row).toMatchObject({ value: 'here' })
    expect((await lost.get(memory('gone')))?.row).toBeUndefined()
    expect((await lost.history(memory('hot'))).length).toBe(40)
    expect(await merged(lost, file)).toMatchObject({ entries: 6, applied: 0, known: 6 })
    await exchange(ceo, lost)
    expect(digestOf(lost)).toBe(digestOf(ceo))
    expect((await lost.get(memory('theirs')))?.row).toBeUndefined()
    expect((await lost.get(memory('both')))?.row).toMatchObject({ value: { a: 'newer' } })
    await lost.close()
    expect((await audit(lost.path, authorsOf(['ceo', 'sec']))).faults).toEqual([])
  })

  it('is told to listeners as written here, so that it is pushed on', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    const file = await backedUp(ceo)
    const lost = await openTestReplica('ceo', { workers })
    const heard: unknown[] = []
    lost.onCommit((commits) => heard.push(...commits.map(({ id, via, changes }) => [id.key, via, changes.length])))
    await merged(lost, file)
    expect(heard).toEqual([['plan', undefined, 2]])
  })

  it('of another member comes without its scope node', async () => {
    const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await fill(ceo, sec)
    const file = await backedUp(ceo)
    const lost = await openTestReplica('sec', { workers })
    expect(await merged(lost, file, false)).toMatchObject({ entries: 6, applied: 5, left: 1, refused: 0 })
    expect(await lost.get(memory('own', 'node'))).toBeUndefined()
    expect(digestOf(lost)).toBe(digestOf(ceo))
  })

  it('of another mesh is refused, and so is what no member has signed', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    const file = await backedUp(ceo)
    const other = await openTestReplica('ceo', { workers })
    await other.adopt({ meshId: OTHER, forget: [], records: [] })
    await expect(merged(other, file)).rejects.toMatchObject({ code: 'BACKUP_OTHER_MESH' })

    const stranger = await openTestReplica('mallory', { workers, members: ['mallory'] })
    await stranger.put('evil', 1)
    await stranger.put('own', 1, 'node')
    const lost = await openTestReplica('ceo', { workers })
    expect(await merged(lost, await backedUp(stranger))).toMatchObject({
      entries: 2,
      applied: 0,
      refused: 2,
      faults: [
        { id: memory('evil'), outcome: 'refused', code: 'CHANGE_UNSIGNED' },
        { id: memory('own', 'node'), outcome: 'refused', code: 'CHANGE_UNSIGNED' },
      ],
    })
    expect(lost.position).toBe(0)
  })

  it('goes through the guard against secrets, but for scope node; what has expired stays hidden', async () => {
    const now = 1_800_000_000
    const ceo = await openTestReplica('ceo', { workers, now: () => now * 1000 })
    const secret = ['ghp', '_', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('')
    await Promise.all([ceo.put('token', secret), ceo.put('token', secret, 'node'), ceo.put('plan', 1)])
    await ceo.putMemory({ ...memory('short'), value: 1, nodeId: 'ceo', expiresAt: now + 60 })
    const file = await backedUp(ceo)
    const lost = await openTestReplica('ceo', { workers, now: () => (now + 3600) * 1000, secrets: { allowed: [] } })
    const report = await merged(lost, file)
    expect(report).toMatchObject({ entries: 4, applied: 3, refused: 1, faults: [{ code: 'SECRET_REFUSED' }] })
    expect(JSON.stringify(report)).not.toContain(secret)
    expect((await lost.get(memory('token', 'node')))?.row).toMatchObject({ value: secret })
    expect(await lost.get(memory('short'))).toMatchObject({ row: undefined, isExpired: true })
    expect(lost.counts()).toMatchObject({ memory: 2, expired: 1 })
  })

  it('has documents of any size in it; what breaks the limits of a worker is left, and nothing else', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let n = 0; n < 16; n++) await ceo.put('large', randomBytes(180_000).toString('base64'))
    const { path } = await unpacked(await backedUp(ceo))
    const whole = await transferOf(ceo, memory('large'))
    expect(whole.chunks.length).toBeGreaterThan(1)
    // More than a peer may send in one piece.
    expect(whole.chunks.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(MAX_CHANGE_BYTES)
    const lost = await openTestReplica('ceo', { workers })
    expect(await lost.mergeBackup(path, { isOwn: true })).toMatchObject({ entries: 1, applied: 1, faults: [] })
    expect(digestOf(lost)).toBe(digestOf(ceo))

    // Two hundred bytes that take half a gigabyte to open.
    const database = await Database.open(path)
    const { change, hash } = operationBomb(inspectChange(FIRST).hash, 1_000_000)
    const { publicKey } = signerOf('sec')
    const signature = signerOf('sec').signChange(changeMessage(MESH, memory('bomb'), Buffer.from(hash, 'hex')))
    const signatures = [{ change: Buffer.from(hash, 'hex'), publicKey, signature }]
    const bomb = encodeDocument({ bytes: Buffer.concat([FIRST, change]), signatures })
    const entry = (await database.get(entryKey(memory('large')))) as Uint8Array
    await database.write([
      { key: documentKey(memory('bomb')), value: bomb },
      { key: entryKey(memory('bomb')), value: entry },
    ])
    await database.close()
    const again = await openTestReplica('ceo', { workers: impatient })
    const report = await again.mergeBackup(path, { isOwn: true })
    expect(report).toMatchObject({ entries: 2, applied: 1, incomplete: 1, faults: [{ code: 'WORKER_LIMIT' }] })
  }, 60_000)

  it('of an older format is brought to the present one beside, and leaves what it was made of alone', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let i = 0; i < 20; i++) await ceo.put(`key-${i}`, i)
    const { path } = await unpacked(await backedUp(ceo))
    await reformat(path, 1)
    const lost = await openTestReplica('ceo', { workers })
    expect(await lost.mergeBackup(path, { isOwn: true })).toMatchObject({ entries: 20, applied: 20 })
    expect(existsSync(backupOf(path, 1))).toBe(true)
    expect(digestOf(lost)).toBe(digestOf(ceo))
  })

  it('can be ended in the middle: what was taken in stays, and the next goes on', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => ceo.put(`key-${i}`, i)))
    const { path } = await unpacked(await backedUp(ceo))
    const lost = await openTestReplica('ceo', { workers })
    const end = new AbortController()
    const progress: (readonly [number, number])[] = []
    const merging = lost.mergeBackup(path, {
      isOwn: true,
      signal: end.signal,
      onProgress: (done, total) => {
        progress.push([done, total])
        end.abort(new Error('enough'))
      },
    })
    await expect(merging).rejects.toThrow('enough')
    expect(progress).toEqual([[256, 1_000]])
    expect(lost.counts().memory).toBe(256)
    expect(await lost.mergeBackup(path, { isOwn: true })).toMatchObject({ applied: 744, known: 256 })
    expect(digestOf(lost)).toBe(digestOf(ceo))
  })

  it('whose checksums fit, but not what is in it, is refused', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    const { path } = await unpacked(await backedUp(ceo))
    const database = await Database.open(path)
    await database.write([{ key: entryKey(memory('plan')), value: Buffer.from('no CBOR') }])
    await database.close()
    const lost = await openTestReplica('ceo', { workers })
    const merging = lost.mergeBackup(path, { isOwn: true })
    await expect(merging).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' })
    // And it is closed again.
    await (await Database.open(path)).close()
    expect((await transferOf(ceo, memory('plan'))).id.key).toBe('plan')
  })
})

/** Flips a bit of the value at a key, behind the back of our checksum. */
async function damage(path: string, key: Uint8Array): Promise<void> {
  const level = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  const stored = Uint8Array.from((await level.get(key)) ?? [])
  stored[stored.length - 1] = (stored[stored.length - 1] as number) ^ 1
  await level.put(key, stored)
  await level.close()
}

async function reformat(path: string, format: number): Promise<void> {
  const database = await Database.open(path)
  const record = decodeDatabase((await database.get(metaKey('database'))) as Uint8Array)
  await database.write([{ key: metaKey('database'), value: encodeDatabase({ ...record, format }) }])
  await database.close()
}
