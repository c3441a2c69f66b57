import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * Proves that the linters enforce the layers and the handling of promises. `fixtures/` is laid out like the project; a
 * line that breaks a rule says so (`// expect: noRestrictedImports`). The linters run on a copy of it under the
 * project's own configuration, and must report exactly these lines.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))
const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url))

const LAYER_RULES = [
  'noConsole',
  'noImportCycles',
  'noJsRestrictedProperties',
  'noRestrictedGlobals',
  'noRestrictedImports',
  'noUndeclaredDependencies',
]
const PROMISE_RULES = [
  'await-thenable',
  'no-floating-promises',
  'no-misused-promises',
  'only-throw-error',
  'return-await',
]

const files = (await readdir(fixtures, { recursive: true, withFileTypes: true }))
  .filter((found) => found.isFile())
  .map((found) => relative(fixtures, join(found.parentPath, found.name)))

let copy: string
let reported: string[]

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'mesh-layers-'))
  await cp(fixtures, copy, { recursive: true })
  for (const name of ['biome.json', '.oxlintrc.json', 'tsconfig.json', 'package.json']) {
    await cp(join(root, name), join(copy, name))
  }
  // Rules about promises need the types of Node.
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  reported = [...(await reportedByBiome()), ...(await reportedByOxlint())]
})

afterAll(() => rm(copy, { recursive: true, force: true }))

test.each(files)('%s', async (file) => {
  const expected = expectations(file, await readFile(join(fixtures, file), 'utf8'))
  expect(expected.length > 0, 'a good file expects nothing, a bad one something').toBe(/bad|cycle/.test(file))
  expect(reported.filter((line) => line.startsWith(`${file}:`)).sort()).toEqual(expected.sort())
})

describe('the fixtures themselves', () => {
  test('break every rule somewhere, so that none can be switched off unseen', () => {
    const broken = new Set(reported.map((line) => line.split(' ')[1]))
    expect([...LAYER_RULES, ...PROMISE_RULES].filter((rule) => !broken.has(rule))).toEqual([])
  })

  test('have a folder for every adapter', async () => {
    const adapters = await readdir(join(root, 'adapters')).catch(() => [])
    expect(await readdir(join(fixtures, 'adapters'))).toEqual(expect.arrayContaining(adapters))
  })
})

/** `file:line rule` of each line that says what is wrong with it. */
function expectations(file: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const rule = /\/\/ expect: ([\w-]+)/.exec(line)?.[1]
    return rule === undefined ? [] : [`${file}:${index + 1} ${rule}`]
  })
}

async function reportedByBiome(): Promise<string[]> {
  const { diagnostics } = JSON.parse(await outputOf('biome', ['lint', '--max-diagnostics=none', '--reporter=json']))
  return (diagnostics as { category: string; location: { path: string; start: { line: number } } }[])
    .map(({ category, location }) => ({ rule: category.split('/').at(-1) ?? '', location }))
    .filter(({ rule }) => LAYER_RULES.includes(rule))
    .map(({ rule, location }) => `${location.path}:${location.start.line} ${rule}`)
}

async function reportedByOxlint(): Promise<string[]> {
  const { diagnostics } = JSON.parse(await outputOf('oxlint', ['--type-aware', '--format=json', 'daemon/promises']))
  return (diagnostics as { code: string; filename: string; labels: { span: { line: number } }[] }[]).map(
    ({ code, filename, labels }) => `${filename}:${labels[0]?.span.line} ${code.replace(/^.*\((.*)\)$/, '$1')}`,
  )
}

/** What a linter prints. It ends with a failure when it reports anything, so what counts is what it says. */
function outputOf(tool: string, args: readonly string[]): Promise<string> {
  const options = { cwd: copy, maxBuffer: 16 * 1024 * 1024 }
  return new Promise((resolve) => {
    execFile(join(root, 'node_modules/.bin', tool), args, options, (_error, stdout) => resolve(stdout))
  })
}
