import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FIELD_RULES, NAMED_RULES, TOKEN_RULES } from './rules/index.ts'

test('docs/secrets.md lists every rule by id and name in the order of the lists, and no other', () => {
  const page = readFileSync(new URL('../../docs/secrets.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, id, name]) => ({ id, name }))
  const rules = [...TOKEN_RULES, ...NAMED_RULES, ...Object.values(FIELD_RULES)]
  expect(rows).toEqual(rules.map(({ id, name }) => ({ id, name })))
})
