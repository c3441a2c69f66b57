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
 * lines × differences, and two versions that far apart share nothing worth merging.
 */
const MAX_DIFF_LINES = 2_000

/**
 * Incarnation of a skill: raised by one when a deleted skill's history has been folded away, so that the skill made
 * anew is not taken for the old one. Part of the format; nothing folds history yet, so every skill is of the first.
 */
const INCARNATION = 0

/**
 * The first change of a skill, derived from entry and content so that two nodes which create the same skill make the
 * same bytes (one skill), and different contents make different ones (a conflict that keeps both).
 */
export function skillFirstChange(id: EntryId, skill: SkillContent): Uint8Array {
  const derivation = lengthPrefixed(
    'openclaw-mesh skill 1',
    id.scope,
    id.key,
    String(INCARNATION),
    skill.content === undefined ? '-' : `c${skill.content}`,
    skill.path === undefined ? '-' : `p${skill.path}`,
  )
  const actor = createHash('sha256').update(derivation).digest('hex').slice(0, 32)
  const handle = newHandle(actor)
  try {
    if (skill.content !== undefined) handle.putObject('_root', 'content', skill.content)
    if (skill.path !== undefined) handle.put('_root', 'path', skill.path, 'str')
    handle.commit(null, 0)
    const [change] = handle.getChanges([])
    if (change === undefined) throw new Error('impossible: a skill has a content or a path')
    return change
  } finally {
    handle.free()
  }
}

/** Puts the difference between what a document shows and `skill`; the text by lines. */
export function writeSkill(handle: Handle, skill: SkillContent): void {
  const texts = readTexts(handle)
  const shown = texts[0]
  if (skill.content === undefined) {
    if (shown !== undefined) handle.delete('_root', 'content')
  } else if (shown === undefined) {
    handle.putObject('_root', 'content', skill.content)
  } else {
    spliceLines(handle, shown.objectId, shown.value, skill.content)
  }
  const path = readPaths(handle)[0]?.value
  if (skill.path === undefined) {
    if (path !== undefined) handle.delete('_root', 'path')
  } else if (skill.path !== path) {
    handle.put('_root', 'path', skill.path, 'str')
  }
}

/** Every live text of a skill, the shown one first. More than one: made concurrently with different contents. */
export function readTexts(handle: Handle): { value: string; objectId: string }[] {
  const texts = []
  for (const [datatype, objectId] of valuesAt(handle, 'content')) {
    if (datatype !== 'text') continue
    texts.unshift({ value: handle.text(objectId as string), objectId: objectId as string })
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

// A rewrite character by character of 100 KB took 5.4 s; by lines it follows what an author changed.
function spliceLines(handle: Handle, objectId: string, from: string, to: string): void {
  if (from === to) return
  const before = splitLines(from)
  const after = splitLines(to)
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const removed = before.slice(start, before.length - end)
  const added = after.slice(start, after.length - end)
  let offset = before.slice(0, start).join('').length
  const parts = diffArrays(removed, added, { maxEditLength: MAX_DIFF_LINES })
  if (parts === undefined) {
    handle.splice(objectId, offset, removed.join('').length, added.join(''))
    return
  }
  for (const part of parts) {
    const text = part.value.join('')
    if (part.removed) handle.splice(objectId, offset, text.length, '')
    else {
      if (part.added) handle.splice(objectId, offset, 0, text)
      offset += text.length
    }
  }
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
