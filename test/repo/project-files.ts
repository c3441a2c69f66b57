import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root folder, ending in a slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Folders that hold nothing of ours: what .gitignore names, and git's own. */
const NOT_OURS = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage', 'bench/results'])

/** Files that no rule of the project asks anything of: they break rules on purpose, or a tool writes them. */
const EXEMPT = [/^test\/layers\/fixtures\//, /^package-lock\.json$/, /\.(log|tgz)$/]

/** Every file of the project, as paths from the root with `/`, sorted. Symbolic links are not followed. */
export function projectFiles(): string[] {
  const files: string[] = []
  const walk = (folder: string) => {
    for (const found of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = folder === '' ? found.name : `${folder}/${found.name}`
      if (NOT_OURS.has(path) || NOT_OURS.has(found.name)) continue
      if (found.isDirectory()) walk(path)
      else if (found.isFile() && !EXEMPT.some((pattern) => pattern.test(path))) files.push(path)
    }
  }
  walk('')
  return files.sort()
}

/** The text of a project file. */
export function readProjectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** `path:line` of every line of the files that the pattern matches. */
export function linesThatMatch(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    readProjectFile(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim().slice(0, 100)}`] : [])),
  )
}
