import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonValue, MemoryRow } from '../../crdt/entry/index.ts'
import { parseMemoryFile, renderMemory } from './memory-file.ts'

function row(value: JsonValue, more: Partial<MemoryRow> = {}): MemoryRow {
  return { scope: 'mesh', key: 'project-plan', value, node_id: 'ceo', updated_at: 1_763_710_000, ...more }
}

describe('the file of a memory', () => {
  test('has the key as heading, the text as it is, and where it comes from', () => {
    expect(renderMemory(row('Ship on Friday.\nThen rest.')).toString()).toMatch(
      /^# project-plan\n\nShip on Friday\.\nThen rest\.\n\n<!-- openclaw-mesh \{"scope":"mesh","key":"project-plan","node":"ceo","time":"2025-11-21T07:26:40Z","as":"text","sum":"[0-9a-f]{16}"\} -->\n$/,
    )
  })

  test('shows a structure as JSON, and texts with line breaks once more so that search finds their words', () => {
    const text = renderMemory(row({ note: 'first\nzebra', list: [1, true, null] })).toString()
    expect(text).toContain(
      '```json\n{\n  "note": "first\\nzebra",\n  "list": [\n    1,\n    true,\n    null\n  ]\n}\n```',
    )
    expect(text).toContain('```\n\nfirst\nzebra\n\n<!--')
  })

  test.each([
    [42, '42'],
    [false, 'false'],
    [null, 'null'],
  ])('shows %j', (value, shown) => {
    expect(renderMemory(row(value)).toString()).toContain(`\n${shown}\n`)
  })

  test('no key, name or value breaks out of heading, fence or comment', () => {
    const key = 'a\n# b --> <!--\u2028'
    const text = renderMemory(row({ code: '```\n````' }, { key, node_id: '-->' })).toString()
    expect(text.split('\n')[0]).toBe('# a # b --> <!--')
    expect(text).toContain('`````json')
    expect(text.match(/-->/g)).toHaveLength(2)
    expect(text.endsWith(' -->\n')).toBe(true)
  })

  test('deep nesting does not blow the file up', () => {
    let value: JsonValue = Array.from({ length: 100_000 }, () => 1)
    for (let level = 0; level < 60; level++) value = [value]
    expect(renderMemory(row(value)).length).toBeLessThan(300_000)
  })

  test('a time that no calendar has does not matter', () => {
    expect(renderMemory(row('x', { updated_at: 1e15 })).toString()).toContain('"time":"1000000000000000"')
  })

  test('is known again as unchanged, and not after any change', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), fc.nat(), fc.nat(255), (value, key, at, byte) => {
        const bytes = renderMemory(row(value as JsonValue, { key }))
        expect(parseMemoryFile(bytes)).toMatchObject({ scope: 'mesh', key, node: 'ceo' })
        const changed = Buffer.from(bytes)
        changed[at % bytes.length] = byte
        if (!changed.equals(bytes)) expect(parseMemoryFile(changed)).toBeUndefined()
        expect(parseMemoryFile(Buffer.concat([bytes, Buffer.from('more\n')]))).toBeUndefined()
        expect(parseMemoryFile(Buffer.concat([Buffer.from('x'), bytes]))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test.each(['', 'text', '<!-- openclaw-mesh null -->\n', '<!-- openclaw-mesh {} -->\n', '<!-- openclaw-mesh { -->\n'])(
    'a file of somebody else is not: %j',
    (text) => expect(parseMemoryFile(Buffer.from(text))).toBeUndefined(),
  )
})
