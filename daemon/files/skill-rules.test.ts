import { expect, test } from 'vitest'
import { skillFault } from './skill-rules.ts'

const good = '---\nname: notes\ndescription: Takes notes\n---\n# Notes\n'

test.each([
  ['plain', good],
  ['quoted', '---\nname: "notes"\ndescription: \'Takes: notes\'\n---\n'],
  ['CRLF and BOM', `\ufeff${good.replaceAll('\n', '\r\n')}`],
  ['folded', '---\ndescription: >-\n  Takes\n  notes\nname: notes\nmetadata: {a: 1}\n---\n'],
  ['on the next line', '---\nname:\n  notes\ndescription:\n  Takes notes\n---\n'],
])('OpenClaw takes a skill: %s', (_, content) => expect(skillFault('notes', content)).toBeUndefined())

test.each([
  ['# Notes\n', /skips it: .*frontmatter/],
  [`\n${good}`, /skips it: .*frontmatter/],
  ['---\nname: notes\n', /skips it: .*frontmatter/],
  ['---\nname: notes\n---\n', /no description/],
  ['---\nname: notes\ndescription:\n---\n', /no description/],
  ['---\nname: notes\ndescription: ""\n---\n', /no description/],
  ['---\nname: notes\nmetadata:\n  description: x\n---\n', /no description/],
  ['---\nname: other\ndescription: x\n---\n', /another name/],
  ['---\ndescription: x\n---\n', /asks for a name/],
  [good + 'x'.repeat(256_000), /larger than 256000/],
])('OpenClaw minds %j', (content, fault) => expect(skillFault('notes', content)).toMatch(fault))

test('a name beyond the rules is said', () => {
  expect(skillFault('My Notes', good.replace('name: notes', 'name: My Notes'))).toMatch(/at most 64/)
})

test('what a peer sends does not make it slow', () => {
  const spaces = ' '.repeat(500_000)
  const start = performance.now()
  skillFault('notes', `---\nname:${spaces}\rx\ndescription:\n${spaces}\n---${spaces}x\n---\n`)
  expect(performance.now() - start).toBeLessThan(2_000)
})
