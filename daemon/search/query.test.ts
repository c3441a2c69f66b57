import { describe, expect, test } from 'vitest'
import { MAX_QUERY_BYTES, MAX_QUERY_WORDS, parseQuery, toExpression } from './query.ts'

const expressionOf = (text: string) => toExpression(parseQuery(text))

describe('what a person types becomes', () => {
  test.each([
    ['deadline', '("deadline")', 'a word'],
    ['ship  the release', '("ship" "the" "release")', 'words that must all be there'],
    ['"ship it" now', '("ship it" "now")', 'a phrase'],
    ['"ship it', '("ship it")', 'a phrase whose end is missing'],
    ['plan-v2/final.md', '("plan v2 final md")', 'a phrase, where anything stands between words but a space'],
    ['dead*', '("dead" *)', 'the beginning of a word'],
    ['"ship dead"*', '("ship dead" *)', 'a phrase whose last word may go on'],
    ['a "b*" c', '("a" "b" "c")', 'no beginning inside a phrase'],
    ['plan -draft -"old idea" -tmp*', '("plan") NOT "draft" NOT "old idea" NOT "tmp" *', 'what must not be there'],
    ['plan - draft', '("plan" "draft")', 'a word, after a hyphen that stands alone'],
    ['plan PLAN "plan"', '("plan")', 'one term, where it is there several times'],
    ['a OR b NOT c NEAR(d)', '("a" "OR" "b" "NOT" "c" "NEAR d")', 'words, where FTS5 has operators'],
    ['key: {body} ^x + (y)', '("key" "body" "x" "y")', 'words, where FTS5 has syntax'],
    ['会議', '("会 議")', 'a phrase of characters, in scripts without spaces'],
    ['会*', '("会")', 'the character itself, since all that goes on with it is found anyway'],
    ['ＡＢＣ ﬁle', '("ABC" "file")', 'compatible letters'],
    ["a'b; DROP TABLE entries", '("a b" "DROP" "TABLE" "entries")', 'words, where SQL has syntax'],
  ])('%s: %s, %s', (text, expression) => {
    expect(expressionOf(text)).toBe(expression)
  })
})

describe('refused, with the field and a way out, is', () => {
  test.each([
    ['', 'nothing'],
    ['   ', 'white space'],
    ['?! "" - *', 'only signs'],
    ['-draft', 'only what must not be there'],
    ['\u0301 \ud83d', 'a mark without a letter, and half a character'],
    ['a*', 'a beginning of one letter'],
    ['ab* ac* ad* ae* af*', 'too many beginnings'],
    ['x'.repeat(MAX_QUERY_BYTES + 1), 'too long a query'],
    [Array.from({ length: MAX_QUERY_WORDS + 1 }, (_, i) => `w${i}`).join(' '), 'too many words'],
    [`"${Array.from({ length: MAX_QUERY_WORDS + 1 }, (_, i) => `w${i}`).join(' ')}"`, 'too many words in a phrase'],
    ['会'.repeat(MAX_QUERY_WORDS + 1), 'too many characters of a script without spaces'],
  ])('%j: %s', (text) => {
    const hint = expect.stringMatching(/./)
    expect(() => parseQuery(text)).toThrow(expect.objectContaining({ code: 'QUERY_INVALID', field: 'q', hint }))
  })
})

test('as many words as are allowed are taken, and not ranked', () => {
  const text = Array.from({ length: MAX_QUERY_WORDS }, (_, i) => `w${i}`).join(' ')
  expect(parseQuery(text)).toMatchObject({ isRanked: false, wanted: { length: MAX_QUERY_WORDS } })
  expect(parseQuery('ship the rel*').isRanked).toBe(true)
})

test('one letter of a script without spaces is enough', () => {
  expect(expressionOf('明')).toBe('("明")')
})
