import { expect, it } from 'vitest'
import { memory } from './lab-suite.ts'
import { OpenEntries } from './open-entries.ts'
import { OpenEntry } from './open-entry.ts'

const ACTOR = 'aa'.repeat(16)
const unneeded = () => false

/** An entry with a value of so many characters, as a commit leaves it. */
function entryOf(length: number): OpenEntry {
  const entry = new OpenEntry(memory('key'), ACTOR)
  const changes = entry.update((document) =>
    document.put({ kind: 'memory', value: 'x'.repeat(length) }, { nodeId: 'ceo', at: 1 }),
  )
  entry.write(changes, [])
  return entry
}

function filled(entries: OpenEntries, names: readonly string[], length = 10): void {
  for (const name of names) entries.set(name, entryOf(length))
}

const heldBy = (entries: OpenEntries, names: readonly string[]) =>
  names.filter((name) => entries.get(name) !== undefined)

it('keeps those that were used last, by number', () => {
  const entries = new OpenEntries({ entries: 3, bytes: 1e9 })
  const names = ['a', 'b', 'c', 'd', 'e']
  filled(entries, names)
  entries.set('b', entries.get('b') as OpenEntry)
  entries.trim(unneeded)
  expect(heldBy(entries, names)).toEqual(['b', 'd', 'e'])
  entries.close()
  expect(entries.size).toBe(0)
})

it('keeps those that were used last, by bytes', () => {
  const one = entryOf(100_000)
  const entries = new OpenEntries({ entries: 1_000, bytes: 3.5 * one.weight })
  one.free()
  const names = ['a', 'b', 'c', 'd', 'e']
  filled(entries, names, 100_000)
  entries.trim(unneeded)
  expect(heldBy(entries, names)).toEqual(['c', 'd', 'e'])
  filled(entries, ['small'])
  entries.trim(unneeded)
  expect(heldBy(entries, [...names, 'small'])).toEqual(['c', 'd', 'e', 'small'])
  entries.close()
})

it('weighs an entry anew when it has grown', () => {
  const entries = new OpenEntries({ entries: 1_000, bytes: entryOf(10).weight * 2.5 })
  filled(entries, ['a', 'b'])
  entries.trim(unneeded)
  expect(entries.size).toBe(2)
  const grown = entries.get('b') as OpenEntry
  grown.write([new Uint8Array(100_000)], [])
  entries.set('b', grown)
  entries.trim(unneeded)
  expect(entries.size).toBe(0)
})

it('frees nothing that is needed, and the rest when it is not any more', () => {
  const entries = new OpenEntries({ entries: 2, bytes: 1e9 })
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  filled(entries, names)
  entries.trim((name) => name !== 'd')
  expect(heldBy(entries, names)).toEqual(['a', 'b', 'c', 'e', 'f'])
  filled(entries, ['g', 'h', 'i'])
  entries.trim(unneeded)
  expect(heldBy(entries, [...names, 'g', 'h', 'i'])).toEqual(['h', 'i'])
  entries.close()
})
