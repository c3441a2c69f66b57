import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson, EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow } from './index.ts'

/**
 * What a memory entry should be, written down a second time without Automerge: a register of several values at each
 * path, told apart by dots (a counter and who counted), and a set of the dots ever seen. A write takes the place of the
 * dots that its author had seen; everything else stays.
 */
interface Dot {
  readonly counter: number
  readonly actor: string
  readonly value: JsonValue
  readonly nodeId: string
  readonly at: number
}

const LIVE = 'live'
const name = ({ counter, actor }: Dot) => `${counter}@${actor}`
/** The dot that is shown comes first: Lamport order. */
const byRank = (a: Dot, b: Dot) => b.counter - a.counter || (a.actor < b.actor ? 1 : -1)
const same = (a: JsonValue, b: JsonValue) => canonicalJson(a) === canonicalJson(b)
const isTree = (value: JsonValue) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0

class Model {
  registers = new Map<string, Dot[]>()
  seen = new Set<string>()
  counter = 0
  updatedAt = 0
  readonly actor: string
  readonly nodeId: string

  constructor(actor: string, nodeId: string) {
    this.actor = actor
    this.nodeId = nodeId
  }

  put(value: JsonValue, at: number): void {
    this.updatedAt = Math.max(at, this.updatedAt)
    const wanted = new Map<string, JsonValue>()
    const flatten = (one: JsonValue, path: string): void => {
      if (!isTree(one)) wanted.set(path, one)
      else for (const [key, member] of Object.entries(one as object)) flatten(member, `${path}/${key}`)
    }
    flatten(value, '')
    const before = new Set(this.paths())
    const untouched = [...wanted.keys()].filter((path) => before.has(path))
    for (const path of before) {
      // A leaf that is hidden by what stays was not seen by whoever writes: it is left as it is.
      const hidden = untouched.some((other) => other.startsWith(`${path}/`))
      if (!wanted.has(path) && !hidden) this.write(path)
    }
    for (const [path, leaf] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const shown = this.registers.get(path)?.[0]
      if (shown === undefined || !same(shown.value, leaf)) this.write(path, leaf)
    }
    this.write(LIVE, true)
  }

  remove(at: number): void {
    if (!this.registers.has(LIVE)) return
    this.updatedAt = Math.max(at, this.updatedAt)
    this.write(LIVE)
  }

  merge(other: Model): void {
    const merged = new Map<string, Dot[]>()
    for (const path of new Set([...this.registers.keys(), ...other.registers.keys()])) {
      const mine = this.registers.get(path) ?? []
      const theirs = other.registers.get(path) ?? []
      const known = new Set(mine.map(name))
      const kept = [
        ...mine.filter((dot) => theirs.some((their) => name(their) === name(dot)) || !other.seen.has(name(dot))),
        ...theirs.filter((dot) => !known.has(name(dot)) && !this.seen.has(name(dot))),
      ]
      if (kept.length > 0) merged.set(path, kept.sort(byRank))
    }
    this.registers = merged
    this.seen = this.seen.union(other.seen)
    this.counter = Math.max(this.counter, other.counter)
    this.updatedAt = Math.max(this.updatedAt, other.updatedAt)
  }

  paths(): string[] {
    return [...this.registers.keys()].filter((path) => path !== LIVE)
  }

  /** The value at and below a path; undefined where there is nothing. */
  valueAt(path: string): JsonValue | undefined {
    const below = this.paths().filter((other) => other.startsWith(`${path}/`))
    if (below.length === 0) return this.registers.get(path)?.[0]?.value
    const names = new Set(below.map((other) => other.slice(path.length + 1).split('/')[0] as string))
    return Object.fromEntries([...names].map((key) => [key, this.valueAt(`${path}/${key}`) as JsonValue]))
  }

  conflicts() {
    if (!this.registers.has(LIVE)) return []
    return this.paths().flatMap((path) => {
      const dots = this.registers.get(path) as Dot[]
      const hidden = this.paths().some((other) => other.startsWith(`${path}/`))
      const disagree = hidden
        ? dots.some(({ value }) => !same(value, {}))
        : dots.some(({ value }) => !same(value, (dots[0] as Dot).value))
      if (!disagree) return []
      return [{ path, hidden, said: dots.map(({ value, nodeId, at }) => ({ value, nodeId, updatedAt: at })) }]
    })
  }

  private write(path: string, value?: JsonValue): void {
    this.counter++
    if (value === undefined) {
      this.registers.delete(path)
      return
    }
    const dot = { counter: this.counter, actor: this.actor, value, nodeId: this.nodeId, at: this.updatedAt }
    this.registers.set(path, [dot])
    this.seen.add(name(dot))
  }
}

const ID: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const NAMES = ['ceo', 'sec', 'lab'] as const

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, false, 1, 'x', [1], {}),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
  ),
}))
const node = fc.nat({ max: 2 })
const at = fc.nat({ max: 50 })
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ act: fc.constant('put' as const), node, value, at }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), node, at }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('merge' as const), node, from: node }) },
  ),
  { maxLength: 24, size: 'max' },
)

describe('a memory entry', () => {
  it('is at every step of any history what a model without Automerge says', () => {
    let conflictsMet = 0
    fc.assert(
      fc.property(steps, (history) => {
        const pairs = NAMES.map((nodeId, n) => {
          const actor = (n + 1).toString(16).padStart(32, '0')
          return { document: EntryDocument.create(ID, actor), model: new Model(actor, nodeId), nodeId }
        })
        type Pair = (typeof pairs)[number]
        try {
          for (const step of history) {
            const { document, model, nodeId } = pairs[step.node] as Pair
            if (step.act === 'put') {
              document.put({ kind: 'memory', value: step.value as JsonValue }, { nodeId, at: step.at })
              model.put(step.value as JsonValue, step.at)
            } else if (step.act === 'remove') {
              document.remove({ nodeId, at: step.at })
              model.remove(step.at)
            } else {
              const from = pairs[step.from] as Pair
              document.apply(from.document.changesSince(document.heads))
              model.merge(from.model)
            }
            conflictsMet += expectAlike(document, model)
          }
        } finally {
          for (const { document } of pairs) document.free()
        }
      }),
      { numRuns: 250 },
    )
    // Otherwise the histories were too tame to show anything.
    expect(conflictsMet).toBeGreaterThan(100)
  })
})

function expectAlike(document: EntryDocument, model: Model): number {
  const { row, updatedAt } = document.view()
  expect(updatedAt).toBe(model.updatedAt)
  expect(row !== undefined).toBe(model.registers.has(LIVE))
  if (row !== undefined && model.paths().length > 0) expect((row as MemoryRow).value).toEqual(model.valueAt(''))
  const found = document.conflicts().map(({ path, values }) => ({ path, values }))
  const expected = model.conflicts()
  expect(found.map(({ path }) => path).sort()).toEqual(expected.map(({ path }) => path).sort())
  for (const { path, hidden, said } of expected) {
    const values = found.find((one) => one.path === path)?.values ?? []
    // What the row shows comes first; where deeper paths show, that is none of the values said there.
    expect(values[0]?.value).toEqual(model.valueAt(path))
    expect(hidden ? values.slice(1) : values).toEqual(said)
  }
  return expected.length
}
