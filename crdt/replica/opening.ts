import { MeshError } from '../errors.ts'
import { Database } from './database.ts'
import { backUp, migrate } from './migration.ts'
import { DATABASE_FORMAT, decodeDatabase } from './records.ts'
import { required } from './totals.ts'

/**
 * Opens a database in the present format; one of an older format is copied beside itself, and then brought to it.
 * @throws {MeshError} `DATABASE_MISSING`, `DATABASE_LOCKED`, `DATABASE_TOO_NEW`, `STORAGE_CORRUPT`, `STORAGE_FAILED`
 */
export async function openDatabase(path: string): Promise<{ database: Database; databaseId: string }> {
  let database = await Database.open(path)
  try {
    const record = await checkFormat(database)
    if (record.format < DATABASE_FORMAT) {
      await database.close()
      await backUp(path, record.format)
      database = await Database.open(path)
      await migrate(database, record)
    }
    return { database, databaseId: record.databaseId }
  } catch (error) {
    await database.close()
    throw error
  }
}

async function checkFormat(database: Database) {
  const record = decodeDatabase(await required(database, 'database'))
  if (record.format > DATABASE_FORMAT) {
    throw new MeshError(
      'DATABASE_TOO_NEW',
      `${database.path} has format ${record.format}; this version knows up to ${DATABASE_FORMAT}`,
      { hint: 'run the newer openclaw-mesh again; nothing was changed' },
    )
  }
  return record
}
