import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { ImportMemory, ImportReport, ImportSkill } from '../../daemon/api/client.ts'
import { CliError, inputError, usageError } from '../errors.ts'
import { fileError, type InputStream, readTextFile } from '../input.ts'
import { readExportFile, readExportLines } from './export-lines.ts'
import { readLegacyMemory } from './legacy-memory.ts'
import { findSkills, SKILL_FILE, type SkillFile, skillNameOf } from './skill-files.ts'

/** An item that was not taken, and why. */
export type Refusal = ImportReport['refused'][number]

/** One thing that was found: to be sent, or refused before it is. */
export type Candidate =
  | { readonly memory: ImportMemory }
  | { readonly skill: ImportSkill }
  | { readonly refused: Refusal }

/** What an import would send. Skills, and the lines of an export, are read as they are asked for. */
export interface ImportSource {
  /** Undefined where only reading it would tell. */
  readonly total: number | undefined
  readonly candidates: AsyncIterable<Candidate> | Iterable<Candidate>
  /** Files and folders that hold nothing to import. */
  readonly ignored: number
  /** What was passed over although it looked like something, a line each. */
  readonly notes: readonly string[]
}

export interface ImportSourceInit {
  /** Scope of skills; a file of memory says its scopes itself, and so does an export. */
  readonly scope: string
  /** Ids that are tenants, for keys such as `user:<tenant>:<id>:<key>`. */
  readonly tenants: readonly string[]
  readonly stdin: InputStream
}

/** The largest file of memory that is read at once; older tools kept theirs below 4 MB. */
const MAX_MEMORY_FILE_BYTES = 256 * 1024 * 1024
/** A skill's limit (DESIGN). */
const MAX_SKILL_BYTES = 1024 * 1024

/**
 * Finds out what a path holds: what `mesh export` wrote (`-` for standard input), an older `mesh-memory.json`, a folder of
 * skills, or one skill.
 * @throws {CliError} when it holds nothing that can be imported
 */
export async function openImportSource(path: string, init: ImportSourceInit): Promise<ImportSource> {
  const { scope, tenants, stdin } = init
  if (path === '-') return readExportLines(stdin, 'standard input')
  const absolute = resolve(path)
  const found = await stat(absolute).catch((error: unknown) => {
    throw fileError(error, path)
  })
  if (found.isDirectory()) return openFolder(path, absolute, scope)
  const name = basename(absolute)
  if (/\.(jsonl|ndjson)$/.test(name)) return readExportFile(absolute, path)
  if (name.endsWith('.json'))
    return readLegacyMemory(await readTextFile(absolute, MAX_MEMORY_FILE_BYTES), path, tenants)
  if (!/\.(md|txt)$/.test(name)) {
    throw usageError(
      'PATH',
      `${path} is neither an export (.jsonl), nor a .json file of memory, nor a skill (${SKILL_FILE}, .md or .txt)`,
    )
  }
  const files = [{ name: skillNameOf(absolute), path: absolute }]
  return { total: 1, candidates: readSkills(files, scope), ignored: 0, notes: [] }
}

async function openFolder(path: string, absolute: string, scope: string): Promise<ImportSource> {
  const { files, ignored, notes } = await findSkills(absolute).catch((error: unknown) => {
    throw fileError(error, path)
  })
  if (files.length === 0) {
    const memory = join(path, 'mesh-memory.json')
    const hint = (await isFile(memory)) ? `its memory is taken by: mesh import ${memory}` : undefined
    throw inputError('PATH', `${path} holds no skills: no <name>/${SKILL_FILE}, no <name>.md, no <name>.txt`, hint)
  }
  return { total: files.length, candidates: readSkills(files, scope), ignored, notes }
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ?? false
}

async function* readSkills(files: readonly SkillFile[], scope: string): AsyncGenerator<Candidate> {
  for (const { name, path } of files) {
    try {
      yield { skill: { name, scope, content: await readTextFile(path, MAX_SKILL_BYTES) } }
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      yield { refused: { kind: 'skill', scope, key: name, code: error.type, message: error.message } }
    }
  }
}
