import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { JsonValue, MemoryRow } from '../../crdt/entry/index.ts'

/** The last line of the file of a memory, as parsed. */
export interface Provenance {
  readonly scope: string
  /** Exact, where the file's name has only a hash. */
  readonly key: string
  readonly node: string
  /** ISO 8601 in UTC, or the number of Unix seconds where no calendar reaches. */
  readonly time: string
  /** Whether the value stands as it is or as JSON. */
  readonly as: 'text' | 'json'
  /** First 16 hex digits of the SHA-256 of all before this line and of its other fields. */
  readonly sum: string
}

/** Above this many characters JSON is written without indentation: 256 KiB of nested arrays would become 17 MB. */
const MAX_INDENTED_LENGTH = 1_000_000
/** JSON writes these as escapes, and a search index takes the `n` of `\n` for part of the next word. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const ESCAPED_IN_JSON = /[\u0000-\u001f]/
const LINE_START = '<!-- openclaw-mesh '
const LINE_END = ' -->'

/**
 * The Markdown file of a memory, made from the row alone: a heading with the key, the value, and one comment line that
 * says in JSON where it comes from. A text stands as it is and a structure as indented JSON, below which texts with
 * line breaks follow once more as they are, so that a keyword search finds every word.
 */
export function renderMemory(row: MemoryRow): Buffer {
  const asText = typeof row.value === 'string'
  const body = `# ${oneLine(row.key)}\n\n${typeof row.value === 'string' ? row.value : structure(row.value)}\n\n`
  const source: Omit<Provenance, 'sum'> = {
    scope: row.scope,
    key: row.key,
    node: row.node_id,
    time: timeOf(row.updated_at),
    as: asText ? 'text' : 'json',
  }
  return Buffer.from(`${body}${provenanceLine({ ...source, sum: sumOf(body, source) })}`)
}

/**
 * Whose file this is, where {@link renderMemory} made it of any version of an entry and nobody changed it since; else
 * undefined. Such a file holds nothing that was not in the mesh, also where nothing is known of who wrote it.
 */
export function parseMemoryFile(bytes: Buffer): Provenance | undefined {
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  const start = text.lastIndexOf(LINE_START)
  if (start === -1 || !text.endsWith(`${LINE_END}\n`)) return undefined
  const body = text.slice(0, start)
  const found = parseProvenance(text.slice(start + LINE_START.length, -LINE_END.length - 1))
  if (found === undefined) return undefined
  const { sum, ...source } = found
  return sum === sumOf(body, source) && text === body + provenanceLine(found) ? found : undefined
}

function parseProvenance(json: string): Provenance | undefined {
  try {
    const { scope, key, node, time, as, sum } = JSON.parse(json) as Provenance
    const fields = { scope, key, node, time, as, sum }
    return Object.values(fields).every((field) => typeof field === 'string') ? fields : undefined
  } catch {
    return undefined
  }
}

/** `<` and `>` are escaped, so that no key or name ends the comment. */
function provenanceLine(provenance: Provenance): string {
  const json = JSON.stringify(provenance).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')
  return `${LINE_START}${json}${LINE_END}\n`
}

function sumOf(body: string, source: Omit<Provenance, 'sum'>): string {
  return createHash('sha256').update(body).update(JSON.stringify(source)).digest('hex').slice(0, 16)
}

function structure(value: JsonValue): string {
  const indented = JSON.stringify(value, null, 2)
  const json = indented.length > MAX_INDENTED_LENGTH ? JSON.stringify(value) : indented
  const fence = '`'.repeat(Math.max(3, longestRun(json, '`') + 1))
  const texts = [...textsWithBreaks(value)].map((text) => `\n\n${text}`)
  return `${fence}json\n${json}\n${fence}${texts.join('')}`
}

/** Every text inside, names of fields included, of which JSON would hide words. */
function* textsWithBreaks(value: JsonValue): Generator<string> {
  if (typeof value === 'string') {
    if (ESCAPED_IN_JSON.test(value)) yield value
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (ESCAPED_IN_JSON.test(name)) yield name
      yield* textsWithBreaks(inner)
    }
  }
}

function longestRun(text: string, sign: string): number {
  let longest = 0
  for (const run of text.matchAll(new RegExp(`${sign}+`, 'g'))) longest = Math.max(longest, run[0].length)
  return longest
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}

function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}
