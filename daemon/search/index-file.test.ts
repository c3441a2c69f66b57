import { copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Scope } from '../../crdt/entry/index.ts'
import { LONG } from '../../test/support/long.ts'
import { find, findAll, gone, indexPath, memory, openTestIndex, skill } from './index-suite.ts'
import { parseQuery } from './query.ts'

describe('is found by', () => {
  test.each([
    ['deadline', memory('project/deadline', 1), 'a word of its key'],
    ['friday', memory('k', 'We ship on Friday.'), 'a word of its text'],
    ['owner', memory('k', { plan: { owner: 'ann' } }), 'a name inside its value'],
    ['"owner ann"', memory('k', { plan: { owner: 'ann' } }), 'a name with what it names'],
    ['third', memory('k', ['first', ['second', 'third']]), 'a text in an array'],
    ['3.25', memory('k', { price: 3.25 }), 'a number'],
    ['true', memory('k', { done: true }), 'a literal'],
    ['cafe', memory('k', 'Café'), 'a word without its diacritics'],
    ['CAFE\u0301', memory('k', 'café'), 'a word in another form and case'],
    ['retries', memory('k', { maxRetries: 3 }), 'a part of a name that is writtenLikeThis'],
    ['maxretries', memory('k', { maxRetries: 3 }), 'such a name as a whole'],
    ['snake', memory('long_snake_case', 1), 'a part of a name with underscores'],
    ['会議', memory('k', '明日の会議は九時'), 'characters of a script without spaces'],
    ['회의', memory('k', '회의는 내일'), 'a Korean word before its particle'],
    ['हिन्दी', memory('k', 'यह हिन्दी है'), 'a word whose letters bear marks'],
    ['abc', memory('k', 'ＡＢＣ'), 'full-width letters'],
    ['weather', skill('weather-report', 'x'), 'a word of a skill’s name'],
    ['umbrella', skill('w', '# Weather\n\nTake an *umbrella*.'), 'a word of a skill’s content'],
    ['shared', skill('w', null, { path: '/srv/shared/w' }), 'a part of a skill’s path'],
  ])('%j: %s', (text, change) => {
    const index = openTestIndex(indexPath())
    index.apply([change, memory('other', 'something else'), skill('else', 'nothing')], 1)
    expect(find(index, text)).toEqual([`mesh/${change.key}`])
  })
})

describe('what fits best comes first', () => {
  test('a word in the key before one in the text, more often before once, in a short text before a long one', () => {
    const index = openTestIndex(indexPath())
    const long = Array.from({ length: 50 }, (_, i) => `w${i}`).join(' ')
    index.apply(
      [
        memory('long', `deadline ${long}`),
        memory('short', 'deadline soon'),
        memory('often', 'deadline deadline deadline'),
        memory('deadline', 'x'),
        ...Array.from({ length: 20 }, (_, i) => memory(`other-${i}`, 'nothing')),
      ],
      1,
    )
    expect(find(index, 'deadline')).toEqual(['deadline', 'often', 'short', 'long'].map((key) => `mesh/${key}`))
    const scores = findAll(index, 'deadline').map(({ score }) => score)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    expect(Math.min(...scores)).toBeGreaterThan(0)
  })

  test('of what fits alike, what changed last; and so it is where too many words are asked for to be ranked', () => {
    const index = openTestIndex(indexPath())
    index.apply([memory('a', 'same'), memory('b', 'same'), memory('c', 'same')], 1)
    index.apply([memory('a', 'same')], 2)
    expect(find(index, 'same')).toEqual(['mesh/a', 'mesh/c', 'mesh/b'])
    expect(find(index, 'same', { ranked: false })).toEqual(['mesh/a', 'mesh/c', 'mesh/b'])
  })

  test('an old entry that is named by a word that very many hold is still found first', () => {
    const index = openTestIndex(indexPath())
    index.apply([memory('common', 'the one')], 1)
    for (let i = 0; i < 20; i++) {
      index.apply(
        Array.from({ length: 250 }, (_, j) => memory(`k${i}-${j}`, `common text ${j}`)),
        2,
      )
    }
    expect(find(index, 'common', { limit: 1 })).toEqual(['mesh/common'])
  })
})

describe('a filter', () => {
  const changes = [
    memory('a/1', 'plan'),
    memory('a/2', 'plan', { scope: 'tenant:x' }),
    memory('b/1', 'plan', { scope: 'tenant:y' }),
    memory('A/1', 'plan'),
    memory('a', 'plan'),
    skill('a-skill', 'plan', { scope: 'tenant:x' }),
  ]

  test('by scopes shows what is in them, and none where none is allowed or known', () => {
    const index = openTestIndex(indexPath())
    index.apply(changes, 1)
    const scopes = (...some: string[]) => ({ scopes: some as Scope[] })
    expect(find(index, 'plan', scopes('tenant:x')).sort()).toEqual(['tenant:x/a-skill', 'tenant:x/a/2'])
    expect(find(index, 'plan', scopes('tenant:x', 'tenant:y'))).toHaveLength(3)
    expect(find(index, 'plan', scopes())).toEqual([])
    expect(find(index, 'plan', scopes('tenant:z'))).toEqual([])
  })

  test('by kind shows entries of that kind', () => {
    const index = openTestIndex(indexPath())
    index.apply(changes, 1)
    expect(find(index, 'plan', { kind: 'skill' })).toEqual(['tenant:x/a-skill'])
    expect(find(index, 'plan', { kind: 'memory' })).toHaveLength(5)
  })

  test('by scope cannot be got round by searching for how a place is written down', () => {
    const index = openTestIndex(indexPath())
    index.apply(changes, 1)
    for (const text of ['p1', 'p2', 'plan p1', 'place', '"place p1"', 'place:p1']) expect(find(index, text)).toEqual([])
  })

  test('comes before the limit', () => {
    const index = openTestIndex(indexPath())
    index.apply([memory('old', 'plan', { scope: 'tenant:x' })], 1)
    for (let i = 0; i < 12; i++) {
      index.apply(
        Array.from({ length: 250 }, (_, j) => memory(`k${i}-${j}`, 'plan')),
        2,
      )
    }
    expect(find(index, 'plan', { scopes: ['tenant:x' as Scope], limit: 1 })).toEqual(['tenant:x/old'])
    expect(find(index, 'plan', { prefix: 'old', limit: 1 })).toEqual(['tenant:x/old'])
  })

  test('by time hides what has expired, before anybody says so', () => {
    const index = openTestIndex(indexPath())
    index.apply([memory('a', 'plan', { expires_at: 1_000 }), memory('b', 'plan', { expires_at: 1_001 })], 1)
    expect(find(index, 'plan', { now: 999 })).toHaveLength(2)
    expect(find(index, 'plan', { now: 1_000 })).toEqual(['mesh/b'])
  })

  test('by the beginning of the key is exact, whatever stands in keys', () => {
    const part = fc.constantFrom(
      'a',
      'A',
      'ab',
      '/',
      '-',
      '_',
      ' ',
      'é',
      'e\u0301',
      '会',
      '議',
      '가',
      '\u11a8',
      'ß',
      '12',
      '.',
    )
    const text = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.uniqueArray(text, { minLength: 1, maxLength: 12 }), text, (keys, prefix) => {
        const index = openTestIndex(indexPath())
        index.apply(
          keys.map((key) => memory(key, 'plan')),
          1,
        )
        const expected = keys.filter((key) => key.startsWith(prefix)).map((key) => `mesh/${key}`)
        expect(find(index, 'plan', { prefix }).sort()).toEqual(expected.sort())
        index.close()
      }),
      { numRuns: LONG ? 1_000 : 60 },
    )
  })
})

test('whatever is typed, the index understands it or it is refused as QUERY_INVALID', () => {
  const index = openTestIndex(indexPath())
  index.apply([memory('a', 'plan'), skill('b', 'plan')], 1)
  const piece = fc.oneof(
    fc.constantFrom(
      '"',
      '*',
      '-',
      '^',
      ':',
      '(',
      ')',
      '{',
      '}',
      '+',
      ',',
      "'",
      ';',
      '\0',
      'NEAR(',
      ' AND ',
      ' OR ',
      ' NOT ',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.string({ unit: 'grapheme', maxLength: 5 }),
    fc.constantFrom('plan', 'key:', 'place', 'words', '\ud800', '会', '\u0e33', '𝒜', '𐞁'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      try {
        parseQuery(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'QUERY_INVALID', field: 'q' })
        return
      }
      expect(findAll(index, text).length).toBeLessThanOrEqual(2)
    }),
    { numRuns: LONG ? 100_000 : 2_000 },
  )
})

describe('an index goes on after it was', () => {
  test('closed, with what it holds and how far it is', () => {
    const path = indexPath()
    const first = openTestIndex(path)
    first.apply([memory('a', 'plan'), memory('b', 'plan')], 7)
    first.apply([gone('memory', 'a'), memory('b', 'other plan')], 9)
    first.close()
    const again = openTestIndex(path)
    expect(again.renewed).toBeUndefined()
    expect(again.state()).toMatchObject({ position: 9, entries: 1 })
    expect(find(again, 'plan')).toEqual(['mesh/b'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('not closed, as when its process was killed', () => {
    const path = indexPath()
    openTestIndex(path).apply([memory('a', 'plan')], 7)
    const copy = copyOf(path)
    const again = openTestIndex(copy)
    expect(again.renewed).toBeUndefined()
    expect(again.state()).toMatchObject({ position: 7, entries: 1 })
    expect(find(again, 'plan')).toEqual(['mesh/a'])
  })
})

describe('an index is thrown away that', () => {
  function filled(): string {
    const path = indexPath()
    const index = openTestIndex(path)
    index.apply(
      Array.from({ length: 200 }, (_, i) => memory(`k${i}`, `plan number ${i}`)),
      7,
    )
    index.close()
    return path
  }

  function expectEmpty(path: string, renewed: string, init = {}): void {
    const index = openTestIndex(path, init)
    expect(index.renewed).toBe(renewed)
    expect(index.state()).toMatchObject({ position: undefined, entries: 0 })
    index.apply([memory('new', 'plan')], 1)
    expect(find(index, 'plan')).toEqual(['mesh/new'])
  }

  test('is of another database', () => expectEmpty(filled(), 'other', { basis: 'another' }))

  test('was not closed before the machine went down, or it cannot be told', () => {
    for (const boot of ['another', undefined]) {
      const path = indexPath()
      openTestIndex(path).apply([memory('a', 'plan')], 7)
      expectEmpty(copyOf(path), 'unsure', { boot })
    }
  })

  test('was not whole yet', () => {
    const path = indexPath()
    const index = openTestIndex(path)
    index.apply([memory('a', 'plan')], undefined)
    index.close()
    expectEmpty(path, 'unfinished')
  })

  test.each([
    [
      'is another file',
      (path: string) => writeFileSync(path, 'this is no database, whatever its name says. '.repeat(99)),
    ],
    ['is empty', (path: string) => truncateSync(path, 0)],
    ['is cut short', (path: string) => truncateSync(path, 4096)],
    ['is a database of something else', replaceByAnother],
    ['lacks a table', (path: string) => inside(path, 'DROP TABLE words')],
  ])('%s', (_, damage) => {
    const path = filled()
    damage(path)
    expectEmpty(path, 'damaged')
  })

  test('is damaged in the middle, and was not closed', () => {
    const path = indexPath()
    const index = openTestIndex(path)
    index.apply(
      Array.from({ length: 200 }, (_, i) => memory(`k${i}`, `plan number ${i}`)),
      7,
    )
    const copy = copyOf(path)
    const database = new DatabaseSync(copy)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    const bytes = readFileSync(copy)
    for (let at = 4096; at < bytes.length; at += 4096) bytes.fill(0xff, at, at + 64)
    writeFileSync(copy, bytes)
    expectEmpty(copy, 'damaged')
  })

  test('somebody wants to be made anew', () => {
    const path = filled()
    const index = openTestIndex(path, { fresh: true })
    expect(index.state()).toMatchObject({ position: undefined, entries: 0 })
  })
})

test('a batch that fails leaves the index as it was', () => {
  const path = indexPath()
  const index = openTestIndex(path)
  index.apply([memory('a', 'plan')], 1)
  const broken = { ...memory('b', 'plan', { scope: 'tenant:x' }), json: 'no JSON' }
  expect(() => index.apply([gone('memory', 'a'), memory('c', 'plan', { scope: 'tenant:x' }), broken], 2)).toThrow()
  expect(index.state()).toMatchObject({ position: 1, entries: 1 })
  expect(find(index, 'plan')).toEqual(['mesh/a'])
  index.apply([memory('d', 'plan', { scope: 'tenant:x' })], 2)
  const scopes = ['tenant:x' as Scope]
  expect(find(index, 'plan', { scopes })).toEqual(['tenant:x/d'])
  index.close()
  expect(find(openTestIndex(path), 'plan', { scopes })).toEqual(['tenant:x/d'])
})

/** The files of an index that is open, as a killed process leaves them. */
function copyOf(path: string): string {
  const copy = indexPath()
  for (const ending of ['', '-wal']) if (existsSync(path + ending)) copyFileSync(path + ending, copy + ending)
  return copy
}

function replaceByAnother(path: string): void {
  truncateSync(path, 0)
  inside(path, 'CREATE TABLE meta (something)')
}

function inside(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}
