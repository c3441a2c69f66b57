import { expect, test } from 'vitest'
import { age, bytes, count, isoTime, shortAge, shortPeer } from './words.ts'

test.each([
  [1000, 'now'],
  [2000, 'now'],
  [960, '40s'],
  [1000 - 60, '1m'],
  [1000 - 3600, '1h'],
  [1000 - 3 * 86_400, '3d'],
  [1000 - 800 * 86_400, '2y'],
])('a time of %i is %s old at 1000', (at, text) => {
  expect(shortAge(at, 1000)).toBe(text)
})

test('in sentences', () => {
  expect(age(1000, 1001)).toBe('just now')
  expect(age(1000, 1180)).toBe('3m ago')
  expect(count(1, 'entry', 'entries')).toBe('1 entry')
  expect(count(12_000, 'entry', 'entries')).toBe('12,000 entries')
  expect([bytes(512), bytes(1536), bytes(20_480), bytes(2 * 1024 * 1024)]).toEqual([
    '512 B',
    '1.5 KiB',
    '20 KiB',
    '2 MiB',
  ])
  expect(shortPeer('12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo')).toBe('12D3KooW…CVe2Xo')
  expect(isoTime(1_700_000_000)).toBe('2023-11-14T22:13:20Z')
  expect(isoTime(1e20)).toBe('100000000000000000000')
})
