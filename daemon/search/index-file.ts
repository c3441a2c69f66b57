import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { EntryId } from '../../crdt/entry/types.ts'
import { createFinder, type FindInit, type Found } from './finder.ts'
import { indexedText } from './row-text.ts'

/** One entry as it is now. */
export interface IndexChange extends EntryId {
  /** Its row as JSON, or undefined where there is no live entry. */
  readonly json: string | undefined
}

/** How an index stands. */
export interface IndexState {
  /** Feed position up to which it holds every commit; undefined while it is not whole. */
  readonly position: number | undefined
  readonly entries: number
  readonly bytes: number
}

/** Why an index was begun anew. */
export type Renewal = 'missing' | 'damaged' | 'other' | 'unfinished' | 'unsure'

/** The index in its file. Everything blocks: it is for a thread of its own. Errors are SQLite's; see `isDamage`. */
export interface IndexFile {
  /** Set where what was there could not be used, and was thrown away. */
  readonly renewed: Renewal | undefined
  state(): IndexState
  /** Takes entries in and notes how far the index is, all or nothing. Each entry at most once. */
  apply(changes: readonly IndexChange[], position: number | undefined): IndexState
  find(init: FindInit): Found[]
  close(): void
}

export interface IndexFileInit {
  readonly path: string
  /** What the index was made from, and for whom: with another one it is thrown away. */
  readonly basis: string
  /** Names the time since the machine was started, or undefined where that cannot be told. */
  readonly boot: string | undefined
  /** Throws away what is there. */
  readonly fresh: boolean
}

/** Raised when other words are made of the same entry, or tables change: every index is made anew. */
const FORMAT = 2

/**
 * `entries` says which row of `words` stands for what. Rows are numbered in the order in which they came: the highest
 * changed last. `words` keeps no text, only where words stand; `place` is one word for kind and scope, so that a filter
 * by them is one more word to be found. Marks (`M*`) belong to words, as in `words.ts`. Beginnings of three letters are
 * kept as words: to put all the words together that begin so, for every query, took most of the time.
 */
const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE places (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, scope TEXT NOT NULL, UNIQUE (kind, scope));
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, key TEXT NOT NULL, expires_at INTEGER, UNIQUE (place, key)
  );
  CREATE VIRTUAL TABLE words USING fts5 (
    place, key, body, content = '', contentless_delete = 1,
    prefix = '3', tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
  );
`
/**
 * Nothing is forced to the disk while it is open: the replica's own commits wait for that, and with `NORMAL` they came to
 * two thirds of their rate. A killed process loses nothing by it. A machine that goes down may leave anything, so that an
 * index that was not closed is only used again while the same {@link IndexFileInit.boot} lasts.
 */
const PRAGMAS = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = OFF;
`

/** Opens an index, or begins an empty one where there is none that can be used. */
export function openIndexFile({ path, basis: source, boot, fresh }: IndexFileInit): IndexFile {
  const basis = `${FORMAT} ${source}`
  const opened = fresh ? undefined : openExisting({ path, basis, boot })
  if (typeof opened === 'object') return opened
  removeIndexFile(path)
  return createEmpty({ path, basis, boot }, opened)
}

type OpenInit = Omit<IndexFileInit, 'fresh'>

/** What is there, or why it cannot be used. */
function openExisting({ path, basis, boot }: OpenInit): IndexFile | Renewal {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return 'missing'
  const database = new DatabaseSync(path)
  let index: IndexFile | undefined
  try {
    database.exec(PRAGMAS)
    const unusable = whyUnusable(database, basis, boot)
    if (unusable !== undefined) return unusable
    index = over(database, path, undefined)
    markOpen(database, boot)
    return index
  } catch (error) {
    index = undefined
    if (isDamage(error) || isNoTable(error)) return 'damaged'
    throw error
  } finally {
    if (index === undefined) database.close()
  }
}

function whyUnusable(database: DatabaseSync, basis: string, boot: string | undefined): Renewal | undefined {
  if (readMeta(database, 'basis') !== basis) return 'other'
  if (readMeta(database, 'position') === undefined) return 'unfinished'
  const openSince = readMeta(database, 'open')
  if (openSince === null) return undefined
  if (boot === undefined || openSince !== boot) return 'unsure'
  // It reads the whole file: only where its last writer had no chance to close it.
  const { quick_check: verdict } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
  return verdict === 'ok' ? undefined : 'damaged'
}

/** Until it is closed, or the machine goes down. */
function markOpen(database: DatabaseSync, boot: string | undefined): void {
  writeMeta(database, 'open', boot ?? '')
}

function createEmpty({ path, basis, boot }: OpenInit, renewed: Renewal | undefined): IndexFile {
  // SQLite gives its other files the rights of this one.
  closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path)
  try {
    database.exec(PRAGMAS)
    database.exec(`BEGIN; ${SCHEMA} COMMIT`)
    writeMeta(database, 'basis', basis)
    markOpen(database, boot)
    return over(database, path, renewed)
  } catch (error) {
    database.close()
    throw error
  }
}

function removeIndexFile(path: string): void {
  for (const ending of ['-wal', '-shm', '-journal', '']) rmSync(path + ending, { force: true })
}

function over(database: DatabaseSync, path: string, renewed: Renewal | undefined): IndexFile {
  const finder = createFinder(database)
  const selectId = database.prepare('SELECT id FROM entries WHERE place = ? AND key = ?')
  const insertEntry = database.prepare('INSERT INTO entries (id, place, key, expires_at) VALUES (?, ?, ?, ?)')
  const insertWords = database.prepare('INSERT INTO words (rowid, place, key, body) VALUES (?, ?, ?, ?)')
  const deleteEntry = database.prepare('DELETE FROM entries WHERE id = ?')
  const deleteWords = database.prepare('DELETE FROM words WHERE rowid = ?')
  const counted = database.prepare('SELECT count(*) AS entries, coalesce(max(id), 0) AS last FROM entries').get()
  let { entries, last } = counted as { entries: number; last: number }
  let position = readMeta(database, 'position') as number | undefined

  /** Removes before it adds: rows must come to FTS5 in ascending order, else it writes what it has gathered each time. */
  function replace(changes: readonly IndexChange[]): void {
    const places = changes.map(({ kind, scope }) => finder.placeOf(kind, scope))
    for (const [i, { key }] of changes.entries()) {
      const found = selectId.get(places[i] as number, key) as { id: number } | undefined
      if (found === undefined) continue
      deleteWords.run(found.id)
      deleteEntry.run(found.id)
      entries--
    }
    for (const [i, { kind, key, json }] of changes.entries()) {
      if (json === undefined) continue
      const text = indexedText(kind, key, json)
      const place = places[i] as number
      last++
      insertEntry.run(last, place, key, text.expiresAt)
      insertWords.run(last, `p${place}`, text.key, text.body)
      entries++
    }
  }

  const state = (): IndexState => ({ position, entries, bytes: sizeOf(path) })

  return {
    renewed,
    state,
    apply(changes, reached) {
      const before = { entries, last }
      database.exec('BEGIN')
      try {
        replace(changes)
        if (reached !== undefined) writeMeta(database, 'position', reached)
        database.exec('COMMIT')
      } catch (error) {
        ;({ entries, last } = before)
        // SQLite may have rolled back by itself.
        if (database.isTransaction) database.exec('ROLLBACK')
        finder.forgetPlaces()
        throw error
      }
      position = reached ?? position
      return state()
    },
    find: (init) => finder.find(init),
    close() {
      try {
        // Now it is forced to the disk, all of it before it is said to be closed.
        database.exec('PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)')
        writeMeta(database, 'open', null)
      } finally {
        database.close()
      }
    },
  }
}

function readMeta(database: DatabaseSync, name: string): unknown {
  return database.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.['value']
}

function writeMeta(database: DatabaseSync, name: string, value: string | number | null): void {
  database.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(name, value)
}

function sizeOf(path: string): number {
  return [path, `${path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}

const SQLITE_ERROR = 1
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** Whether an error of SQLite says that the file is damaged, rather than that the disk is full or not writable. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error)
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

/** A file in which nothing is, or something else. */
function isNoTable(error: unknown): boolean {
  return primaryCode(error) === SQLITE_ERROR
}

/** https://www.sqlite.org/rescode.html: the low byte of an extended code is the primary one. */
function primaryCode(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as { errcode?: number }
  return errcode === undefined ? undefined : errcode & 0xff
}
