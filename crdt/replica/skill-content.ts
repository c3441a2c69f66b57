import { MeshError } from '../errors.ts'
import type { SkillPut } from './replica.ts'

type SkillContent = Pick<SkillPut, 'content' | 'path'>

/** Largest SKILL.md, in bytes of UTF-8. */
export const MAX_SKILL_BYTES = 1024 * 1024
/** Longest `path` of a skill, in bytes of UTF-8: text that is only shown. */
const MAX_PATH_BYTES = 4096

/** @throws {MeshError} `SKILL_INVALID`, `SKILL_TOO_LARGE` */
export function parseSkillContent({
  content,
  path,
}: {
  readonly content?: unknown
  readonly path?: unknown
}): SkillContent {
  if (content === undefined && path === undefined) {
    throw new MeshError('SKILL_INVALID', 'content: a skill needs its content, or a path', { field: 'content' })
  }
  checkText('content', content, MAX_SKILL_BYTES)
  checkText('path', path, MAX_PATH_BYTES)
  return { content, path } as SkillContent
}

function checkText(field: 'content' | 'path', text: unknown, most: number): void {
  if (text === undefined) return
  if (typeof text !== 'string' || !text.isWellFormed()) {
    throw new MeshError('SKILL_INVALID', `${field}: not well-formed Unicode text`, { field })
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > most) throw new MeshError('SKILL_TOO_LARGE', `${field}: ${bytes} bytes, at most ${most}`, { field })
}
