import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginningsOf, decodeRun } from './base64.ts'
import { createFinder, MIN_RUN } from './finder.ts'
import { joinLines } from './joined.ts'
import { credentialKind, normalName } from './names.ts'
import { entropyOf, isWordy } from './plausible.ts'

describe('the finder', () => {
  const words = ['a', 'ab', 'bab', 'bc', 'bca', 'c', 'caa', '-x', 'x-x', 'https://']

  test('finds every place of every word, and every long run, as a plain search does', () => {
    const find = createFinder(words)
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', 'A', 'B', 'x', '-', ' ', '/', 'é', 'z', '9'),
      maxLength: 200,
    })
    fc.assert(
      fc.property(text, (text) => {
        const low = text.toLowerCase()
        const found = find(text).words
        const pairs = Array.from({ length: found.length / 2 }, (_, i) => `${found[2 * i]}@${found[2 * i + 1]}`)
        const plain = words.flatMap((word, index) =>
          Array.from({ length: low.length }, (_, at) => at)
            .filter((at) => low.startsWith(word, at))
            .map((at) => `${index}@${at}`),
        )
        expect(pairs.sort()).toEqual(plain.sort())
        const runs = [...text.matchAll(/[A-Za-z0-9+/_-]+/g)].filter(({ 0: run }) => run.length >= MIN_RUN)
        expect(find(text).runs).toEqual(runs.flatMap(({ 0: run, index }) => [index, index + run.length]))
      }),
    )
  })

  test('takes no other letters for those of words', () => {
    // The Kelvin sign and the long s become k and s in lower case.
    expect(createFinder(['k', 's']).call(undefined, '\u212a\u017f').words).toEqual([])
  })
})

describe('lines put together', () => {
  test.each([
    ['ab\ncd', 'abcd'],
    ['ab\r\n    cd', 'abcd'],
    ['ab\\\ncd', 'abcd'],
    ['"ab" +\n  "cd"', '"abcd"'],
    ['"ab"\n  + "cd"', '"abcd"'],
    ["'ab' . \n 'cd'", "'abcd'"],
    ['x = "ab" + "cd"', 'x = "abcd"'],
    ['ab\\ncd\\r\\nef', 'abcdef'],
    ['> ab\n> cd', '> abcd'],
    ['# ab\n# cd', '# abcd'],
    ['ab\u200bcd', 'abcd'],
    // What may be base64 stays.
    ['ab+\n/cd', 'ab+/cd'],
    ['ab/\n+cd', 'ab/+cd'],
    ['ab=\n', 'ab='],
  ])('%j is %j', (text, whole) => {
    expect(joinLines(text)?.text).toBe(whole)
  })

  test('are undefined where nothing is broken', () => {
    expect(joinLines('one line, with "a" and \\x')).toBeUndefined()
  })

  test('know where each character comes from', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', '\n', '\\', '"', '+', '>', 'n', '\u200b', '\r'),
      maxLength: 60,
    })
    fc.assert(
      fc.property(text, (text) => {
        const joined = joinLines(text)
        if (joined === undefined) return
        const back = [...joined.text].map((_, at) => text[joined.origin(at)])
        expect(back.join('')).toBe(joined.text)
        expect([...joined.joins].sort((a, b) => a - b)).toEqual(joined.joins)
      }),
    )
  })
})

describe('base64', () => {
  const decode = (run: string) => decodeRun(run, beginningsOf(run))
  const hidden = 'something to be read, ~~~ and more?'

  test.each(['base64', 'base64url'] as const)('is opened as %s, also behind other signs', (encoding) => {
    const run = Buffer.from(hidden).toString(encoding).replace(/=+$/, '')
    expect(decode(run)).toBe(hidden)
    expect(decode(`notes/2026/${run}`)).toBe(hidden)
    expect(decode(`xy${run}`)).toBe(hidden)
  })

  test('is not made out of what is none', () => {
    expect(decode('a-long-identifier-of-some-words-and-no-more')).toBeUndefined()
    expect(decode('thisIsALongIdentifierOfSomeWordsAndNoMore')).toBeUndefined()
  })

  test('is read up to the first byte that is no text', () => {
    expect(decode(Buffer.from(`${hidden}\0\x01${hidden}`).toString('base64'))).toBe(hidden)
  })
})

describe('names and values', () => {
  test.each([
    ['HEROKU_API_KEY', 'heroku_api_key', 'token'],
    ['heroku.apiKey', 'heroku_api_key', 'token'],
    ['db-password', 'db_password', 'password'],
    ['userPass2', 'user_pass2', 'password'],
    ['PGPASSWORD', 'pgpassword', 'password'],
    ['bottoken', 'bottoken', 'token'],
    ['token_b64', 'token_b64', 'token'],
    ['tokenizer', 'tokenizer', undefined],
    ['nextPageToken', 'next_page_token', undefined],
    ['public_key', 'public_key', undefined],
    ['compass', 'compass', undefined],
  ])('%s is %s, of kind %s', (name, normal, kind) => {
    expect(normalName(name)).toBe(normal)
    expect(credentialKind(normal)).toBe(kind)
  })

  test('entropy is that of Shannon', () => {
    expect(entropyOf('aaaa')).toBe(0)
    expect(entropyOf('abab')).toBe(1)
    expect(entropyOf('0123456789abcdef')).toBe(4)
  })

  test('words are told from random letters', () => {
    expect(['my-secret-2', 'accessTokenValue', 'SECRET_KEY', 'oauth2Token'].every(isWordy)).toBe(true)
    expect(['k3J9xQz2Lm', 'aB3dE9fGh1Jk', '3fa9c17be2d04a55'].some(isWordy)).toBe(false)
  })
})
