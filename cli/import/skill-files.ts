import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

/** A file that holds one skill. */
export interface SkillFile {
  readonly name: string
  readonly path: string
}

/** What a folder holds: its skills in order of name, and what was passed over. */
export interface SkillFolder {
  readonly files: readonly SkillFile[]
  /** Other files and folders, here and beside each SKILL.md. */
  readonly ignored: number
  /** What was passed over although it looks like a skill, a line each. */
  readonly notes: readonly string[]
}

/** The one file of a skill's folder that OpenClaw reads. */
export const SKILL_FILE = 'SKILL.md'
const FLAT = /^(.+)\.(md|txt)$/
// Papers that lie about in folders of skills, and are none.
const PAPER = /^(readme|changelog|contributing|licen[cs]e|notice)(\.|$)/i

/** The name of the skill that a SKILL.md, or a flat `<name>.md` or `.txt`, holds. @param path absolute */
export function skillNameOf(path: string): string {
  return basename(path) === SKILL_FILE ? basename(dirname(path)) : (FLAT.exec(basename(path))?.[1] ?? basename(path))
}

/**
 * Finds the skills of a folder: the folder itself when it holds a SKILL.md, else every `<name>/SKILL.md` and every flat
 * `<name>.md` or `<name>.txt` in it. Of two files of one name the first of these forms is taken. A link that leads out
 * of the folder is not followed.
 * @param folder absolute
 */
export async function findSkills(folder: string): Promise<SkillFolder> {
  const root = await realpath(folder)
  const inside = async (path: string): Promise<'file' | 'folder' | 'other' | 'outside'> => {
    const target = await realpath(path)
    if (target !== root && !target.startsWith(root.endsWith(sep) ? root : root + sep)) return 'outside'
    const found = await stat(target)
    return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other'
  }
  const kindOf = (path: string) => inside(path).catch(() => 'missing' as const)

  if ((await kindOf(join(root, SKILL_FILE))) === 'file') {
    const ignored = (await readdir(root)).length - 1
    return { files: [{ name: basename(root), path: join(root, SKILL_FILE) }], ignored, notes: [] }
  }
  const found = new Map<string, SkillFile & { readonly rank: number; readonly label: string }>()
  const notes: string[] = []
  let ignored = 0
  const take = (name: string, path: string, rank: number, label: string): void => {
    const other = found.get(name)
    if (other === undefined || other.rank > rank) found.set(name, { name, path, rank, label })
    if (other === undefined) return
    const [kept, passed] = other.rank > rank ? [label, other.label] : [other.label, label]
    notes.push(`${passed} passed over: ${kept} has the same name`)
  }
  for (const entry of (await readdir(root)).sort()) {
    const path = join(root, entry)
    const kind = await kindOf(path)
    if (kind === 'outside') notes.push(`${entry} passed over: a link that leads out of the folder`)
    else if (kind === 'folder') {
      const file = join(path, SKILL_FILE)
      const within = await kindOf(file)
      if (within === 'outside') notes.push(`${entry}/${SKILL_FILE} passed over: a link that leads out of the folder`)
      else if (within === 'file') {
        take(entry, file, 0, `${entry}/${SKILL_FILE}`)
        ignored += (await readdir(path)).length - 1
      } else ignored++
    } else {
      const [, name, ending] = FLAT.exec(entry) ?? []
      if (kind !== 'file' || name === undefined || PAPER.test(entry)) ignored++
      else take(name, path, ending === 'md' ? 1 : 2, entry)
    }
  }
  const files = [...found.values()].map(({ name, path }) => ({ name, path }))
  return { files: files.sort((a, b) => (a.name < b.name ? -1 : 1)), ignored, notes }
}
