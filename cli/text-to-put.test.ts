import fc from 'fast-check'
import { expect, test } from 'vitest'
import { textToPut } from './text-to-put.ts'
import { readValue } from './value.ts'

/** What `mesh put KEY -` makes of a line of standard input. */
const put = (line: string) => readValue(line.replace(/\r?\n$/, ''), false).value

test('whatever value it is, a put of the printed line is this value', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (value) => {
        // JSON knows no negative zero.
        const plain: unknown = JSON.parse(JSON.stringify(value))
        expect(put(`${textToPut(plain)}\n`)).toEqual(plain)
      },
    ),
  )
})

test.each([
  ['ship on Friday', 'ship on Friday'],
  ['two\nlines\n', 'two\nlines\n'],
  ['', ''],
  ['1.10', '"1.10"'],
  ['true', '"true"'],
  ['{"a":1}', '"{\\"a\\":1}"'],
  ['a\r', '"a\\r"'],
  [{ a: 1 }, '{"a":1}'],
])('%j is printed %j', (value, text) => {
  expect(textToPut(value)).toBe(text)
  expect(put(`${text}\n`)).toEqual(value)
})
