import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import type { ImportMemory, ImportSkill } from '../../daemon/api/client.ts'
import { inputError } from '../errors.ts'
import { decodeUtf8, fileError, MAX_INPUT_BYTES } from '../input.ts'
import type { Candidate, ImportSource } from './source.ts'

/** A line that is longer can be no entry: an entry fits into a request, and its line says hardly more. */
const MAX_LINE_BYTES = 2 * MAX_INPUT_BYTES
const NEWLINE = 0x0a

/**
 * Reads what `mesh export` writes: JSON lines, each `{"kind":"memory",…row}` or `{"kind":"skill",…row}`. They are read as
 * they are asked for, however many there are; each bad one is refused alone.
 */
export function readExportFile(path: string, name: string): ImportSource {
  return { total: undefined, candidates: fromFile(path, name), ignored: 0, notes: [] }
}

/** As {@link readExportFile}, from a stream. @param name how messages call it */
export function readExportLines(stream: Readable, name: string): ImportSource {
  return { total: undefined, candidates: candidatesOf(stream, name), ignored: 0, notes: [] }
}

async function* fromFile(path: string, name: string): AsyncGenerator<Candidate> {
  try {
    yield* candidatesOf(createReadStream(path), name)
  } catch (error) {
    throw fileError(error, name)
  }
}

async function* candidatesOf(stream: Readable, name: string): AsyncGenerator<Candidate> {
  let number = 0
  for await (const line of linesOf(stream, name)) {
    number++
    const text = line.trim()
    if (text === '') continue
    const candidate = candidateOf(text, number)
    // Of a file that begins so, a refusal for each of its lines would help nobody.
    if (candidate === undefined && number === 1) {
      const message = `${name} is not what mesh export writes: lines of {"kind":"memory",…} and {"kind":"skill",…}`
      throw inputError(name, message)
    }
    yield candidate ?? refused('', `line ${number} is no {"kind":"memory",…} and no {"kind":"skill",…}`)
  }
}

/** Lines without their ends. They end with a line feed and nothing else: a text in them may hold other separators. */
async function* linesOf(stream: Readable, name: string): AsyncGenerator<string> {
  let pieces: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield decodeUtf8(Buffer.concat([...pieces, rest.subarray(0, end)]), name)
      rest = rest.subarray(end + 1)
      pieces = []
      size = 0
    }
    pieces.push(rest)
    size += rest.length
    if (size > MAX_LINE_BYTES) throw inputError(name, `${name} has a line longer than any entry: it is no export`)
  }
  if (size > 0) yield decodeUtf8(Buffer.concat(pieces), name)
}

/** Undefined for what is no row of an export at all; the daemon judges the rest of it. */
function candidateOf(line: string, number: number): Candidate | undefined {
  const row = parseObject(line)
  if (row === undefined || (row['kind'] !== 'memory' && row['kind'] !== 'skill')) return undefined
  // Without the time every line would count as written now, and win.
  if (typeof row['updated_at'] !== 'number') return refused(nameIn(row), `line ${number}: updated_at is no time`, row)
  return row['kind'] === 'memory' ? { memory: memoryOf(row) } : { skill: skillOf(row) }
}

type Fields = Readonly<Record<string, unknown>>

/** What a field holds is not looked at: the daemon says what is wrong with it. */
function memoryOf(row: Fields): ImportMemory {
  return { ...picked(row, ['scope', 'key', 'value', 'node_id', 'expires_at']), ts: row['updated_at'] } as ImportMemory
}

function skillOf(row: Fields): ImportSkill {
  const fields = ['scope', 'name', 'content', 'path', 'source_node', 'expires_at']
  return { ...picked(row, fields), ts: row['updated_at'] } as ImportSkill
}

function picked(row: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(row, name)).map((name) => [name, row[name]]))
}

function nameIn(row: Fields): string {
  const name = row['kind'] === 'skill' ? row['name'] : row['key']
  return typeof name === 'string' ? name : ''
}

function refused(key: string, message: string, row: Fields = {}): Candidate {
  const kind = row['kind'] === 'skill' ? 'skill' : 'memory'
  const scope = typeof row['scope'] === 'string' ? row['scope'] : ''
  return { refused: { kind, scope, key, code: 'REQUEST_INVALID', message } }
}

function parseObject(line: string): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Fields) : undefined
  } catch {
    return undefined
  }
}
