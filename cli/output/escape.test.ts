import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { escapeBlock, escapeLine } from './escape.ts'

describe('foreign text on a terminal (S-27)', () => {
  test.each([
    ['a\r\nb', 'a\\r\\nb'],
    ['tab\there', 'tab\\there'],
    ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
    ['\u009b31m', '\\u009b31m'],
    ['evil\u202egnp.exe', 'evil\\u202egnp.exe'],
    ['\u2066a\u2069', '\\u2066a\\u2069'],
    ['soft\u00adhyphen', 'soft\\u00adhyphen'],
    ['tag\u{e0041}', 'tag\\udb40\\udc41'],
    ['lone\ud800', 'lone\\ud800'],
    ['line\u2028sep', 'line\\u2028sep'],
    ['\u0000', '\\u0000'],
  ])('%j on one line', (raw, escaped) => {
    expect(escapeLine(raw)).toBe(escaped)
  })

  test.each(['ceo', 'naïve', '日本語', '👩‍👩‍👧', 'a\\nb', 'עברית'])('%s stays as it is', (text) => {
    expect(escapeLine(text)).toBe(text)
  })

  test('nothing that is left can end a line, begin a control sequence or turn text around', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeLine(text)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })

  test('JSON stays the same JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(escapeLine(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('a block keeps its lines and tabs, and nothing else', () => {
    expect(escapeBlock('a\r\nb\tc\u001b[2Jd\re')).toBe('a\nb\tc\\u001b[2Jd\\re')
  })
})
