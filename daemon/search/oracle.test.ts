import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonValue, Kind, Scope } from '../../crdt/entry/index.ts'
import { LONG } from '../../test/support/long.ts'
import type { IndexChange } from './index-file.ts'
import { find, gone, indexPath, memory, openTestIndex, skill } from './index-suite.ts'

/** Few words, so that queries find something. */
const word = fc.constantFrom('plan', 'Plan', 'ship', 'café', 'CAFE', 'cafeteria', 'ab', 'abc', '12', '7', 'mesh')
const text = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join(' '))
const phrase = fc.tuple(text, fc.constantFrom('/', '-', '. ', ', "', '\n')).map(([a, b]) => a.split(' ').join(b))
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  text,
  phrase,
  fc.constantFrom<JsonValue>(12, 7, 1.5, {}, []),
  fc.array(text, { maxLength: 3 }),
  fc.dictionary(word, fc.oneof(text, fc.dictionary(word, text, { maxKeys: 2 })), {
    maxKeys: 3,
  }) as fc.Arbitrary<JsonValue>,
)
const scope = fc.constantFrom('mesh', 'tenant:a', 'tenant:b', 'user:x')
const key = fc.constantFrom('plan', 'plan/ship', 'ship-12', 'abc/plan', 'x', 'y', 'ab', 'ab2')
const change: fc.Arbitrary<IndexChange> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(key, value, scope).map(([k, v, s]) => memory(k, v, { scope: s })) },
  { weight: 2, arbitrary: fc.tuple(key, phrase, scope).map(([k, v, s]) => skill(k, v, { scope: s })) },
  { weight: 2, arbitrary: fc.tuple(key, scope).map(([k, s]) => gone('memory', k, s)) },
)
const query = fc.record({
  words: fc.array(word, { minLength: 1, maxLength: 3 }),
  without: fc.option(word, { nil: undefined }),
  beginning: fc.option(fc.constantFrom('ca', 'caf', 'ab', 'pl', '12'), { nil: undefined }),
  kind: fc.constantFrom<Kind | undefined>(undefined, 'memory', 'skill'),
  scopes: fc.option(fc.uniqueArray(scope), { nil: undefined }),
  prefix: fc.constantFrom('', 'p', 'pl', 'plan', 'plan/', 'ab', 'ship-', 'X'),
})

test('what is found is what looking at every entry finds, whatever was changed before and is filtered by', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { maxLength: 20 }), { maxLength: 5 }),
      fc.array(query, { maxLength: 15 }),
      run,
    ),
    { numRuns: LONG ? 3_000 : 60 },
  )
})

function run(
  batches: readonly IndexChange[][],
  queries: readonly (typeof query extends fc.Arbitrary<infer Q> ? Q : never)[],
) {
  const index = openTestIndex(indexPath())
  const held = new Map<string, IndexChange>()
  for (const batch of batches) {
    // Each entry at most once in a batch, as the index is promised.
    const last = new Map(batch.map((one) => [`${one.kind} ${one.scope} ${one.key}`, one]))
    index.apply([...last.values()], 1)
    for (const [name, one] of last) {
      if (one.json === undefined) held.delete(name)
      else held.set(name, one)
    }
  }
  expect(index.state().entries).toBe(held.size)
  for (const { words, without, beginning, kind, scopes, prefix } of queries) {
    const excluded = without === undefined || words.includes(without) ? undefined : without
    const asked = [...words, ...(beginning ? [`${beginning}*`] : []), ...(excluded ? [`-${excluded}`] : [])].join(' ')
    const expected = [...held.values()].filter((entry) => {
      const has = new Set(tokens(entry))
      return (
        (kind ?? entry.kind) === entry.kind &&
        (scopes === undefined || scopes.some((one) => one === entry.scope)) &&
        entry.key.startsWith(prefix) &&
        words.every((one) => has.has(plain(one))) &&
        (excluded === undefined || !has.has(plain(excluded))) &&
        (beginning === undefined || [...has].some((one) => one.startsWith(beginning)))
      )
    })
    const found = find(index, asked, { kind, scopes: scopes as Scope[] | undefined, prefix })
    expect(found.sort(), asked).toEqual(expected.map((entry) => `${entry.scope}/${entry.key}`).sort())
  }
  index.close()
}

const plain = (some: string) => some.normalize('NFD').replaceAll('\u0301', '').toLowerCase()

/** The words of an entry, read another way than the index does: off its JSON, without the names that rows have. */
function tokens({ kind, key: name, json = '' }: IndexChange): string[] {
  const row = JSON.parse(json)
  const held = JSON.stringify(kind === 'memory' ? row.value : row.content).replaceAll('\\n', ' ')
  return plain(`${name} ${held}`).split(/[^a-z0-9]+/)
}
