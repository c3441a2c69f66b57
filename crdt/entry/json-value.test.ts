import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import { canonicalJson, type JsonValue, MAX_VALUE_LEVELS, parseJsonValue } from './index.ts'

function faultOf(value: unknown, field?: string): Pick<MeshError, 'code' | 'field' | 'message'> {
  try {
    parseJsonValue(value, field)
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** Arrays or objects in each other, `levels` of them. */
function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = wrap(value)
  return value
}

describe('parseJsonValue', () => {
  it('takes every JSON value as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        fc.pre(JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('__proto__'))
        expect(parseJsonValue(value)).toBe(value)
      }),
    )
    const bare = Object.assign(Object.create(null), { constructor: 1, toString: null })
    expect(parseJsonValue(bare)).toBe(bare)
  })

  it.each<[unknown, string]>([
    [undefined, 'value'],
    [Number.NaN, 'value'],
    [Number.POSITIVE_INFINITY, 'value'],
    [{ a: [1, Number.NEGATIVE_INFINITY] }, 'value.a[1]'],
    [{ prefs: { list: [0, 1n] } }, 'value.prefs.list[1]'],
    [{ f: () => 1 }, 'value.f'],
    [{ toJSON: () => 1 }, 'value.toJSON'],
    [{ s: Symbol('s') }, 'value.s'],
    [{ u: undefined }, 'value.u'],
    // A hole, which JSON would make null.
    [new Array(2), 'value[0]'],
    [[1, undefined], 'value[1]'],
    [new Date(0), 'value'],
    [new Map(), 'value'],
    [{ bytes: Uint8Array.of(1) }, 'value.bytes'],
    [new (class Point {})(), 'value'],
    [new Number(5), 'value'],
    ['\ud800', 'value'],
    [{ a: 'x\udc00' }, 'value.a'],
    [{ 'a b': [true, '\ud800'] }, 'value["a b"][1]'],
    [{ '\ud800': 1 }, 'value["\\ud800"]'],
    [JSON.parse('{"__proto__":1}'), 'value.__proto__'],
    [JSON.parse('[{"a":{"__proto__":{"x":1}}}]'), 'value[0].a.__proto__'],
  ])('refuses %o and names the place (S-21, S-22)', (value, field) => {
    const fault = faultOf(value)
    expect(fault.code).toBe('VALUE_INVALID')
    expect(fault.field).toBe(field)
    expect(fault.message.startsWith(`${fault.field}: `)).toBe(true)
  })

  it('names the place by the caller’s word for it', () => {
    expect(faultOf({ a: Number.NaN }, 'body.value').field).toBe('body.value.a')
  })

  it('takes 64 levels and no more, and does not follow 200,000 (S-22)', () => {
    for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
      expect(parseJsonValue(nested(MAX_VALUE_LEVELS, wrap))).toBeDefined()
      expect(faultOf(nested(MAX_VALUE_LEVELS + 1, wrap)).message).toContain('64 levels')
      expect(faultOf(nested(200_000, wrap)).code).toBe('VALUE_INVALID')
    }
    const ring: unknown[] = []
    ring.push(ring)
    expect(faultOf(ring).code).toBe('VALUE_INVALID')
  })

  it('takes 256 KiB of JSON text and no more, counted in bytes of UTF-8 (S-23)', () => {
    const most = 256 * 1024
    expect(parseJsonValue('x'.repeat(most - 2))).toHaveLength(most - 2)
    for (const value of [
      'x'.repeat(most - 1),
      'é'.repeat(most / 2),
      { [`${'k'.repeat(most)}`]: 1 },
      '\n'.repeat(most / 2),
    ]) {
      const fault = faultOf(value, 'body.value')
      expect([fault.code, fault.field]).toEqual(['VALUE_TOO_LARGE', 'body.value'])
    }
  })
})

describe('canonicalJson', () => {
  it('is JSON of the same value, one text for equal values whatever the order of members', () => {
    const shuffled = (value: JsonValue): JsonValue => {
      if (Array.isArray(value)) return value.map(shuffled)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([name, member]) => [name, shuffled(member)]),
      )
    }
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        const text = canonicalJson(value as JsonValue)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(shuffled(value as JsonValue))).toBe(text)
      }),
    )
  })

  it('is the form of RFC 8785', () => {
    // Members and numbers after the examples of its sections 3.2.2 and 3.2.3.
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0],
      string: '€$\u000f\nA\'B"\\\\"/',
      literals: [null, true, false],
    }
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
    const names = {
      '€': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew',
      '1': 'One',
      '😀': 'Emoji',
      '\u0080': 'Control',
      ö: 'o',
    }
    expect(Object.values(JSON.parse(canonicalJson(names)))).toHaveLength(7)
    expect([...canonicalJson(names).matchAll(/:"([^"]*)"/g)].map(([, said]) => said)).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'o',
      'Euro Sign',
      'Emoji',
      'Hebrew',
    ])
  })
})
