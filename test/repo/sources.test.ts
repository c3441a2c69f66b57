import { describe, expect, test } from 'vitest'
import { linesThatMatch, projectFiles, readProjectFile } from './project-files.ts'

const files = projectFiles()
const code = files.filter((path) => /\.(ts|js|mjs|css|html)$/.test(path))
const texts = files.filter((path) => /\.(ts|js|mjs|css|html|json|json5|md|sh|service|yml|yaml)$|\/run$/.test(path))

test('the project is found', () => {
  expect(code).toContain('crdt/errors.ts')
})

describe('files', () => {
  test('have at most 500 lines', () => {
    const long = [...code, ...files.filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md')]
      .map((path) => ({ path, lines: readProjectFile(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > 500)
    expect(long).toEqual([])
  })

  test('and folders are named in kebab case; documents may shout, as README.md does', () => {
    const part = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
    const shouting = /^[A-Z]+(-[A-Z]+)*(\.md)?$/
    const odd = files.filter((path) => !path.split('/').every((name) => part.test(name) || shouting.test(name)))
    expect(odd).toEqual([])
  })

  test('name no path of somebody’s machine', () => {
    // Homes of examples are fine: yours, a service user's, those of the test hosts.
    const machine = /(?<![\w.~-])\/((work|root)|(home|Users)\/(?!(?:you|openclaw|ceo|sec|lab)\b)[a-z]\w*)\/\w\w/
    expect(linesThatMatch(texts, machine)).toEqual([])
  })

  test('put nothing off in a comment', () => {
    expect(linesThatMatch(texts, /(\/\/|\*|#|<!--).*\b(TO[D]O|FIX[M]E|X[X]X)\b/)).toEqual([])
  })
})

describe('tests', () => {
  test('are never skipped, singled out or left for later', () => {
    const held =
      /\b(test|it|describe|suite|bench)(\.\w+)*\.(skip|only|todo|fails)\b|\b(ctx|context|t)\.skip\(|\bx(it|describe)\(/
    expect(linesThatMatch(code, held)).toEqual([])
  })

  test('wait on events or poll with a deadline: none mocks a module of ours', () => {
    expect(linesThatMatch(code, /\bvi\.(mock|doMock|hoisted)\(/)).toEqual([])
  })
})
