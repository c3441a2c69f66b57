import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createFindings } from './findings.ts'

const edited = (i: number) => ({
  checkId: 'files.edited',
  severity: 'warning' as const,
  message: 'changed',
  path: `memory/mesh/key-${i}.md`,
})

test('of a million files of strangers few are remembered, said and listed, and the rest is not forgotten', () => {
  let lines = 0
  const findings = createFindings('/home', pino({}, { write: () => void lines++ }))
  findings.beginPass()
  for (let i = 0; i < 5_000; i++) findings.met(edited(i))
  expect(lines).toBe(1_000)
  expect(findings.list()).toHaveLength(101)
  expect(findings.list().at(-1)?.message).toBe('and at least 900 more of these')
  findings.beginPass()
  for (let i = 0; i < 150; i++) findings.met(edited(i))
  findings.endPass()
  expect(findings.list().at(-1)?.message).toBe('and 50 more of these')
})
