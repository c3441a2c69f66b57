import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { JsonValue, Kind, Scope } from '../../crdt/entry/index.ts'
import type { FindInit, Found } from './finder.ts'
import { type IndexChange, type IndexFile, type IndexFileInit, openIndexFile } from './index-file.ts'
import { parseQuery, toExpression } from './query.ts'

/** A path for an index in a folder that is removed when the test is over. */
export function indexPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-search-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'search.sqlite')
}

export function openTestIndex(path: string, init: Partial<IndexFileInit> = {}): IndexFile {
  const index = openIndexFile({ path, basis: 'database', boot: 'boot', fresh: false, ...init })
  onTestFinished(() => {
    try {
      index.close()
    } catch {
      // Closed or broken by the test.
    }
  })
  return index
}

export function memory(
  key: string,
  value: JsonValue,
  { scope = 'mesh', expires_at = undefined as number | undefined } = {},
): IndexChange {
  const row = { scope, key, value, node_id: 'ceo', updated_at: 1, ...(expires_at === undefined ? {} : { expires_at }) }
  return { kind: 'memory', scope: scope as Scope, key, json: JSON.stringify(row) }
}

export function skill(
  name: string,
  content: string | null,
  { scope = 'mesh', path = null as string | null } = {},
): IndexChange {
  const row = { name, source_node: 'ceo', content, path, updated_at: 1, scope }
  return { kind: 'skill', scope: scope as Scope, key: name, json: JSON.stringify(row) }
}

export function gone(kind: Kind, key: string, scope = 'mesh'): IndexChange {
  return { kind, scope: scope as Scope, key, json: undefined }
}

export function findAll(index: IndexFile, text: string, init: Partial<FindInit> = {}): Found[] {
  const parsed = parseQuery(text)
  return index.find({
    expression: toExpression(parsed),
    ranked: parsed.isRanked,
    kind: undefined,
    scopes: undefined,
    prefix: '',
    limit: 1_000,
    now: 1_000,
    ...init,
  })
}

/** Scopes and keys of what is found, the best first. */
export function find(index: IndexFile, text: string, init: Partial<FindInit> = {}): string[] {
  return findAll(index, text, init).map(({ scope, key }) => `${scope}/${key}`)
}
