import { globSync, readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import type { JsonValue } from '../../crdt/entry/index.ts'
import type { ScannedEntry } from '../../crdt/secrets/index.ts'

/** Largest memory value and skill, in characters; what is larger is no document of ours. */
const MAX_VALUE = 256 * 1024
const MAX_SKILL = 1024 * 1024

/** What people wrote to be read: pages, settings, licences, declarations of types with their comments. */
const WRITTEN = '**/{*.{md,mdx,markdown,txt,json,yml,yaml,d.ts,d.mts,d.cts},README*,LICENSE*,CHANGELOG*}'

/** A file as a skill and, where it is small enough, as a value: parsed where it is JSON. */
export type RealDocument = readonly ScannedEntry[]

/** The documents in the packages that are installed here, each text once; at most so many, spread over all. */
export function realDocuments(most: number): readonly RealDocument[] {
  const root = join(dirname(findPackageJSON(import.meta.url) ?? ''), 'node_modules')
  const paths = globSync(WRITTEN, { cwd: root }).sort()
  const step = Math.max(1, Math.floor(paths.length / most))
  const texts = new Map<string, string>()
  for (const path of paths.filter((_, index) => index % step === 0)) {
    const text = textOf(join(root, path))
    if (text !== undefined && !texts.has(text)) texts.set(text, path)
  }
  return [...texts].map(([text, path]) => [
    { kind: 'skill', key: 'document', content: text, path: null },
    ...(text.length > MAX_VALUE ? [] : [{ kind: 'memory' as const, key: 'document', value: parsed(path, text) }]),
  ])
}

/** Undefined for folders, empty files, and what is no text. */
function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return text === '' || text.length > MAX_SKILL || text.includes('\ufffd') ? undefined : text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return undefined
    throw error
  }
}

function parsed(path: string, text: string): JsonValue {
  if (!path.endsWith('.json')) return text
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // With comments.
    return text
  }
}
