import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Level } from 'level'
import { MeshError } from '../errors.ts'
import type { KeyRange } from './keys.ts'

type LevelDatabase = Level<Uint8Array, Uint8Array>

/** One operation of a batch; without a value the key is deleted. */
export interface Operation {
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

/**
 * What LevelDB gathers before it sorts it into its tables. Where a million entries lie and what is written is spread over
 * all of them, it rewrites them as often: with 16 MiB, 10,000 edits take a third less CPU than with its usual 4 MiB.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024
/** How long to wait between attempts to write again after a failed write, in milliseconds. */
const RECOVERY_INTERVAL_MS = 1_000
/** Room that must be seen, beside that for what the logs hold, before a failed database is opened again. */
const RECOVERY_ROOM_BYTES = 1024 * 1024

/**
 * Level with a checksum of ours before every value, and the one safe answer to a failed write. After one, LevelDB goes
 * on to acknowledge writes that are lost at the next opening; so nothing more is written until the database has been
 * closed and opened again, which happens by itself once the disk takes data. Reads go on meanwhile.
 */
export class Database {
  readonly path: string
  #level: LevelDatabase
  #writing: Promise<unknown> = Promise.resolve()
  #failed: MeshError | undefined
  #reopening: Promise<void> | undefined
  #onReopened: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor(path: string, level: LevelDatabase) {
    this.path = path
    this.#level = level
  }

  /**
   * Makes a new, empty database in a new or empty folder: tables without a `CURRENT` would be deleted.
   * @throws {MeshError} `STORAGE_FAILED`, `DATABASE_LOCKED`
   */
  static async create(path: string): Promise<Database> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (!Database.exists(path) && (await readdir(path)).length > 0) {
      throw new MeshError('STORAGE_FAILED', `cannot make a database in ${path}: the folder is not empty`)
    }
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

  /** @throws {MeshError} `STORAGE_CORRUPT` when the checksum does not fit, `STORAGE_FAILED` */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const level = await this.#open()
    try {
      const stored = level.getSync(key)
      return stored === undefined ? undefined : unseal(key, stored)
    } catch (cause) {
      throw this.#readFailure(cause)
    }
  }

  /**
   * Pairs of a range in order of key, from one snapshot; where the database is opened again meanwhile, the rest is from
   * a later one. @throws {MeshError} `STORAGE_CORRUPT`, `STORAGE_FAILED`
   */
  async *range(range: KeyRange, limit = -1): AsyncGenerator<[Uint8Array, Uint8Array]> {
    let after: Uint8Array | undefined
    for (let left = limit; ; ) {
      const level = await this.#open()
      const rest = after === undefined ? range : { ...range, gte: Buffer.concat([after, Buffer.of(0)]) }
      try {
        for await (const [key, stored] of level.iterator({ ...rest, limit: left })) {
          after = key
          left--
          yield [key, unseal(key, stored)]
        }
        return
      } catch (cause) {
        if (!isClosedMeanwhile(cause)) throw this.#readFailure(cause)
      }
    }
  }

  /** As {@link range} for several that follow each other, all from one snapshot. @throws {MeshError} as {@link range} */
  async *ranges(ranges: readonly KeyRange[]): AsyncGenerator<[Uint8Array, Uint8Array]> {
    let after: Uint8Array | undefined
    for (let i = 0; i < ranges.length; ) {
      const level = await this.#open()
      const snapshot = level.snapshot()
      try {
        for (; i < ranges.length; i++, after = undefined) {
          const range = ranges[i] as KeyRange
          const rest = after === undefined ? range : { ...range, gte: Buffer.concat([after, Buffer.of(0)]) }
          for await (const [key, stored] of level.iterator({ ...rest, snapshot })) {
            after = key
            yield [key, unseal(key, stored)]
          }
        }
      } catch (cause) {
        if (!isClosedMeanwhile(cause)) throw this.#readFailure(cause)
      } finally {
        await snapshot.close()
      }
    }
  }

  /**
   * Gives `read` one view of the database that no write changes, to be read in batches: between two of them the event
   * loop runs. @throws {MeshError} `STORAGE_CORRUPT`; `STORAGE_FAILED`, also when the database is opened again meanwhile
   */
  async frozen<T>(read: (view: FrozenView) => Promise<T>): Promise<T> {
    const level = await this.#open()
    const snapshot = level.snapshot()
    try {
      return await read(viewOf(level, snapshot))
    } catch (cause) {
      throw this.#readFailure(cause)
    } finally {
      await snapshot.close()
    }
  }

  /** As {@link frozen}, for whoever gives on what is read as it is read. @throws {MeshError} as {@link frozen} */
  async *frozenPieces<T, R>(read: (view: FrozenView) => AsyncGenerator<T, R>): AsyncGenerator<T, R> {
    const level = await this.#open()
    const snapshot = level.snapshot()
    try {
      return yield* read(viewOf(level, snapshot))
    } catch (cause) {
      throw this.#readFailure(cause)
    } finally {
      await snapshot.close()
    }
  }

  /** As {@link FrozenView.batches}, from one view of its own. @throws {MeshError} as {@link frozen} */
  async *batches(range: KeyRange): AsyncGenerator<[Uint8Array, Uint8Array][]> {
    try {
      yield* batchesOf(await this.#open(), range)
    } catch (cause) {
      throw this.#readFailure(cause)
    }
  }

  /**
   * Finds pairs by the beginning of their keys, one after the other, from one view: an iterator for each would cost
   * several times as much, and its memory until much later. @throws {MeshError} as {@link frozen}
   */
  async seeker(range: KeyRange): Promise<Seeker> {
    const iterator = (await this.#open()).iterator(range)
    return {
      startingWith: async (beginning) => {
        try {
          iterator.seek(beginning)
          const found: [Uint8Array, Uint8Array][] = []
          for (;;) {
            // As many as there seldom are: asked for one by one, it would read far ahead.
            const pairs = await iterator.nextv(2)
            for (const [key, stored] of pairs) {
              if (Buffer.compare(key.subarray(0, beginning.length), beginning) !== 0) return found
              found.push([key, unseal(key, stored)])
            }
            if (pairs.length === 0) return found
          }
        } catch (cause) {
          throw this.#readFailure(cause)
        }
      },
      close: () => iterator.close(),
    }
  }

  /** The first key of a range. */
  async firstKey(range: KeyRange): Promise<Uint8Array | undefined> {
    return endOf(await this.#open(), range, 'first')
  }

  /** The last key of a range. */
  async lastKey(range: KeyRange): Promise<Uint8Array | undefined> {
    return endOf(await this.#open(), range, 'last')
  }

  /**
   * Writes all or nothing, durably, one batch after the other: what is in flight behind a batch that fails would be
   * acknowledged and lost. @throws {MeshError} `STORAGE_FAILED`: nothing was written
   */
  async write(operations: readonly Operation[]): Promise<void> {
    // Asked before anything is awaited: after a failure the sums that a batch holds may have to be read anew.
    if (this.#failed !== undefined) throw this.#failed
    const turn = this.#writing.then(() => this.#write(operations))
    this.#writing = turn.catch(() => {})
    await turn
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    const level = await this.#open()
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

  /** Called when writing goes on after a failure, before the first write: the failed batch may be there or not. */
  onReopened(listener: () => void): void {
    this.#onReopened = listener
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#reopening
    await this.#level.close()
  }

  async #open(): Promise<LevelDatabase> {
    await this.#reopening
    if (this.#closed) throw new MeshError('REPLICA_CLOSED', 'the database is closed')
    // Closed by a recovery that could not open it again.
    if (this.#level.status !== 'open' && this.#failed !== undefined) throw this.#failed
    return this.#level
  }

  #readFailure(cause: unknown): MeshError {
    if (cause instanceof MeshError) return cause
    const code = isDamage(cause) ? 'STORAGE_CORRUPT' : 'STORAGE_FAILED'
    return new MeshError(code, `cannot read from ${this.path}: ${reason(cause)}`, { cause })
  }

  #recoverLater(): void {
    if (this.#closed) return
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
      this.#onReopened()
    } catch {
      // Still not writable: the next attempt comes with the timer, and every write until then says why.
      this.#recoverLater()
    }
  }

  /** Opening turns the logs into tables, so there must be room for them; that the disk takes data is tried. */
  async #hasRoom(): Promise<boolean> {
    const probe = join(this.path, 'probe.tmp')
    try {
      const { bavail, bsize } = await statfs(this.path)
      if (bavail * bsize < (await this.#logBytes()) + RECOVERY_ROOM_BYTES) return false
      const file = await open(probe, 'w', 0o600)
      try {
        await file.writeFile(new Uint8Array(RECOVERY_ROOM_BYTES))
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

  async #logBytes(): Promise<number> {
    const logs = (await readdir(this.path)).filter((name) => name.endsWith('.log'))
    const sizes = await Promise.all(logs.map(async (name) => (await stat(join(this.path, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
}

/** Pairs by the beginning of their keys; see {@link Database.seeker}. One call at a time. */
export interface Seeker {
  startingWith(beginning: Uint8Array): Promise<readonly [Uint8Array, Uint8Array][]>
  close(): Promise<void>
}

/** How a {@link Database} is read within {@link Database.frozen}. */
export interface FrozenView {
  get(key: Uint8Array): Uint8Array | undefined
  firstKey(range: KeyRange): Promise<Uint8Array | undefined>
  lastKey(range: KeyRange): Promise<Uint8Array | undefined>
  /** Pairs of a range in order of key, some hundred at a time. */
  batches(range: KeyRange): AsyncGenerator<[Uint8Array, Uint8Array][]>
}

/** Most pairs in one batch, and most bytes but for one more pair: read in about a millisecond. */
const BATCH_PAIRS = 512
const BATCH_BYTES = 256 * 1024

type Snapshot = ReturnType<LevelDatabase['snapshot']>
type Within = KeyRange & { readonly snapshot?: Snapshot }

function viewOf(level: LevelDatabase, snapshot: Snapshot): FrozenView {
  return {
    get: (key) => {
      const stored = level.getSync(key, { snapshot })
      return stored === undefined ? undefined : unseal(key, stored)
    },
    firstKey: (range) => endOf(level, { ...range, snapshot }, 'first'),
    lastKey: (range) => endOf(level, { ...range, snapshot }, 'last'),
    batches: (range) => batchesOf(level, { ...range, snapshot }),
  }
}

async function endOf(level: LevelDatabase, range: Within, which: 'first' | 'last'): Promise<Uint8Array | undefined> {
  for await (const key of level.keys({ ...range, reverse: which === 'last', limit: 1 })) return key
  return undefined
}

async function* batchesOf(level: LevelDatabase, range: Within): AsyncGenerator<[Uint8Array, Uint8Array][]> {
  const iterator = level.iterator({ ...range, highWaterMarkBytes: BATCH_BYTES })
  try {
    for (;;) {
      const batch = await iterator.nextv(BATCH_PAIRS)
      if (batch.length === 0) return
      yield batch.map(([key, stored]) => [key, unseal(key, stored)])
    }
  } finally {
    await iterator.close()
  }
}

async function openLevel(path: string, createIfMissing: boolean): Promise<LevelDatabase> {
  const level = new Level<Uint8Array, Uint8Array>(path, {
    createIfMissing,
    errorIfExists: createIfMissing,
    // Stays on: only with it does LevelDB notice a flipped bit in a table.
    compression: true,
    writeBufferSize: WRITE_BUFFER_BYTES,
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
    if (isDamage(cause)) {
      throw new MeshError('STORAGE_CORRUPT', `the database ${path} is damaged: ${reason(cause)}`, {
        cause,
        hint: 'restore the folder from a backup; nothing in it was changed',
      })
    }
    throw new MeshError('STORAGE_FAILED', `cannot open ${path}: ${reason(cause)}`, { cause })
  }
}

/** Whether an iterator ended because the database was closed, to be opened again. */
function isClosedMeanwhile(cause: unknown): boolean {
  return (cause as { code?: string }).code === 'LEVEL_ITERATOR_NOT_OPEN'
}

/** Whether LevelDB refused because of what it found: a file that CURRENT leads to is gone or broken. */
function isDamage(cause: unknown): boolean {
  const code = (cause as { code?: string }).code
  return code === 'LEVEL_CORRUPTION' || /MANIFEST|Corruption|CURRENT/.test(reason(cause))
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
