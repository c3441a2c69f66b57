import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readValue } from './value.ts'

describe('VALUE', () => {
  test('is JSON when it can be read as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(readValue(JSON.stringify(value), false)).toEqual({ value: JSON.parse(JSON.stringify(value)), notes: [] })
      }),
    )
  })

  test.each(['ship on Friday', '', '1.2.3', 'true-ish', 'nan', '+5', "it's"])('%j is plain text', (typed) => {
    expect(readValue(typed, false)).toEqual({ value: typed, notes: [] })
  })

  test('with --text everything is', () => {
    expect(readValue('{"a":1}', true)).toEqual({ value: '{"a":1}', notes: [] })
    expect(readValue('1.10', true).value).toBe('1.10')
  })

  test.each(['{"a":1', '[1,]', '"open'])('%j looks like JSON, so its author is told', (typed) => {
    const { value, notes } = readValue(typed, false)
    expect(value).toBe(typed)
    expect(notes).toHaveLength(1)
  })

  test('digits that a number cannot hold are told', () => {
    const { value, notes } = readValue('{"account":12345678901234567890}', false)
    expect(value).toEqual({ account: 12345678901234567000 })
    expect(notes[0]).toContain('12345678901234567890 is kept as the number 12345678901234567000')
  })

  test.each(['1e999', '{"a":[-1e999]}'])('%s is refused: it would be kept as null (S-22)', (typed) => {
    expect(() => readValue(typed, false)).toThrow(/beyond what can be kept: -?1e999/)
  })
})
