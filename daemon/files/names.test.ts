import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFileName, decodeName, encodeFileName, encodeName, MAX_FILE_NAME_BYTES } from './names.ts'

/** Texts that are likely to collide: few letters, both cases, composed and decomposed, dots, escapes. */
const close = fc
  .array(
    fc.constantFrom('a', 'A', 'é', 'e\u0301', 'É', 'ß', 'ẞ', 'K', 'k', '.', '-', '+', '%', '2', 'e', '/', 'md', 'con'),
  )
  .map((parts) => parts.join(''))
const anyText = fc.oneof(
  close,
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)

const folds: readonly ((name: string) => string)[] = [
  (name) => name.toLowerCase().normalize('NFC'),
  (name) => name.toLowerCase().normalize('NFD'),
  (name) => name.toUpperCase().normalize('NFKC'),
]

describe('names of files', () => {
  test('ordinary keys stay readable', () => {
    expect(encodeFileName('project-plan')).toBe('project-plan.md')
    expect(encodeFileName('deadline_2026.v1')).toBe('deadline_2026.v1.md')
    expect(encodeFileName('prefs/userName')).toBe('prefs%2fuser+name.md')
    expect(encodeName('user:alice')).toBe('user%3aalice')
  })

  test('every name short enough comes back, every other has a hash', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const name = encodeFileName(text)
        if (name.includes('%-')) expect(decodeFileName(name)).toBeUndefined()
        else expect(decodeFileName(name)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  test('distinct texts are distinct on disks that fold case and normalise Unicode (S-19)', () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        fc.pre(one !== other)
        for (const fold of folds) expect(fold(encodeFileName(one))).not.toBe(fold(encodeFileName(other)))
      }),
      { numRuns: 5000 },
    )
  })

  test('every name is one that any file system takes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const name = encodeName(text)
        expect(name).toMatch(/^[a-z0-9_%+][a-z0-9_.%+-]*$/)
        expect(name).not.toMatch(/\.$|\.md$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/)
        expect(`${name}.md`.length).toBeLessThanOrEqual(MAX_FILE_NAME_BYTES)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    '..',
    '.',
    '',
    'nul',
    'con.txt',
    'COM1',
    '-rf',
    'x.',
    'x.md',
    '.hidden',
    ' ',
    'a\0b',
    '\ufeffx',
    '../x',
    '/x',
  ])('%j is safe and comes back', (text) => {
    const name = encodeName(text)
    expect(name).toMatch(/^[a-z0-9_%+][a-z0-9_.%+-]*$/)
    expect(decodeName(name)).toBe(text)
  })

  test('a name too long begins readably and differs by its hash', () => {
    const long = 'x'.repeat(1000)
    expect(encodeName(long)).toMatch(/^x{64}%-[0-9a-f]{64}$/)
    expect(encodeName(long)).not.toBe(encodeName(`${long}x`))
    expect(encodeName('é'.repeat(500))).toMatch(/^(%[0-9a-f]{2}){21}%-[0-9a-f]{64}$/)
  })

  test.each([
    'Project.md',
    'a%2F.md',
    'a%61.md',
    'note.txt',
    'ümlaut.md',
    '%c3.md',
    '%ff.md',
    '+1.md',
    '.md',
    'a b.md',
  ])('the foreign name %j means nothing', (name) => expect(decodeFileName(name)).toBeUndefined())
})
