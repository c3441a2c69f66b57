import { expect, test } from 'vitest'
import { describeSeconds, readLifetime, readTtl } from './duration.ts'

test.each([
  ['15m', 900],
  ['2h', 7200],
  ['7d', 604_800],
  ['90s', 90],
  ['60', 60],
])('%s is %i seconds', (typed, seconds) => {
  expect(readTtl(typed)).toBe(seconds)
})

test.each(['', '15', '59s', '8d', '-5m', '1.5h', '15 m', '1w', '9999999999d'])('%j is refused', (typed) => {
  expect(() => readTtl(typed)).toThrow(/^--ttl: /)
})

test.each([
  ['1s', 1],
  ['400d', 34_560_000],
  ['36500d', 3_153_600_000],
])('an entry may live for %s', (typed, seconds) => {
  expect(readLifetime(typed)).toBe(seconds)
})

test.each(['0', '0d', '36501d', '', '1w', '-1h'])('an entry does not live for %j', (typed) => {
  expect(() => readLifetime(typed)).toThrow(/^--ttl: /)
})

test.each([
  [900, '15 minutes'],
  [3600, '1 hour'],
  [90, '90 seconds'],
  [604_800, '7 days'],
])('%i seconds read %s', (seconds, text) => {
  expect(describeSeconds(seconds)).toBe(text)
})
