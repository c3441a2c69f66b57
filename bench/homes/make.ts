import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Database, type Operation } from '../../crdt/replica/database.ts'
import { metaKey, sideKey, startingWith } from '../../crdt/replica/keys.ts'
import { DATABASE_FORMAT, encodeDatabase } from '../../crdt/replica/records.ts'
import { layoutOf } from '../../daemon/home.ts'
import { openNode } from '../node.ts'

/**
 * Makes, in a folder, the homes `ceo` and `sec` of two members of one mesh that hold the same entries. `ceo` has put
 * them all. The database of `sec` is a copy of that, made while it was closed, with an id and side records of its own:
 * so its feed says that it wrote the entries itself, which a real sync would not.
 */
export async function makeHomes(folder: string, entries: number): Promise<void> {
  const [ceo, sec] = [join(folder, 'ceo'), join(folder, 'sec')]
  const [first, second] = [await openNode(ceo, 'ceo'), await openNode(sec, 'sec')]
  await second.join(await first.invite())
  await second.sync()
  await second.close()
  await first.fill(entries)
  await first.close()
  await replaceDatabase(layoutOf(sec).databasePath, layoutOf(ceo).databasePath)
}

const SIDE = startingWith(new TextEncoder().encode('x'))
/** What it remembers of peers was true of the database that is replaced. */
const CHECKPOINT = Buffer.from(sideKey('checkpoints', ''))

async function replaceDatabase(path: string, by: string): Promise<void> {
  const own = await sideRecords(path)
  await rm(path, { recursive: true })
  await cp(by, path, { recursive: true, mode: constants.COPYFILE_FICLONE })
  const foreign = await sideRecords(path)
  const database = await Database.open(path)
  try {
    const record = encodeDatabase({ format: DATABASE_FORMAT, databaseId: randomBytes(16).toString('hex') })
    await database.write([
      ...foreign.map(({ key }) => ({ key })),
      ...own.filter(({ key }) => !CHECKPOINT.equals(key.subarray(0, CHECKPOINT.length))),
      { key: metaKey('database'), value: record },
    ])
  } finally {
    await database.close()
  }
}

async function sideRecords(path: string): Promise<Operation[]> {
  const database = await Database.open(path)
  try {
    return await Array.fromAsync(database.range(SIDE), ([key, value]) => ({ key, value }))
  } finally {
    await database.close()
  }
}
