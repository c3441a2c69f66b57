import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Level } from 'level'
import { describe, expect, it } from 'vitest'
import { audit } from './audit-suite.ts'
import { startVictim } from './child-suite.ts'
import { createReplica, openReplica, replicaExists } from './index.ts'
import { documentKey, documentRange, entryKey, metaKey } from './keys.ts'
import {
  authorsOf,
  collect,
  itemsIn,
  MEMBERS,
  MESH,
  memory,
  openTestReplica,
  rowsOf,
  sharedWorkers,
  signerOf,
  tempFolder,
  transfersOf,
  verdicts,
} from './lab-suite.ts'
import { DATABASE_FORMAT, encodeDatabase } from './records.ts'

const workers = sharedWorkers()

/** A closed replica with some entries. */
async function closedReplica(): Promise<string> {
  const ceo = await openTestReplica('ceo', { workers })
  await Promise.all(Array.from({ length: 20 }, (_, i) => ceo.put(`key-${i}`, { [`value-${i}`]: 'x'.repeat(100) })))
  await ceo.close()
  return ceo.path
}

const open = (path: string) => openReplica({ signer: signerOf('ceo'), workers }, { path })

/** Uses the database beneath the replica. */
async function withLevel(path: string, use: (level: Level<Uint8Array, Uint8Array>) => Promise<void>): Promise<void> {
  const level = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await use(level)
  await level.close()
}

async function flipByte(path: string, key: Uint8Array, at: number): Promise<void> {
  await withLevel(path, async (level) => {
    const value = (await level.get(key)) as Uint8Array
    const i = at < 0 ? value.length + at : at
    await level.put(
      key,
      value.map((byte, j) => (j === i ? byte ^ 0x10 : byte)),
    )
  })
}

/** Size and time of every file of the database itself. */
async function fingerprint(path: string): Promise<string[]> {
  const files = (await readdir(path)).filter((name) => /\.(ldb|log)$/.test(name)).sort()
  return Promise.all(files.map(async (name) => `${name} ${(await readFile(join(path, name))).toString('base64')}`))
}

describe('a flipped byte in a stored value', () => {
  it.each([
    ['the checksum', 0],
    ['the value', 20],
    ['the end', -1],
  ])('in %s of a row is noticed by whoever reads it', async (_, at) => {
    const path = await closedReplica()
    await flipByte(path, entryKey(memory('key-7')), at)
    const ceo = await openTestReplica('ceo', { workers, path })
    const corrupt = { code: 'STORAGE_CORRUPT' }
    await expect(ceo.get(memory('key-7'))).rejects.toMatchObject(corrupt)
    await expect(collect(ceo.list('memory'))).rejects.toMatchObject(corrupt)
    // Reconciling goes on: items are kept beside the rows.
    expect(await itemsIn(ceo)).toHaveLength(20)
    await expect(ceo.put('key-7', 1)).rejects.toMatchObject(corrupt)
    expect((await ceo.get(memory('key-6')))?.row).toMatchObject({ key: 'key-6' })
    await ceo.put('key-6', 1)
  })

  it('of a document is noticed before anything is built on it, and the entry is not called refused', async () => {
    const path = await closedReplica()
    const sec = await openTestReplica('sec', { workers })
    const healthy = await openTestReplica('ceo', { workers, path })
    const transfers = await transfersOf(healthy)
    await sec.apply(transfers, 'ceo')
    await healthy.close()
    await flipByte(path, documentKey(memory('key-7')), 40)
    const ceo = await openTestReplica('ceo', { workers, path })
    await expect(ceo.put('key-7', 1)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await expect(ceo.transfer(memory('key-7'))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await expect(ceo.history(memory('key-7'))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await sec.put('key-7', 1)
    await sec.put('key-8', 1)
    const news = (await transfersOf(sec)).filter(({ id }) => ['key-7', 'key-8'].includes(id.key))
    expect((await verdicts(ceo, news)).sort()).toEqual(['applied', 'incomplete STORAGE_CORRUPT'])
  })

  it('of what lies behind a document is noticed as well, and so is a part that is gone', async () => {
    const sec = await openTestReplica('sec', { workers })
    const ceo = await openTestReplica('ceo', { workers })
    for (let n = 0; n < 60; n++) await ceo.put('hot', { n, text: 'x'.repeat(100) })
    await sec.apply(await transfersOf(ceo), 'ceo')
    await sec.put('hot', 'newer')
    await ceo.close()
    const tails: Uint8Array[] = []
    await withLevel(ceo.path, async (level) => {
      for await (const key of level.keys(documentRange(memory('hot')))) tails.push(key)
    })
    tails.shift()
    expect(tails.length).toBeGreaterThan(5)
    const expectCorrupt = async (damage: (level: Level<Uint8Array, Uint8Array>) => Promise<void>, verdict: string) => {
      const path = join(await tempFolder(), 'db')
      await cp(ceo.path, path, { recursive: true })
      await withLevel(path, damage)
      const damaged = await openTestReplica('ceo', { workers, path })
      await expect(damaged.put('hot', 1)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      expect(await verdicts(damaged, await transfersOf(sec))).toEqual([verdict])
      await damaged.close()
    }
    const corrupt = 'incomplete STORAGE_CORRUPT'
    await expectCorrupt((level) => level.put(tails[3] as Uint8Array, new Uint8Array(300)), corrupt)
    await expectCorrupt((level) => level.del(tails[3] as Uint8Array), 'incomplete CHANGE_INCOMPLETE')
    await expectCorrupt((level) => level.del(tails.at(-1) as Uint8Array), corrupt)
  })

  it('in what the database says of itself keeps it from being opened, and opened later all is there', async () => {
    const path = await closedReplica()
    for (const name of ['database', 'mesh', 'counts'] as const) {
      await flipByte(path, metaKey(name), -1)
      await expect(open(path)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      await flipByte(path, metaKey(name), -1)
    }
    expect(await rowsOf(await openTestReplica('ceo', { workers, path }), 'memory')).toHaveLength(20)
  })
})

describe('files of the database', () => {
  it('a missing CURRENT is said, nothing is deleted, and with it back all is there', async () => {
    const path = await closedReplica()
    const before = await fingerprint(path)
    await rename(join(path, 'CURRENT'), join(path, '..', 'CURRENT'))
    expect(replicaExists(path)).toBe(false)
    await expect(open(path)).rejects.toMatchObject({ code: 'DATABASE_MISSING' })
    await expect(createReplica(path, { meshId: MESH, records: [] })).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(await fingerprint(path)).toEqual(before)
    await rename(join(path, '..', 'CURRENT'), join(path, 'CURRENT'))
    expect(await rowsOf(await openTestReplica('ceo', { workers, path }), 'memory')).toHaveLength(20)
  })

  it('a folder that is not there, or empty, is no database, and opening makes none', async () => {
    const folder = await tempFolder()
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_MISSING' })
    await expect(open(join(folder, 'none'))).rejects.toMatchObject({ code: 'DATABASE_MISSING' })
    expect(await readdir(folder)).toEqual([])
  })

  it('a missing MANIFEST is said with a code, nothing is deleted, and with it back all is there', async () => {
    const path = await closedReplica()
    const before = await fingerprint(path)
    const manifest = (await readdir(path)).find((name) => name.startsWith('MANIFEST')) as string
    const bytes = await readFile(join(path, manifest))
    await rm(join(path, manifest))
    await expect(open(path)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    expect(await fingerprint(path)).toEqual(before)
    await writeFile(join(path, manifest), bytes)
    expect(await rowsOf(await openTestReplica('ceo', { workers, path }), 'memory')).toHaveLength(20)
  })

  it.each([1, 7, 50])(
    'S-02: a log torn %i bytes before its end loses the last write, and nothing else',
    async (cut) => {
      const torn = await openTestReplica('ceo', { workers })
      for (let i = 0; i < 5; i++) await torn.put(`key-${i}`, 'x'.repeat(100))
      await torn.close()
      const { path } = torn
      const log = (await readdir(path)).find((name) => name.endsWith('.log')) as string
      await writeFile(join(path, log), (await readFile(join(path, log))).subarray(0, -cut))
      const { faults, entries } = await audit(path, authorsOf(MEMBERS))
      expect({ faults, entries }).toEqual({ faults: [], entries: 4 })
      const ceo = await openTestReplica('ceo', { workers, path })
      await ceo.put('key-4', 'again')
      expect((await ceo.get(memory('key-4')))?.row).toMatchObject({ value: 'again' })
    },
  )
})

it('S-33: a database of a newer format is refused and not changed', async () => {
  const path = await closedReplica()
  await withLevel(path, async (level) => {
    const newer = encodeDatabase({ format: DATABASE_FORMAT + 1, databaseId: 'd'.repeat(32) })
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(newer))
    await level.put(metaKey('database'), Buffer.concat([sum, newer]))
  })
  const dump = async () => {
    const all: string[] = []
    await withLevel(path, async (level) => {
      for await (const [key, value] of level.iterator()) all.push(Buffer.concat([key, value]).toString('base64'))
    })
    return all
  }
  const before = await dump()
  await expect(open(path)).rejects.toMatchObject({ code: 'DATABASE_TOO_NEW', hint: expect.stringContaining('newer') })
  expect(await dump()).toEqual(before)
})

describe('S-07: a database that is open', () => {
  it('is refused to a second opening in this process, which harms nothing', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await expect(open(ceo.path)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    await ceo.put('plan', 1)
    await ceo.close()
    expect(await rowsOf(await openTestReplica('ceo', { workers, path: ceo.path }), 'memory')).toHaveLength(1)
  })

  it('is refused while another process has it, and free when that is killed', { timeout: 20_000 }, async () => {
    const path = await closedReplica()
    const holder = startVictim(path, 'hold')
    await holder.said(2)
    await expect(open(path)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    await holder.kill()
    expect(await rowsOf(await openTestReplica('ceo', { workers, path }), 'memory')).toHaveLength(20)
  })
})
