import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RateLimits } from './rate-limits.ts'

test('a minute’s worth may come at once, then one as often as the rate says', () => {
  const clock = { now: 0 }
  const limits = new RateLimits(() => clock.now)
  for (let n = 0; n < 60; n++) expect(limits.take('a', 60)).toBe(0)
  expect(limits.take('a', 60)).toBe(1)
  expect(limits.take('b', 60)).toBe(0)
  clock.now = 999
  expect(limits.take('a', 60)).toBe(1)
  clock.now = 1_000
  expect([limits.take('a', 60), limits.take('a', 60)]).toEqual([0, 1])
  clock.now = 1_000_000
  for (let n = 0; n < 60; n++) expect(limits.take('a', 60)).toBe(0)
  expect(limits.take('a', 1)).toBeGreaterThan(0)
})

test('however requests come, no minute has more than two minutes’ worth, and whoever waits as told is let in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 300 }),
      (rate, gaps) => {
        const clock = { now: 0 }
        const limits = new RateLimits(() => clock.now)
        const allowed: number[] = []
        for (const gap of gaps) {
          clock.now += gap
          if (limits.take('a', rate) === 0) allowed.push(clock.now)
        }
        for (const start of allowed) {
          expect(allowed.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(2 * rate)
        }
        for (let n = 0; n < 3 * rate; n++) {
          const wait = limits.take('a', rate)
          if (wait === 0) continue
          clock.now += wait * 1_000
          expect(limits.take('a', rate)).toBe(0)
        }
      },
    ),
  )
})
