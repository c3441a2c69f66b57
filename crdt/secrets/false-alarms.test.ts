import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../entry/index.ts'
import { createDice } from './corpus-suite.ts'
import { createSecretsGuard } from './index.ts'

const guard = createSecretsGuard({ key: new Uint8Array(32), allowed: new Set() })
const dice = createDice(11)
const HEX = '0123456789abcdef'
const WORD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const base64 = (length: number) => Buffer.from(Array.from({ length }, () => dice.below(256))).toString('base64')
const hex = (length: number) => dice.text(HEX, length)
const uuid = () => [8, 4, 4, 4, 12].map(hex).join('-')

describe('what is no secret passes', () => {
  test.each<[string, () => JsonValue]>([
    ['a UUID', () => ({ id: uuid(), session: uuid(), token: uuid() })],
    ['a commit', () => ({ commit: hex(40), tree: `see ${hex(40)} and ${hex(7)}` })],
    ['a digest', () => ({ sha256: hex(64), md5: hex(32), etag: `W/"${hex(32)}"` })],
    [
      'an entry of a lock file',
      () => ({ resolved: 'https://host.test/a/-/a-1.2.3.tgz', integrity: `sha512-${base64(64)}` }),
    ],
    ['an image', () => `![x](data:image/png;base64,iVBORw0KGgo${base64(3_000)})`],
    ['a public key', () => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${base64(32)} me@host`],
    ['a certificate', () => `-----BEGIN CERTIFICATE-----\n${base64(600)}\n-----END CERTIFICATE-----`],
    [
      'talk about private keys',
      () => 'It begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.',
    ],
    ['a public key of Stripe', () => `pk_live_${dice.text(WORD, 24)}`],
    ['a peer id', () => `12D3KooW${dice.text(WORD, 44)}`],
    ['the tokens that documentation shows', () => [`AKIAIOSFODNN7${'EXAMPLE'}`, `ghp_${'x'.repeat(36)}`]],
    ['what only ends like the beginning of a token', () => `see disk-${hex(32)} and anghp_${dice.text(WORD, 36)}`],
    ['what repeats itself', () => [`ghp_${'ab'.repeat(18)}`, `hf_${'abc'.repeat(12)}`]],
    [
      'a placeholder behind a prefix',
      () => `sk-proj-your-key-${dice.text(WORD, 20)} ghp_EXAMPLE${dice.text(WORD, 29)}`,
    ],
    ['a variable in a shell', () => 'export TOKEN="$(cat token1.txt)"\ncurl -H "Authorization: Bearer $TOKEN" host'],
    ['a type', () => 'interface A { password: string; token?: Token2Value; apiKey: Record<string, Key1> }'],
    ['a call', () => 'const token = await getAccessToken2(client1); const password = readPassword(stdin0)'],
    [
      'a URL without a password',
      () => 'https://user@host.test:8080/a:b@c and mailto:a:b@c.test and git@host.test:a/b.git',
    ],
    ['a URL with a word for a password', () => `postgres://user:password@host/db, redis://app:\${PASS}@h, ftp://a:a@h`],
    ['class names', () => 'sk-circle sk-spinner task-management-controller risk-assessment-of-quarterly-results-2'],
    ['minified code', () => `!function(e,t){var n=t.token=e.password,r=${hex(3)};return n+r}(a1,b2);var key="a"+c3;`],
  ])('%s', (_, make) => {
    for (let i = 0; i < 20; i++) {
      const value = make()
      expect(guard.scan({ kind: 'memory', key: 'notes/today', value })).toBeUndefined()
    }
  })

  test('random bytes in base64 and hex, in a hundred sizes', () => {
    for (let length = 10; length < 1_010; length += 10) {
      for (const text of [base64(length), hex(length), `${base64(length)}\n${base64(length)}`]) {
        expect(guard.scan({ kind: 'memory', key: 'notes/today', value: { blob: text } })).toBeUndefined()
      }
    }
  })
})

test('of the documents of the packages that this one uses, at most 0.5 % raise an alarm, as value or as skill', () => {
  const root = fileURLToPath(new URL('../../node_modules/', import.meta.url))
  const paths = globSync('{*,@*/*}/{*,dist/*}.{md,json,txt,d.ts}', { cwd: root })
  const alarms = paths.filter((path) => {
    const text = readFileSync(`${root}${path}`, 'utf8')
    if (text.length > 256 * 1024) return false
    return [asValue(path, text), { kind: 'skill' as const, key: 'a', content: text, path: null }].some(
      (entry) => guard.scan(entry) !== undefined,
    )
  })
  expect(paths.length).toBeGreaterThan(500)
  expect(alarms.length / paths.length).toBeLessThanOrEqual(0.005)
})

function asValue(path: string, text: string) {
  try {
    return { kind: 'memory' as const, key: 'a', value: path.endsWith('.json') ? (JSON.parse(text) as JsonValue) : text }
  } catch {
    return { kind: 'memory' as const, key: 'a', value: text }
  }
}
