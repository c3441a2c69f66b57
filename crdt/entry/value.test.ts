import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { MeshError } from '../errors.ts'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow, parseJsonValue } from './index.ts'

const ID: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})
function keep(document: EntryDocument): EntryDocument {
  opened.push(document)
  return document
}

/** Two nodes that both hold `value`, or each nothing. */
function twoNodes(value?: JsonValue) {
  const [a, b] = [keep(EntryDocument.create(ID, actorOf(1))), keep(EntryDocument.create(ID, actorOf(2)))]
  if (value !== undefined) {
    put(a, value)
    b.apply(a.changesSince([]))
  }
  return { a, b }
}

function put(document: EntryDocument, value: JsonValue, nodeId = 'ceo', at = 100): void {
  document.put({ kind: 'memory', value }, { nodeId, at })
}

function meet(a: EntryDocument, b: EntryDocument): void {
  a.apply(b.changesSince(a.heads))
  b.apply(a.changesSince(b.heads))
  expect(a.view()).toEqual(b.view())
}

const shownBy = (document: EntryDocument) => (document.view().row as MemoryRow | undefined)?.value
const placesOf = (document: EntryDocument) =>
  document.conflicts().map(({ path, values }) => [path, values.map(({ value }) => value)])

/** What both nodes show after concurrent puts over `base` (nothing where that is undefined), and where they disagree. */
function together(base: JsonValue | undefined, first: JsonValue, second: JsonValue) {
  const { a, b } = twoNodes(base)
  put(a, first, 'ceo')
  put(b, second, 'sec')
  meet(a, b)
  expect(a.view().conflicts).toBe(a.conflicts().length)
  return { value: shownBy(a), conflicts: placesOf(a), a, b }
}

describe('any JSON value', () => {
  const names = fc.oneof(
    fc.constantFrom(
      '',
      '/',
      '~',
      '~0',
      '~1',
      'a/b',
      '//',
      '0',
      '1',
      '01',
      '-1',
      'constructor',
      'toString',
      'hasOwnProperty',
      'live',
      'length',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text !== '__proto__'),
  )
  const numbers = fc.oneof(
    fc.constantFrom(
      0,
      -0,
      1e20,
      -1e20,
      1e308,
      5e-324,
      2 ** 53,
      -(2 ** 53),
      2 ** 53 - 1,
      1 - 2 ** 53,
      2 ** 63,
      2 ** 64,
      2 ** 31,
      0.1,
    ),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
  )
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      numbers,
      fc.string({ unit: 'binary' }),
      fc.constantFrom(null, true, false, {}, []),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(names, tie('json'), { maxKeys: 4 }),
    ),
  }))
  /** As JSON has it: −0 is 0, and the prototype of an object says nothing. */
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as JsonValue

  it('comes back as it went in, also after a journey', () => {
    fc.assert(
      fc.property(json, (value) => {
        const { a } = twoNodes()
        put(a, value as JsonValue)
        expect(shownBy(a)).toEqual(plain(value))
        const b = keep(EntryDocument.load(ID, a.save(), actorOf(5)))
        expect(shownBy(b)).toEqual(plain(value))
        for (const document of opened.splice(0)) document.free()
      }),
      { numRuns: 300 },
    )
  })

  it('comes back when it replaces any other', () => {
    fc.assert(
      fc.property(json, json, (before, value) => {
        const { a } = twoNodes(before as JsonValue)
        put(a, value as JsonValue)
        expect(shownBy(a)).toEqual(plain(value))
        expect(a.conflicts()).toEqual([])
        for (const document of opened.splice(0)) document.free()
      }),
      { numRuns: 200 },
    )
  })

  it.each([1e20, 1e308, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 63, -0, 5e-324, 1.5])(
    '%d is a number again, everywhere',
    (number) => {
      const value = { top: number, in: { array: [number, [number, { deep: number }]] } }
      const { a } = twoNodes(value)
      const back = JSON.stringify(shownBy(keep(EntryDocument.load(ID, a.save(), actorOf(5)))))
      expect(JSON.parse(back)).toEqual(JSON.parse(JSON.stringify(value)))
      expect(back.match(/-0\b/)).toBeNull()
    },
  )

  it('shows its members in one order on every node', () => {
    const { a, b } = together(undefined, { b: 1, a: { z: 1, y: 2 } }, { c: 3, a: { x: 0 } })
    expect(JSON.stringify(shownBy(a))).toBe(JSON.stringify(shownBy(b)))
  })
})

describe('the cost of a put', () => {
  /** Processor time in milliseconds: on a busy machine the clock on the wall says little. */
  function cpu(act: () => void): number {
    const before = process.cpuUsage()
    act()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  }

  it('is bounded for many small members', () => {
    const value = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`member ${i}`, i]))
    const { a } = twoNodes()
    expect(cpu(() => put(a, value))).toBeLessThan(3_000)
    expect(cpu(() => put(a, { ...value, 'member 7': 'x' }))).toBeLessThan(2_000)
  })

  it('is bounded for a long name above many members, whose leaf paths all hold it', () => {
    // 44 KB of JSON, a sixth of what is allowed; 40 MB of paths.
    const value = { ['n'.repeat(20_000)]: Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`m${i}`, i])) }
    let refused: unknown
    try {
      parseJsonValue(value)
    } catch (error) {
      refused = (error as MeshError).code
    }
    if (refused !== undefined) {
      expect(refused).toBe('VALUE_TOO_LARGE')
      return
    }
    const { a } = twoNodes()
    expect(cpu(() => put(a, value))).toBeLessThan(250)
    expect(shownBy(a)).toEqual(value)
  })
})
