import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderTable } from './table.ts'
import { displayWidth, shorten } from './width.ts'

const plain = (text: string) => text

test('columns line up, wide characters counted as two', () => {
  const lines = renderTable({
    columns: [
      { title: 'KEY', least: 3 },
      { title: 'N', right: true },
    ],
    rows: [
      ['日本', '1'],
      ['abc', '22'],
    ],
    width: 80,
    paintTitle: plain,
  })
  expect(lines).toEqual(['KEY    N', '日本   1', 'abc   22'])
})

test('the widest column that may be cut gives way first; one that may not stays', () => {
  const [, line] = renderTable({
    columns: [{ title: 'A' }, { title: 'B', least: 4 }, { title: 'C', least: 4 }],
    rows: [['never-cut', 'x'.repeat(40), 'short']],
    width: 30,
    paintTitle: plain,
  })
  expect(line).toBe(`never-cut  ${'x'.repeat(11)}…  short`)
})

test('colour is added after the width is known', () => {
  const painted = { text: 'on', paint: (text: string) => `<${text}>` }
  const lines = renderTable({
    columns: [{ title: 'S' }, { title: 'X' }],
    rows: [[painted, 'y']],
    width: 80,
    paintTitle: plain,
  })
  expect(lines[1]).toBe('<on>  y')
})

test('no line is wider than the terminal while columns can still give way', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.string({ unit: 'grapheme' })), { maxLength: 5 }), (rows) => {
      const columns = [
        { title: 'KEY', least: 4 },
        { title: 'VALUE', least: 5 },
      ]
      const printable = rows.map((row) => row.map((cell) => cell.replace(/\P{L}/gu, 'x')))
      for (const line of renderTable({ columns, rows: printable, width: 20, paintTitle: plain })) {
        expect(displayWidth(line)).toBeLessThanOrEqual(20)
      }
    }),
  )
})

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['👩‍👩‍👧x', 3, '👩‍👩‍👧x'],
  ['abc', 0, ''],
])('shorten %s to %i', (text, columns, short) => {
  expect(shorten(text, columns)).toBe(short)
})
