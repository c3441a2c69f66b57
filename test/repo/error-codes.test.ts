import { describe, expect, test } from 'vitest'
import { CRDT_ERROR_CODES } from '../../crdt/errors.ts'
import { DAEMON_ERROR_CODES } from '../../daemon/errors.ts'
import { TRANSPORT_ERROR_CODES } from '../../transports/errors.ts'
import { projectFiles, readProjectFile } from './project-files.ts'

const shipped = projectFiles().filter((path) => /\.ts$/.test(path) && !/\.test\.ts$|-suite\.ts$/.test(path))

/** From the lowest up: a layer may throw its own codes and those of the layers below. */
const LAYERS: readonly {
  readonly name: string
  readonly folders: readonly string[]
  readonly codes: readonly string[]
}[] = [
  { name: 'crdt', folders: ['crdt'], codes: CRDT_ERROR_CODES },
  { name: 'transports', folders: ['transports'], codes: TRANSPORT_ERROR_CODES },
  { name: 'daemon', folders: ['daemon'], codes: DAEMON_ERROR_CODES },
]
const listed = LAYERS.flatMap((layer) => layer.codes)

/** What the command line adds to the daemon's codes: the `type` of its own failures. */
const cliTypes = new Set(sourcesOf(['cli']).flatMap(({ text }) => all(text, /\btype: '([A-Z][A-Z0-9_]*)'/g)))

describe('the lists of codes', () => {
  test('name each code once', () => {
    expect(listed.filter((code, index) => listed.indexOf(code) !== index)).toEqual([])
  })

  test('name nothing that is never thrown', () => {
    const sources = sourcesOf(['crdt', 'transports', 'daemon', 'adapters', 'federation'])
      .filter(({ path }) => !path.endsWith('/errors.ts'))
      .map(({ text }) => text)
      .join('\n')
    expect(listed.filter((code) => !sources.includes(`'${code}'`))).toEqual([])
  })

  test.each(LAYERS)('hold every code that $name throws', ({ name, folders }) => {
    const known = new Set(
      LAYERS.slice(0, LAYERS.findIndex((layer) => layer.name === name) + 1).flatMap((it) => it.codes),
    )
    expect(thrown(folders).filter(({ code }) => !known.has(code))).toEqual([])
  })

  test('hold every code that is thrown above the daemon', () => {
    const known = new Set<string>(listed)
    const above = ['cli', 'adapters', 'federation', 'mission-control', 'army']
    expect(thrown(above).filter(({ code }) => !known.has(code))).toEqual([])
  })
})

describe('docs/errors.md', () => {
  // A code is documented by a row of a table that begins with it, or a heading of its own.
  const documented = () => all(readProjectFile('docs/errors.md'), /^(?:\| *|#+ +)`([A-Z][A-Z0-9_]*)`/gm)

  test('explains every code that a user may see', () => {
    const explained = new Set(documented())
    expect([...new Set([...listed, ...cliTypes])].filter((code) => !explained.has(code))).toEqual([])
  })

  test('explains no code that there is not', () => {
    const known = new Set<string>([...listed, ...cliTypes])
    expect(documented().filter((code) => !known.has(code))).toEqual([])
  })

  test('explains each code once', () => {
    const codes = documented()
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([])
  })
})

function sourcesOf(folders: readonly string[]): { path: string; text: string }[] {
  return shipped
    .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .map((path) => ({ path, text: readProjectFile(path) }))
}

/** Every code that stands in the first argument of an error's construction, be it one literal or a choice of some. */
function thrown(folders: readonly string[]): { path: string; code: string }[] {
  return sourcesOf(folders).flatMap(({ path, text }) =>
    all(text, /new (?:MeshError|ApiError)\(([^,)]*),/g).flatMap((first) =>
      all(first, /'([A-Z][A-Z0-9_]*)'/g).map((code) => ({ path, code })),
    ),
  )
}

function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '')
}
