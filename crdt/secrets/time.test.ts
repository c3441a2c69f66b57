import { expect, test } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import type { JsonValue } from '../entry/index.ts'
import { CREDENTIAL_KINDS, createDice } from './corpus-suite.ts'
import { createSecretsGuard } from './index.ts'
import { NAME_WORDS } from './names.ts'
import { TOKEN_RULES } from './rules/index.ts'

const KIB = 1024
const guard = createSecretsGuard({ key: new Uint8Array(32), allowed: new Set() })
const dice = createDice(3)

/** What costs most to look at when it is repeated: runs of every alphabet, breaks, names, and credentials that break off. */
const GENERAL: readonly string[] = [
  ...[
    'a',
    'A',
    '0',
    '-',
    '_',
    '/',
    '=',
    '.',
    ':',
    '"',
    ' ',
    '\n',
    '\\n',
    '\\',
    '\u200b',
    '" + "',
    '://',
    '@',
    '{',
    '[',
    'é',
  ],
  ...[
    'aB3',
    'a-',
    'a/',
    'a \n',
    '"\n',
    '\n> ',
    '\n# ',
    'eyJ-',
    '.eyJ.eyJ',
    '-----BEGIN PRIVATE KEY-----Version: ',
    '&a=b&sig=',
  ],
  ...['token=', 'token="', 'password: ', 'TOKEN=a1b2c3\n', '--token a1 ', '://a:b', '<token>', 'notes/', 'YWFhYWFhYWE'],
]
/** The same made of each rule and each name. */
const OF_RULES: readonly string[] = [
  ...TOKEN_RULES.flatMap(({ starts }) => (starts === 'run' ? [] : starts)).flatMap((start) => [
    start,
    `${start}a1B2-`,
    `.${start}aaaa`,
    `${start}\n`,
  ]),
  ...NAME_WORDS.flatMap((word) => [`${word}=a1b2c3 `, `${word}="a1b2c3"\n`]),
  ...CREDENTIAL_KINDS.map(({ make }) => ` ${make(dice).text.slice(0, 18)}`),
]
const sample = (share: number) => (LONG ? OF_RULES : OF_RULES.filter((_, index) => index % share === 0))

const filled = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)

/** Milliseconds of the fastest of some: the others were held up by something else. */
function timeOf(work: () => unknown, times = 3): number {
  const measured = Array.from({ length: times }, () => {
    const began = performance.now()
    work()
    return performance.now() - began
  })
  return Math.min(...measured)
}

const scanSkill = (content: string) => guard.scan({ kind: 'skill', key: 'deploy', content, path: null })

test('time grows with the text, not faster, whatever it repeats', () => {
  const isSlow = (unit: string, times: number) => {
    const [short, long] = [8 * KIB, 64 * KIB].map((size) => timeOf(() => scanSkill(filled(unit, size)), times))
    // Eight times as much; three times that for what else the machine does, and a floor below which clocks mean little.
    return (long as number) > 24 * Math.max(short as number, 0.5)
  }
  expect([...GENERAL, ...sample(16)].filter((unit) => isSlow(unit, 3) && isSlow(unit, 20))).toEqual([])
}, 300_000)

test('the largest skill takes no more than some seconds, whatever it repeats', () => {
  const isSlow = (unit: string) => timeOf(() => scanSkill(filled(unit, 1024 * KIB)), 1) > 5_000
  expect([...GENERAL.slice(-12), ...sample(90)].filter(isSlow)).toEqual([])
}, 600_000)

test.each<[string, JsonValue]>([
  ['many short texts', Array.from({ length: 50_000 }, () => 'ab')],
  ['many suspect texts', Array.from({ length: 18_000 }, () => 'token=a1b2')],
  ['many suspect names', Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`api_key_${i}`, 'aaaa1111']))],
  [
    'many texts under a long name',
    { [`${'a'.repeat(64 * KIB)}_token`]: Array.from({ length: 18_000 }, () => 'aaaa1111') },
  ],
  ['JSON in JSON in JSON', JSON.stringify(JSON.stringify(JSON.stringify(['"'.repeat(16_000)])))],
  ['brackets', '['.repeat(256 * KIB - 2)],
  ['deep JSON in a text', `${'['.repeat(128 * KIB - 1)}${']'.repeat(128 * KIB - 1)}`],
  [
    'base64 in base64',
    Buffer.from(Buffer.from('plain words and more of them. '.repeat(4_000)).toString('base64')).toString('base64'),
  ],
  [
    'base64 of nothing readable',
    Buffer.from(Array.from({ length: 190_000 }, () => dice.below(256))).toString('base64'),
  ],
])('a value of 256 KiB takes no more than two seconds: %s', (_, value) => {
  expect(timeOf(() => guard.scan({ kind: 'memory', key: 'ops/notes', value }))).toBeLessThan(2_000)
})
