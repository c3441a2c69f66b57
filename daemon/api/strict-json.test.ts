import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MeshError } from '../../crdt/errors.ts'
import { LONG } from '../../test/support/long.ts'
import { MAX_BODY_LEVELS, parseStrictJson } from './strict-json.ts'

/** Cases of each fuzz; S-16 wants 100,000 of a format. */
const RUNS = LONG ? 100_000 : 3_000

function faultOf(text: string | Uint8Array): MeshError {
  try {
    parseStrictJson(text)
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('what JSON.parse takes as well', () => {
  test('every JSON value comes out as JSON.parse has it', () => {
    const value = fc.jsonValue({ noUnicodeString: false }).filter((v) => !JSON.stringify(v).includes('"__proto__"'))
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (v, indent) => {
        const text = JSON.stringify(v, undefined, indent)
        fc.pre(text.isWellFormed() && !/\\u[dD][89a-fA-F]/.test(text))
        expect(parseStrictJson(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('random text is refused exactly where JSON.parse refuses it', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'nul',
      'l',
      ' ',
      '\n',
      '\\u0041',
      '\u0001',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        const text = parts.join('')
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          expect(faultOf(text).code).toBe('JSON_INVALID')
          return
        }
        try {
          expect(parseStrictJson(text)).toEqual(expected)
        } catch (error) {
          if (!(error instanceof MeshError) || !error.message.includes('twice')) throw error
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('S-16: bytes changed at random give a value or a typed error, never anything else', () => {
    const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(mutation, { minLength: 1, maxLength: 4 }), (value, mutations) => {
        const bytes = Buffer.from(JSON.stringify({ scope: 'mesh', key: 'k', value }))
        for (const [at, byte] of mutations) bytes[at % bytes.length] = byte
        let expected: unknown
        try {
          expected = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
        } catch {
          expect(() => parseStrictJson(bytes)).toThrow(MeshError)
          return
        }
        try {
          expect(parseStrictJson(bytes)).toEqual(expected)
        } catch (error) {
          if (!(error instanceof MeshError)) throw error
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('S-21: names of inherited members are harmless', () => {
    const text = '{"constructor":{"prototype":{"polluted":1}},"toString":2,"hasOwnProperty":3}'
    const value = parseStrictJson(text) as Record<string, unknown>
    expect(JSON.stringify(value)).toBe(text)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('numbers that programs of this kind send are taken', () => {
    for (const text of [
      '9007199254740993e0',
      '1e20',
      '100000000000000000000',
      '12345678901234567000',
      '-0',
      '1.5e-7',
      '0.1',
    ]) {
      expect(parseStrictJson(text)).toBe(Number(text))
    }
  })

  test('a byte order mark and white space around are taken', () => {
    expect(parseStrictJson(Buffer.from('\ufeff \r\n\t{ "a" : [ ] } \n'))).toEqual({ a: [] })
  })
})

describe('S-21, S-22: refused with the path of the fault', () => {
  test.each([
    ['a name twice', '{"scope":"mesh","value":{"prefs":[0,0,{"name":1,"name":2}]}}', 'value.prefs[2].name', 'twice'],
    ['a name twice, once escaped', '{"value":{"a":1,"\\u0061":2}}', 'value.a', 'twice'],
    ['a name twice that is inherited', '{"value":{"constructor":1,"constructor":2}}', 'value.constructor', 'twice'],
    ['__proto__', '{"value":{"__proto__":{"x":1}}}', 'value.__proto__', '__proto__'],
    ['__proto__, escaped', '{"value":{"\\u005f_proto__":1}}', 'value.__proto__', '__proto__'],
    ['a lone high surrogate', '{"value":["\\ud800"]}', 'value[0]', 'surrogate'],
    ['a lone low surrogate', '{"value":["ok","x\\udc00y"]}', 'value[1]', 'surrogate'],
    ['a lone surrogate in a name', '{"value":{"\\ud800":1}}', 'value', 'surrogate'],
    ['an overflowing number', '{"value":{"n":1e999}}', 'value.n', '1e999'],
    ['an overflowing negative number', '[-1e999]', '[0]', '-1e999'],
    ['an overflowing integer', `{"value":${'9'.repeat(400)}}`, 'value', 'too large'],
    ['an integer that would be rounded', '{"value":{"id":1234567890123456789}}', 'value.id', 'exactly'],
    ['NaN', '{"value":NaN}', 'value', 'expected a value'],
    ['Infinity', '{"value":-Infinity}', 'value', 'expected a value'],
    ['a BigInt literal', '{"value":12n}', 'body', 'expected "," or "}"'],
    ['undefined', '{"value":undefined}', 'value', 'expected a value'],
    ['a name that is no identifier', '{"a b":{"c":[nope]}}', '["a b"].c[0]', 'expected a value'],
  ])('%s', (_what, text, field, part) => {
    const fault = faultOf(text)
    expect(fault.code).toBe('JSON_INVALID')
    expect(fault.field).toBe(field)
    expect(fault.message).toContain(part)
  })

  test('200,000 levels, at once and without overflowing the stack', () => {
    const began = performance.now()
    const fault = faultOf(`{"value":${'['.repeat(200_000)}`)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(fault.message).toContain(`deeper than ${MAX_BODY_LEVELS} levels`)
    expect(fault.field).toMatch(/^value(\[0\])+$/)
    expect(faultOf('{"a":'.repeat(200_000)).field).toMatch(/^a\.a\.a/)
  })

  test('the path of a fault stays short', () => {
    const name = 'n'.repeat(1_000)
    expect(faultOf(`{"${name}":{"${name}":nope}}`).field?.length).toBeLessThanOrEqual(257)
  })

  test('syntax errors name line and column', () => {
    expect(faultOf('{\n  "a": 1,\n  "b" 2\n}').message).toContain('line 3, column 7')
    expect(faultOf('{"a":1} x').message).toContain('line 1, column 9: found "x", expected the end of the body')
    expect(faultOf('{"a":').message).toContain('found the end of the body')
    expect(faultOf('').message).toContain('found the end of the body')
    for (const text of [
      "{'a':1}",
      '{a:1}',
      '[1,]',
      '{"a":1,}',
      '[01]',
      '[1.]',
      '["a\nb"]',
      '["\\x41"]',
      '// c\n1',
      '["a',
    ]) {
      expect(faultOf(text).message).toContain('line ')
    }
  })

  test('bytes that are no UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc3],
    ]) {
      expect(faultOf(Uint8Array.from(bytes)).message).toContain('UTF-8')
    }
  })

  test('2 MiB are read in little time, whatever they hold', () => {
    const size = 2 * 1024 * 1024
    const texts = [
      `["${'\\u0041'.repeat(size / 6)}"]`,
      `[${'1,'.repeat(size / 2)}1]`,
      `{${Array.from({ length: size / 16 }, (_, i) => `"${i}":"x"`).join(',')}}`,
      '"'.padEnd(size, '\\'),
      '1'.repeat(size),
      `[${' '.repeat(size)}`,
    ]
    for (const text of texts) {
      const began = performance.now()
      try {
        parseStrictJson(text)
      } catch (error) {
        expect(error).toBeInstanceOf(MeshError)
      }
      expect(performance.now() - began).toBeLessThan(3_000)
    }
  })
})
