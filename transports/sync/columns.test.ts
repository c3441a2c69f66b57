import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ColumnReader, ColumnWriter } from './columns.ts'

const MOST = 2 ** 28 - 1
const numbers = fc.array(fc.oneof(fc.nat(300), fc.nat(MOST), fc.constantFrom(127, 128, 16_383, 16_384, MOST)))

it('columns come out as they went in, with nothing left', () => {
  const property = fc.property(numbers, fc.uint8Array(), numbers, (first, bytes, last) => {
    const writer = new ColumnWriter()
    writer.numbers(first)
    writer.bytes([bytes])
    writer.numbers(last)
    const reader = new ColumnReader(writer.end())
    expect([...reader.numbers(first.length)]).toEqual(first)
    expect([...reader.bytes(bytes.length)]).toEqual([...bytes])
    expect([...reader.numbers(last.length)]).toEqual(last)
    reader.end()
  })
  fc.assert(property)
})

it.each([-1, 0.5, MOST + 1, Number.NaN])('%d is not written', (value) => {
  expect(() => new ColumnWriter().numbers([value])).toThrow(RangeError)
})

it.each([
  ['one that ends too early', '80'],
  ['one with a digit that it does not need', '8100'],
  ['one of five digits', '8080808001'],
  ['none', ''],
])('a number is refused: %s', (_, hex) => {
  expect(() => new ColumnReader(Buffer.from(hex, 'hex')).number()).toThrow(RangeError)
})

it('more than is there is refused before memory is taken for it, and so is less', () => {
  const reader = new ColumnReader(new Uint8Array(3))
  expect(() => reader.numbers(MOST)).toThrow('ends too early')
  expect(() => reader.bytes(4)).toThrow('ends too early')
  expect(() => reader.end()).toThrow('3 bytes too many')
})
