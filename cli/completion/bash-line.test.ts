import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBashLine } from './bash-line.ts'

/** As bash has it unless somebody changes it. */
const BREAKS = ' \t\n"\'@><=;|&(:'

describe('a line up to the cursor', () => {
  test.each([
    ['mesh get pla', ['get'], 'pla'],
    ['mesh get ', ['get'], ''],
    ['mesh  get\t--scope user:alice  no', ['get', '--scope', 'user:alice'], 'no'],
    [`mesh put 'it is' "a \\"b\\" \\n" c\\ d`, ['put', 'it is', 'a "b" \\n'], 'c d'],
    ['mesh get "open quo', ['get'], 'open quo'],
    ["mesh get 'a\\", ['get'], 'a\\'],
    ['mesh get $(touch /tmp/x) `id` ', ['get'], ''],
    ['mesh get $HOME/', ['get'], '$HOME/'],
  ])('%j', (line, before, current) => {
    const read = readBashLine(BREAKS, line)
    if (line.includes('$(')) expect(read).toBeUndefined()
    else expect([read?.before, read?.current]).toEqual([before, current])
  })

  test.each(['mes', '', 'mesh get k > ', 'mesh get k | gre', 'mesh get a\\'])('%j is not for us', (line) => {
    expect(readBashLine(BREAKS, line)).toBeUndefined()
  })
})

describe('what is inserted', () => {
  test.each([
    ['mesh get pro', 'project/plan', 'project/plan'],
    ['mesh get a:b:c', 'a:b:cd', 'cd'],
    ['mesh get a:', 'a:b', 'b'],
    ['mesh get --scope=us', '--scope=user:', 'user:'],
    ['mesh get my', 'my key', 'my\\ key'],
    ['mesh get my\\ k', 'my key', 'my\\ key'],
    ['mesh get "my k', 'my key: "$x`', 'my key: \\"\\$x\\`'],
    ["mesh get 'my k", 'my key: "$x`\\', 'my key: "$x`\\'],
    ['mesh get ', '~/$HOME;rm -rf *', '\\~/\\$HOME\\;rm\\ -rf\\ \\*'],
    ['mesh get ü', 'üb er', 'üb\\ er'],
    // What cannot be written there is not offered.
    ["mesh get 'it", "it's", undefined],
    ['mesh get "oh', 'oh!', undefined],
    ['mesh get "a"b', 'abc', undefined],
    ['mesh get x', 'abc', undefined],
  ])('%j + %j', (line, candidate, inserted) => {
    expect(readBashLine(BREAKS, line)?.insert(candidate)).toBe(inserted)
  })

  test('bash reads every word as it was meant, and evaluates nothing', () => {
    const word = fc.string({ unit: fc.constantFrom(...'ab :/\'"$`\\!*?[]{}~#&;|<>()=%^,.-ü'), minLength: 1 })
    const quotes = fc.constantFrom('', "'", '"')
    const cases = fc.sample(fc.tuple(word, quotes), 400).flatMap(([text, quote]) => {
      const inserted = readBashLine('', `mesh get ${quote}`)?.insert(text)
      return inserted === undefined ? [] : [{ text, typed: quote + inserted + quote }]
    })
    const script = cases.map(({ typed }) => `printf '%s\\0' ${typed}`).join('\n')
    const read = execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1)
    expect(read).toEqual(cases.map(({ text }) => text))
  })
})
