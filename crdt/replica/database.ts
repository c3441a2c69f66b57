import { existsSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Level } from 'level'
import { MeshError } from '../errors.ts'
import type { KeyRange } from './keys.ts'

/** One operation of a batch; without a value the key is deleted. */
export interface Operation {
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

/** How long to wait between attempts to write again after a failed write, in milliseconds. */
const RECOVERY_INTERVAL_MS = 1_000
/** Free room that must be seen before a failed database is opened again: enough for its log and manifest. */
const RECOVERY_PROBE_BYTES = 1024 * 1024

/**
 * Level with a checksum of ours before every value, and the one safe answer to a failed write. After one, LevelDB goes
 * on to acknowledge writes that are lost at the next opening; so nothing more is written until the database has been
 * closed and opened again, which happens by itself once the disk takes data. Reads go on meanwhile.
 */
export class Database {
  readonly path: string
  #level: Level<Uint8Array, Uint8Array>
  #failed: MeshError | undefined
  #reopening: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor(path: string, level: Level<Uint8Array, Uint8Array>) {
    this.path = path
    this.#level = level
  }

  /** Makes a new, empty database. @throws {MeshError} `STORAGE_FAILED`, `DATABASE_LOCKED` */
  static async create(path: string): Promise<Database> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    return new Database(path, await openLevel(path, true))
  }

  /**
   * Opens what {@link create} made. A database whose `CURRENT` is missing is refused: LevelDB would start empty and
   * delete the old tables. @throws {MeshError} `DATABASE_MISSING`, `DATABASE_LOCKED`, `STORAGE_FAILED`
   */
  static async open(path: string): Promise<Database> {
    if (!Database.exists(path)) {
      throw new MeshError('DATABASE_MISSING', `${path} holds no database (its file CURRENT is missing)`, {
        hint: 'restore it from a backup, or move the folder away to start with an empty one',
      })
    }
    return new Database(path, await openLevel(path, false))
  }

  /** Whether a database was made here, also a damaged one. */
  static exists(path: string): boolean {
    return existsSync(join(path, 'CURRENT'))
  }

  /** @throws {MeshError} `STORAGE_CORRUPT` when the checksum does not fit */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const level = await this.#open()
    const stored = level.getSync(key)
    return stored === undefined ? undefined : unseal(key, stored)
  }

  /** Pairs of a range in order of key, from one snapshot. @throws {MeshError} `STORAGE_CORRUPT` */
  async *range(range: KeyRange, limit = -1): AsyncGenerator<[Uint8Array, Uint8Array]> {
    const level = await this.#open()
    for await (const [key, stored] of level.iterator({ ...range, limit })) yield [key, unseal(key, stored)]
  }

  /** The last key of a range. */
  async lastKey(range: KeyRange): Promise<Uint8Array | undefined> {
    const level = await this.#open()
    for await (const key of level.keys({ ...range, reverse: true, limit: 1 })) return key
    return undefined
  }

  /** Writes all or nothing, durably. @throws {MeshError} `STORAGE_FAILED`: nothing was written */
  async write(operations: readonly Operation[]): Promise<void> {
    const level = await this.#open()
    if (this.#failed !== undefined) throw this.#failed
    const batch = operations.map(({ key, value }) =>
      value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value: seal(value) },
    )
    try {
      await level.batch(batch, { sync: true })
    } catch (cause) {
      const hint = 'free some disk space; writing goes on by itself once there is room'
      this.#failed = new MeshError('STORAGE_FAILED', `cannot write to ${this.path}: ${reason(cause)}`, { cause, hint })
      this.#recoverLater()
      throw this.#failed
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#reopening
    await this.#level.close()
  }

  async #open(): Promise<Level<Uint8Array, Uint8Array>> {
    await this.#reopening
    if (this.#closed) throw new MeshError('REPLICA_CLOSED', 'the database is closed')
    return this.#level
  }

  #recoverLater(): void {
    this.#timer = setTimeout(() => {
      this.#reopening = this.#recover().finally(() => {
        this.#reopening = undefined
      })
    }, RECOVERY_INTERVAL_MS)
    this.#timer.unref()
  }

  async #recover(): Promise<void> {
    if (!(await this.#hasRoom())) return this.#recoverLater()
    try {
      await this.#level.close()
      this.#level = await openLevel(this.path, false)
      this.#failed = undefined
    } catch {
      // Still not writable: the next attempt comes with the timer, and every write until then says why.
      this.#recoverLater()
    }
  }

  async #hasRoom(): Promise<boolean> {
    const probe = join(this.path, 'probe.tmp')
    try {
      const file = await open(probe, 'w', 0o600)
      try {
        await file.write(new Uint8Array(RECOVERY_PROBE_BYTES))
        await file.sync()
      } finally {
        await file.close()
      }
      return true
    } catch {
      return false
    } finally {
      await rm(probe, { force: true })
    }
  }
}

async function openLevel(path: string, createIfMissing: boolean): Promise<Level<Uint8Array, Uint8Array>> {
  // Compression stays on: only with it does LevelDB notice a flipped bit in a table.
  const level = new Level<Uint8Array, Uint8Array>(path, {
    createIfMissing,
    errorIfExists: createIfMissing,
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  try {
    await level.open()
    return level
  } catch (error) {
    const { cause = error } = error as { cause?: { code?: string } }
    if ((cause as { code?: string }).code === 'LEVEL_LOCKED') {
      throw new MeshError('DATABASE_LOCKED', `another process has ${path} open`, {
        cause,
        hint: 'stop the other daemon, or give this one a home of its own (MESH_HOME)',
      })
    }
    throw new MeshError('STORAGE_FAILED', `cannot open ${path}: ${reason(cause)}`, { cause })
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function seal(value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(value.length + 4)
  new DataView(sealed.buffer).setUint32(0, crc32(value))
  sealed.set(value, 4)
  return sealed
}

function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const value = sealed.subarray(4)
  const fits = sealed.length >= 4 && new DataView(sealed.buffer, sealed.byteOffset).getUint32(0) === crc32(value)
  if (fits) return value
  const name = JSON.stringify(Buffer.from(key).toString())
  throw new MeshError('STORAGE_CORRUPT', `the database's value at ${name} does not fit its checksum`, {
    hint: 'another member still has the entry: `mesh doctor` tells more',
  })
}
