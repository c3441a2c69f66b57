import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type JsonValue, parseJsonValue } from '../entry/index.ts'
import { CREDENTIAL_KINDS, createDice } from './corpus-suite.ts'
import { createSecretsGuard } from './index.ts'
import { NAME_WORDS } from './names.ts'
import { TOKEN_RULES } from './rules/index.ts'

const guard = createSecretsGuard({ key: new Uint8Array(32), allowed: new Set() })
const scanValue = (value: JsonValue) => guard.scan({ kind: 'memory', key: 'ops/notes', value })

const credential = fc
  .record({ kind: fc.constantFrom(...CREDENTIAL_KINDS), seed: fc.integer({ min: 1, max: 1e6 }) })
  .map(({ kind, seed }) => kind.make(createDice(seed)))
/** What rules look at, put together at random. */
const crumbs = fc
  .array(
    fc.constantFrom(
      ...TOKEN_RULES.flatMap(({ starts }) => (starts === 'run' ? [] : starts)),
      ...NAME_WORDS,
      ...[
        '=',
        ': ',
        '"',
        "'",
        '\\',
        '\n',
        '\\n',
        ' + ',
        '{',
        '[',
        '}',
        'é',
        '€',
        '😀',
        'a1B2c3D4e5F6',
        'eyJhIjoi',
        '\u200b',
        '@h',
        '<',
        '>',
      ],
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''))

/** Any JSON value, some of whose texts and names are such. */
const values = (texts: fc.Arbitrary<string>): fc.Arbitrary<JsonValue> =>
  fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      texts,
      fc.constantFrom(null, true, 1.5, 'plain text'),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(texts, fc.constantFrom('password', 'value', 'name', 'tokens', 'a')), tie('value'), {
        maxKeys: 4,
      }),
    ),
  })).value

test('what is said does not depend on the order of members', () => {
  const reversed = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(reversed)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([name, member]) => [name, reversed(member)]),
    )
  }
  const some = values(
    fc.oneof(
      credential.map(({ text }) => text),
      crumbs,
      fc.string(),
    ),
  )
  let found = 0
  fc.assert(
    fc.property(some, (value) => {
      fc.pre(!JSON.stringify(value).includes('__proto__'))
      const finding = scanValue(value)
      if (finding !== undefined) found++
      expect(scanValue(reversed(value))).toEqual(finding)
    }),
    { numRuns: 500 },
  )
  expect(found).toBeGreaterThan(100)
})

test('a finding holds no six characters in a row of what was found', () => {
  const places: ((text: string, name: string) => JsonValue)[] = [
    (text, name) => ({ [name]: text }),
    (text, name) => ({ a: { [`${name}=${text}`]: [1] } }),
    (text, name) => `# Title\n\n${name}: "${text}"\n`,
    (text, name) => [Buffer.from(`${name}=${text}`).toString('base64')],
    (text, name) => ({ raw: JSON.stringify({ [name]: text }) }),
  ]
  let found = 0
  fc.assert(
    fc.property(credential, fc.constantFrom(...places), ({ text, name }, put) => {
      const finding = scanValue(put(text, name ?? 'note'))
      if (finding === undefined) return
      found++
      // The words of the rule itself are the same whatever was found.
      const { rule: _, name: __, ...told } = finding
      const said = JSON.stringify(told)
      const runs = Array.from({ length: text.length - 5 }, (_, at) => text.slice(at, at + 6))
      expect(runs.filter((run) => said.includes(run))).toEqual([])
    }),
    { numRuns: 1_000, seed: 1 },
  )
  expect(found).toBeGreaterThan(900)
})

test('no value that is accepted makes it throw', () => {
  fc.assert(
    fc.property(fc.oneof(values(crumbs), fc.jsonValue() as fc.Arbitrary<JsonValue>), (value) => {
      fc.pre(isAccepted(value))
      scanValue(value)
      scanValue(JSON.stringify(value))
    }),
    { numRuns: 1_000 },
  )
})

test('no skill makes it throw', () => {
  fc.assert(
    fc.property(crumbs, fc.oneof(crumbs, fc.string()), (content, path) => {
      guard.scan({ kind: 'skill', key: 'deploy', content, path })
    }),
    { numRuns: 1_000 },
  )
})

test('a credential is found whatever plain text stands around it', () => {
  const around = fc.string({ unit: fc.constantFrom(' ', '\n', 'é', '(', ')', ',', ';', '"', '|', '\t'), maxLength: 20 })
  const bare = credential.filter(({ name, text }) => name === undefined && !text.includes('\n'))
  let missed = 0
  fc.assert(
    fc.property(around, bare, around, (before, { text }, behind) => {
      if (scanValue(`word ${before} ${text} ${behind}word`) === undefined) missed++
    }),
    { numRuns: 1_000, seed: 7 },
  )
  // Some random texts look like placeholders, or have little entropy.
  expect(missed).toBeLessThanOrEqual(10)
})

function isAccepted(value: unknown): boolean {
  try {
    parseJsonValue(value)
    return true
  } catch {
    return false
  }
}
