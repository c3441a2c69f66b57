import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { type JsonValue, type MemoryRow, NODE_SCOPE } from '../../crdt/entry/index.ts'
import type { EntryStore } from '../../crdt/replica/replica.ts'
import type { FilesIndex } from './files-index.ts'
import { type FileFindings, UNREADABLE } from './findings.ts'
import { createGuardedFolder } from './guarded-folder.ts'
import { Obstacle } from './obstacle.ts'
import { isCorrupt } from './plan.ts'
import { shaOf } from './reconcile.ts'

/** Beyond either the file is no longer kept: who reads it reads all of it, each time. */
export const MAX_MEMORY_JSON_ENTRIES = 10_000
export const MAX_MEMORY_JSON_BYTES = 4_000_000

const PIECE_LENGTH = 64 * 1024

export interface MemoryJsonComponents {
  readonly store: Pick<EntryStore, 'list' | 'position' | 'counts' | 'digest'>
  readonly index: FilesIndex
  readonly findings: FileFindings
  readonly log: Logger
}

/** `mesh-memory.json`, the one file that tools of an earlier kind of mesh read. */
export interface MemoryJson {
  /**
   * Writes the file if it is not as it should be. What is in the way is a finding.
   * @param force looks at the file also where the index says that it is
   */
  write(force: boolean): Promise<void>
}

interface Rendered {
  readonly bytes: Buffer
  readonly sha: string
  readonly values: ReadonlyMap<string, JsonValue>
}

/** @param path absolute, of the file; its folder is taken as it is and must exist */
export function createMemoryJson({ store, index, findings, log }: MemoryJsonComponents, path: string): MemoryJson {
  const name = basename(path)
  const folder = createGuardedFolder({ root: dirname(path), owned: false })

  async function write(force: boolean): Promise<void> {
    const seq = store.position
    const rendered = surelyTooMany() ? undefined : await render()
    findings.state('files.memory-json-too-large', rendered === undefined ? tooLarge(path) : undefined)
    if (rendered === undefined) return
    const { bytes, sha, values } = rendered
    const [before] = await index.files([name])
    if (!force && before?.shas[0] === sha && before.open === undefined) return
    const known = before?.shas ?? []
    await index.write([{ file: name, record: { shas: [sha, ...known].slice(0, 3), seq, unit: '', open: true } }], {
      sync: true,
    })
    const isOurs = (found: Buffer) => known.includes(shaOf(found)) || holdsNothingElse(found, values)
    const replaced = await folder.replace(name, bytes, isOurs, { sync: true })
    if (replaced.outcome === 'foreign') {
      await index.write([{ file: name, record: before }])
      findings.met(edited(path))
    } else {
      await index.write([{ file: name, record: { shas: [sha], seq, unit: '', ...replaced.stamp } }])
      findings.resolved('files.edited', path)
      if (replaced.outcome === 'written') log.debug({ seq, bytes: bytes.length }, 'mesh-memory.json was written')
    }
  }

  /** Known without reading any: of a million entries nobody should read 10,000 after each put. */
  function surelyTooMany(): boolean {
    return store.counts().memory - store.digest([NODE_SCOPE]).items > MAX_MEMORY_JSON_ENTRIES
  }

  /**
   * All scopes but `node`: some of the tools that read this file send on what they find in it, and what is of this node
   * alone may hold secrets. (It stands in `memory/node/`.)
   */
  async function render(): Promise<Rendered | undefined> {
    const values = new Map<string, JsonValue>()
    const file = createPieces()
    let bytes = 0
    let ambiguous = 0
    for await (const { id, row } of store.list('memory')) {
      if (id.scope === NODE_SCOPE) continue
      const { value, node_id, updated_at } = row as MemoryRow
      const key = `${id.scope}:${id.key}`
      if (values.has(key)) ambiguous++
      if (values.has(key)) continue
      const line = `${JSON.stringify(key)}: ${JSON.stringify({ value, nodeId: node_id, ts: updated_at })}`
      // Two for the comma and the line break.
      bytes += Buffer.byteLength(line) + 2
      if (values.size >= MAX_MEMORY_JSON_ENTRIES || bytes > MAX_MEMORY_JSON_BYTES) return undefined
      file.add(values.size === 0 ? `{\n${line}` : `,\n${line}`)
      values.set(key, value)
    }
    findings.state('files.memory-json-ambiguous', ambiguous === 0 ? undefined : ambiguousNames(ambiguous, path))
    file.add(values.size === 0 ? '{}\n' : '\n}\n')
    return { ...file.end(), values }
  }

  return {
    async write(force) {
      try {
        await write(force)
      } catch (error) {
        if (isCorrupt(error)) return findings.met(UNREADABLE)
        if (!(error instanceof Obstacle)) throw error
        findings.obstacle(error)
      }
    },
  }
}

/** A text that is encoded and hashed piece by piece: all of it at once would hold everything else up. */
function createPieces() {
  const hash = createHash('sha256')
  const pieces: Buffer[] = []
  let text = ''
  const flush = () => {
    const piece = Buffer.from(text)
    hash.update(piece)
    pieces.push(piece)
    text = ''
  }
  return {
    add(more: string): void {
      text += more
      if (text.length >= PIECE_LENGTH) flush()
    },
    end(): { bytes: Buffer; sha: string } {
      flush()
      return { bytes: Buffer.concat(pieces), sha: hash.digest('base64url') }
    },
  }
}

/**
 * Whether a file of somebody else says nothing but what the mesh says: then it may be replaced. So a file of an older
 * tool is taken over once all of it was imported.
 */
function holdsNothingElse(bytes: Buffer, values: ReadonlyMap<string, JsonValue>): boolean {
  let found: unknown
  try {
    found = JSON.parse(bytes.toString('utf8'))
  } catch {
    return false
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return false
  return Object.entries(found).every(([key, entry]: [string, unknown]) => {
    if (typeof entry !== 'object' || entry === null || !values.has(key)) return false
    const { value, nodeId, ts, ...more } = entry as Record<string, unknown>
    return isDeepStrictEqual(value, values.get(key)) && Object.keys(more).length === 0
  })
}

function tooLarge(path: string) {
  return {
    severity: 'warning',
    message:
      `there are more than ${MAX_MEMORY_JSON_ENTRIES} memories or ${MAX_MEMORY_JSON_BYTES / 1e6} MB of them: ` +
      'the file is left as it is and does not follow the mesh until there are fewer',
    path,
    fixHint: 'let the tools that read it use the store API, or switch it off with files.memoryJson',
  } as const
}

function ambiguousNames(count: number, path: string) {
  return {
    severity: 'info',
    message: `${count} memories are not in the file: scope and key, joined by a colon, read like those of another one`,
    path,
    fixHint: 'use keys without colons in scopes with an id',
  } as const
}

function edited(path: string) {
  return {
    checkId: 'files.edited',
    severity: 'warning',
    message: 'the file was made or changed by somebody else: it is left, and does not follow the mesh',
    path,
    fixHint: 'take it over with `mesh import`, or delete the file to have it written again',
  } as const
}
