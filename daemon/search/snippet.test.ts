import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseQuery } from './query.ts'
import { createMarker, SNIPPET_LENGTH } from './snippet.ts'

const snippetOf = (query: string, text: string) => createMarker(parseQuery(query).wanted).snippetOf(text)

/** A snippet with its marks as brackets. */
function shown(query: string, text: string): string {
  const { text: all, marks } = snippetOf(query, text)
  return marks.reduceRight((some, [a, b]) => `${some.slice(0, a)}[${some.slice(a, b)}]${some.slice(b)}`, all)
}

const filler = (words: number) => Array.from({ length: words }, (_, i) => `word${i}`).join(' ')

describe('a snippet', () => {
  test.each([
    ['ship', 'We SHIP on Friday', 'We [SHIP] on Friday'],
    ['cafe', 'Zum Café, zum cafe\u0301', 'Zum [Café], zum [cafe\u0301]'],
    ['CAFÉ', 'im cafe', 'im [cafe]'],
    ['ship', 'shipping is no ship', 'shipping is no [ship]'],
    ['ship*', 'shipping is no ship', '[shipping] is no [ship]'],
    ['"ship it"', 'ship the box, ship\n it now', 'ship the box, [ship it] now'],
    ['plan-v2', 'see plan/V2', 'see [plan/V2]'],
    ['会議', '明日の会議は九時', '明日の[会議]は九時'],
    ['absent', 'nothing of it here', 'nothing of it here'],
    ['a.*b', 'a.*b axxb', '[a.*b] axxb'],
  ])('of %j in %j marks what was found', (query, text, expected) => {
    expect(shown(query, text)).toBe(expected)
  })

  test('is the part in which most of the words stand', () => {
    const text = `alpha ${filler(100)} alpha beta ${filler(100)}`
    expect(shown('alpha beta', text)).toMatch(/^….*word99 \[alpha\] \[beta\] word0 .*…$/)
  })

  test('begins and ends with whole words, and is no longer than promised', () => {
    const { text } = snippetOf('word50', filler(100))
    expect(text).toMatch(/^…word\d+ .* word\d+…$/)
    expect(text.length).toBeLessThanOrEqual(SNIPPET_LENGTH + 2)
    const inside = text.slice(1, -1).split(' ')
    expect(filler(100).split(' ')).toEqual(expect.arrayContaining(inside))
  })

  test('finds a word at the end of a megabyte', () => {
    expect(shown('needle', `${'hay '.repeat(250_000)}needle`)).toMatch(/^…(hay )+\[needle\]$/)
  })

  test('shows nothing that a terminal obeys or an eye does not see', () => {
    const text = 'a\u001b[31mred\u0007\r\n\u202egnirts\u2066\u200b\ufeff\u0000 ship \u2028end'
    expect(snippetOf('ship', text).text).toBe('a [31mred gnirts ship end')
  })
})

test('of any text it is one safe line, whose marks are in order and within it', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 600 }), fc.lorem())
  const words = fc.constantFrom('a', 'lorem', 'é', '会', 'ipsum dol*', '0')
  fc.assert(
    fc.property(texts, words, (text, query) => {
      const { text: snippet, marks } = snippetOf(query, `${text} ${text}`)
      expect(snippet).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u)
      expect(snippet.length).toBeLessThanOrEqual(SNIPPET_LENGTH + 2)
      const ends = marks.flat()
      expect(ends).toEqual(ends.toSorted((a, b) => a - b))
      for (const [start, end] of marks) expect(snippet.slice(start, end).length).toBeGreaterThan(0)
      expect(ends.at(-1) ?? 0).toBeLessThanOrEqual(snippet.length)
    }),
  )
})
