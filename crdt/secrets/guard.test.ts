import { describe, expect, test } from 'vitest'
import type { JsonValue } from '../entry/index.ts'
import { createDice } from './corpus-suite.ts'
import { createSecretsGuard, type Finding, type ScannedEntry, secretRefused } from './index.ts'

const dice = createDice(1)
const WORD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const TOKEN = `ghp_${dice.text(WORD, 36)}`
const OTHER = `ghp_${dice.text(WORD, 36)}`
const PASSWORD = dice.text(WORD, 16)

const KEY = Buffer.alloc(32, 1)
const guard = createSecretsGuard({ key: KEY, allowed: new Set() })
const ofValue = (value: JsonValue, key = 'ops/notes') => guard.scan({ kind: 'memory', key, value })
const ofSkill = (content: string | null, path: string | null = null) =>
  guard.scan({ kind: 'skill', key: 'deploy', content, path })
const placeOf = (finding: Finding | undefined) =>
  finding && [finding.rule, finding.where, finding.path, finding.inName, finding.line]

describe('a finding tells the place', () => {
  test.each<[string, ScannedEntry, readonly unknown[]]>([
    ['in a key', { kind: 'memory', key: `ci/${TOKEN}`, value: 1 }, ['key', '', false, 1]],
    ['in a skill’s name', { kind: 'skill', key: TOKEN, content: '', path: null }, ['key', '', false, 1]],
    ['in a value that is text', { kind: 'memory', key: 'k', value: `a\nb ${TOKEN}` }, ['value', '', false, 2]],
    [
      'deep in a value',
      { kind: 'memory', key: 'k', value: { 'a/b': [0, { '~': TOKEN }] } },
      ['value', '/a~1b/1/~0', false, 1],
    ],
    ['in a name', { kind: 'memory', key: 'k', value: { a: { [TOKEN]: 1 } } }, ['value', '/a', true, 1]],
    [
      'in pieces in a list',
      { kind: 'memory', key: 'k', value: { a: [TOKEN.slice(0, 9), TOKEN.slice(9)] } },
      ['value', '/a', false, 1],
    ],
    [
      'in JSON inside text',
      { kind: 'memory', key: 'k', value: { a: JSON.stringify({ b: TOKEN }) } },
      ['value', '/a', false, 1],
    ],
    ['in a skill', { kind: 'skill', key: 'k', content: `# T\n\n- ${TOKEN}\n`, path: null }, ['content', '', false, 3]],
    ['in a skill’s path', { kind: 'skill', key: 'k', content: null, path: `/srv/${TOKEN}` }, ['path', '', false, 1]],
  ])('%s', (_, entry, place) => {
    expect(placeOf(guard.scan(entry))).toEqual(['github-token', ...place])
  })

  test('of a credential that is broken over lines, the line on which it begins', () => {
    const before = '- \n      \n'.repeat(20)
    expect(ofSkill(`${before}two "${TOKEN.slice(0, 12)}" +\n  "${TOKEN.slice(12)}"`)?.line).toBe(41)
  })

  test('also where the next line could be a part of it', () => {
    const notion = `ntn_${dice.text('0123456789', 11)}${dice.text(WORD, 35)}`
    expect(placeOf(ofValue(`${notion.slice(0, 20)}\n${notion.slice(20)}\nregion`))).toEqual([
      'notion-token',
      'value',
      '',
      false,
      1,
    ])
  })

  test('with names cut short, which may be as long as values', () => {
    expect(ofValue({ ['n'.repeat(10_000)]: TOKEN })?.path).toBe(`/${'n'.repeat(64)}…`)
  })
})

describe('a name makes a value suspect', () => {
  test.each<[string, JsonValue, string | undefined]>([
    ['its own', { password: PASSWORD }, undefined],
    ['in camel case', { dbPassword: PASSWORD }, undefined],
    ['that of its members', { password: [PASSWORD] }, undefined],
    ['that of the object around it', { password: { value: PASSWORD } }, undefined],
    ['told beside it', [{ name: 'DB_PASSWORD', value: PASSWORD }], undefined],
    ['the entry’s key', PASSWORD, 'mail/password'],
    ['inside a text', `DB_PASSWORD=${PASSWORD}\n`, undefined],
    ['inside JSON inside a text', JSON.stringify([{ name: 'DB_PASSWORD', value: PASSWORD }]), undefined],
    [
      'where the value is broken over lines',
      { password: `${PASSWORD.slice(0, 5)}\n  ${PASSWORD.slice(5)}\n` },
      undefined,
    ],
    ['of an option', `login --password ${PASSWORD}`, undefined],
    ['of an element', `<password>${PASSWORD}</password>`, undefined],
    ['in a connection string', `Server=db;User Id=sa;Password=${PASSWORD};`, undefined],
  ])('%s', (_, value, key) => {
    expect(ofValue(value, key)?.rule).toBe('password-field')
  })

  test('that of a list of credentials', () => {
    expect(ofValue({ passwords: { mail: PASSWORD } })?.rule).toBe('secret-field')
  })

  test.each<[string, JsonValue]>([
    ['another name', { colour: PASSWORD }],
    ['a placeholder', { password: 'changeme123', api_key: 'yourkey-9x8y7z6w5v', token: 'sample9x8y7z6w5v' }],
    ['the word itself', { password: 'password123', pwd: 'letmein2!', secret: 'my-secret-1234' }],
    ['a variable', { password: `\${DB_PASSWORD_1}`, token: '$TOKEN_2', secret: '{{ secret1 }}' }],
    ['a reference to a store', { token: 'op://vault/item/field1', secret: 'env:MY_SECRET_1' }],
    ['a path', { private_key: '/etc/ssl/private/key1.pem', token: './token-1.txt' }],
    ['words', { token: 'access-token-v2', secret: 'my-secret-name-2', apiKey: 'myApiKeyName1' }],
    ['a description', { password: 'the one from last week, with 2 digits' }],
    ['a UUID under a name that is no key’s', { token: 'c56a4180-65aa-42ec-a945-5fd21dec0538' }],
    ['a digest', { token: `sha256:${'0123456789abcdef'.repeat(4)}` }],
    ['a number of tokens', { max_tokens: '4096', token_count: '12a', next_page_token: dice.text(WORD, 24) }],
    ['a truth', { password: true, token: null, secret: 7 }],
    ['a text of more than 512 characters', `token=${dice.text(WORD, 600)}`],
    ['an address', { password: 'somebody2@acme.io' }],
  ])('but not %s', (_, value) => {
    expect(ofValue(value)).toBeUndefined()
  })
})

describe('the list of false alarms', () => {
  const findingOf = (allowed: readonly string[], value: JsonValue, key: Uint8Array = KEY) =>
    createSecretsGuard({ key, allowed: new Set(allowed) }).scan({ kind: 'memory', key: 'k', value })
  const fingerprint = ofValue(TOKEN)?.fingerprint ?? ''

  test('lets pass what is on it, wherever it stands', () => {
    expect(fingerprint).toMatch(/^[0-9a-f]{20}$/)
    expect(findingOf([fingerprint], { a: TOKEN, [TOKEN]: [TOKEN.slice(0, 8), TOKEN.slice(8)] })).toBeUndefined()
    expect(findingOf([fingerprint], Buffer.from(`see ${TOKEN}`).toString('base64'))).toBeUndefined()
  })

  test('and goes on looking behind it', () => {
    const found = findingOf([fingerprint], `${TOKEN} and ${OTHER}`)
    expect(found?.fingerprint).not.toBe(fingerprint)
    expect(findingOf([fingerprint, found?.fingerprint ?? ''], `${TOKEN} and ${OTHER}`)).toBeUndefined()
  })

  test('holds for values under a name as well', () => {
    const found = ofValue({ password: PASSWORD })
    expect(findingOf([found?.fingerprint ?? ''], { password: PASSWORD })).toBeUndefined()
    expect(findingOf([found?.fingerprint ?? ''], { password: `${PASSWORD}1` })?.rule).toBe('password-field')
  })

  test('is of no use under another key, nor for trying passwords', () => {
    const other = findingOf([fingerprint], TOKEN, Buffer.alloc(32, 2))
    expect(other?.rule).toBe('github-token')
    expect(other?.fingerprint).not.toBe(fingerprint)
  })
})

describe('the refusal', () => {
  test('names rule, place and ways out, and nothing of the text', () => {
    const finding = ofValue({ ci: { github: [`x\n${TOKEN}`] } })
    if (finding === undefined) throw new Error('nothing was found')
    const refusal = secretRefused(finding)
    expect(refusal).toMatchObject({ code: 'SECRET_REFUSED', field: 'value/ci/github/0' })
    expect(refusal.message).toBe(
      'value/ci/github/0, line 2: looks like a secret: GitHub personal access token (classic) (rule github-token)',
    )
    expect(refusal.hint).toContain(finding.fingerprint)
    expect(refusal.hint).toContain('scope node')
  })

  test('takes the caller’s word for the place', () => {
    const finding = ofSkill(TOKEN)
    if (finding === undefined) throw new Error('nothing was found')
    expect(secretRefused(finding, 'body.content').message).toMatch(/^body\.content: looks like/)
  })
})
