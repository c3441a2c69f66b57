import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { projectFiles, ROOT, readProjectFile } from './project-files.ts'

const documents = projectFiles().filter((path) => path.endsWith('.md'))

test.each(documents)('%s: every link into the project leads somewhere', (path) => {
  expect(linksOf(readProjectFile(path)).filter((link) => !resolves(path, link))).toEqual([])
})

test.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'GOALS.md'])('%s is there', (path) => {
  expect(documents).toContain(path)
})

test('README names the two commands that a newcomer needs', () => {
  const readme = readProjectFile('README.md')
  expect(readme).toContain('npm ci && npm start')
  expect(readme).toContain('npm ci && npm test')
})

test('CHANGELOG has a place for what is not released', () => {
  expect(readProjectFile('CHANGELOG.md')).toMatch(/^## \[Unreleased\]$/m)
})

/** Targets of links and pictures that are no URLs; examples in code are none. */
function linksOf(markdown: string): string[] {
  const text = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '')
  return [...text.matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*(\S+)/gm)]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
}

function resolves(from: string, link: string): boolean {
  const [file = '', anchor] = decodeURIComponent(link).split('#')
  const target = file === '' ? from : relative(ROOT, join(ROOT, file.startsWith('/') ? '' : dirname(from), file))
  if (target.startsWith('..') || !existsSync(join(ROOT, target))) return false
  return anchor === undefined || !target.endsWith('.md') || anchorsOf(readProjectFile(target)).has(anchor)
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').matchAll(/^#+ +(.+?) *#*$/gm)) {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const base = words.replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-')
    let anchor = base
    for (let again = 1; anchors.has(anchor); again++) anchor = `${base}-${again}`
    anchors.add(anchor)
  }
  return anchors
}
