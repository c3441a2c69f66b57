import { createHash } from 'node:crypto'
import { diffArrays } from 'diff'
import { lengthPrefixed } from '../bytes.ts'
import { type Handle, newHandle, valuesAt } from './automerge.ts'
import type { EntryId } from './types.ts'

/** What a skill holds: SKILL.md, or a path that nothing here opens, or both. */
export interface SkillContent {
  readonly content?: string | undefined
  readonly path?: string | undefined
}

/**
 * Beyond this many inserted and removed lines the difference is written as one replaced block: Myers' algorithm costs
 * the square of the differences (1,000 take 0.1 s, 2,000 0.4 s), and two versions that far apart share little worth
 * merging.
 */
const MAX_DIFF_LINES = 1_000

/**
 * Incarnation of a skill: raised by one when a deleted skill's history has been folded away, so that the skill made
 * anew is not taken for the old one. Part of the format; nothing folds history yet, so every skill is of the first.
 */
const INCARNATION = 0

/**
 * The first change of a skill, derived from entry and text so that two nodes which create the same skill make the same
 * bytes (one skill), and different texts make different ones (a conflict that keeps both). The path is its author's to
 * say, in a change of his own.
 */
export function skillFirstChange(id: EntryId, content: string | undefined): Uint8Array {
  const derivation = lengthPrefixed(
    'openclaw-mesh skill 1',
    id.scope,
    id.key,
    String(INCARNATION),
    content === undefined ? '-' : `c${content}`,
  )
  const actor = createHash('sha256').update(derivation).digest('hex').slice(0, 32)
  const handle = newHandle(actor)
  try {
    if (content === undefined) handle.emptyChange(null, 0)
    else {
      handle.putObject('_root', 'content', splitLines(content))
      handle.commit(null, 0)
    }
    const [change] = handle.getChanges([])
    if (change === undefined) throw new Error('impossible: a change was just made')
    return change
  } finally {
    handle.free()
  }
}

/**
 * Puts the difference between what a document shows and `skill`; the text by lines.
 * @param settled of `content` and `path` those that are written also where they are what is shown, so that no other is live
 */
export function writeSkill(handle: Handle, skill: SkillContent, settled: ReadonlySet<string> = new Set()): void {
  const texts = readTexts(handle)
  const shown = texts[0]
  if (skill.content === undefined) {
    if (shown !== undefined) handle.delete('_root', 'content')
  } else if (shown === undefined || settled.has('content') || (texts.length > 1 && skill.content !== shown.value)) {
    // Where texts disagree, another one takes the place of all.
    handle.putObject('_root', 'content', splitLines(skill.content))
  } else {
    spliceLines(handle, shown.objectId, shown.lines, splitLines(skill.content))
  }
  const path = readPaths(handle)[0]?.value
  if (skill.path === undefined) {
    if (path !== undefined) handle.delete('_root', 'path')
  } else if (settled.has('path') || skill.path !== path) {
    handle.put('_root', 'path', skill.path, 'str')
  }
}

/**
 * Every live text of a skill, the shown one first. More than one: made concurrently with different contents. A text is a
 * list of lines, raw strings with their line breaks: an edit is by lines anyway, and as collaborative text, an op a
 * character, 1 MB took 2.5 s to create, 7 s to rewrite and 2 s to load (as a list 0.3, 0.16 and 0.02).
 */
export function readTexts(handle: Handle): { value: string; lines: readonly string[]; objectId: string }[] {
  const texts = []
  for (const [datatype, objectId] of valuesAt(handle, 'content')) {
    if (datatype !== 'list') continue
    // What is no line keeps its place, so that indices stay right.
    const elements = handle.materialize(objectId as string) as readonly unknown[]
    const lines = elements.map((line) => (typeof line === 'string' ? line : ''))
    texts.unshift({ value: lines.join(''), lines, objectId: objectId as string })
  }
  return texts
}

/** Every live path of a skill, the shown one first. */
export function readPaths(handle: Handle): { value: string; opId: string }[] {
  const paths = []
  for (const [datatype, value, opId] of valuesAt(handle, 'path')) {
    if (datatype === 'str') paths.unshift({ value: value as string, opId })
  }
  return paths
}

/** What a document shows. */
export function readSkill(handle: Handle): { content: string | null; path: string | null } {
  return { content: readTexts(handle)[0]?.value ?? null, path: readPaths(handle)[0]?.value ?? null }
}

function spliceLines(handle: Handle, objectId: string, before: readonly string[], after: readonly string[]): void {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const removed = before.slice(start, before.length - end)
  const added = after.slice(start, after.length - end)
  // Lines that only one side has differ however the rest is matched: a search that must fail is spared.
  const parts =
    countMissing(removed, added) + countMissing(added, removed) > MAX_DIFF_LINES
      ? undefined
      : diffArrays(removed, added, { maxEditLength: MAX_DIFF_LINES })
  if (parts === undefined) {
    handle.splice(objectId, start, removed.length, added)
    return
  }
  let at = start
  for (const part of parts) {
    if (part.removed) handle.splice(objectId, at, part.value.length, [])
    else {
      if (part.added) handle.splice(objectId, at, 0, part.value)
      at += part.value.length
    }
  }
}

/** How many lines of one text are nowhere in another. */
function countMissing(lines: readonly string[], others: readonly string[]): number {
  const there = new Set(others)
  return lines.reduce((missing, line) => (there.has(line) ? missing : missing + 1), 0)
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
