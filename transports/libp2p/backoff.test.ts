import { expect, it } from 'vitest'
import { Backoff } from './backoff.ts'

it('doubles from the least to the most, and begins anew after a reset', () => {
  const backoff = new Backoff(1_000, 60_000, () => 0.5)
  const times = Array.from({ length: 9 }, () => backoff.next())
  expect(times).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  for (let tries = 0; tries < 10_000; tries++) backoff.next()
  expect(backoff.next()).toBe(60_000)
  backoff.reset()
  expect([backoff.tries, backoff.next(), backoff.tries]).toEqual([0, 1_000, 1])
})

it('spreads by a quarter both ways', () => {
  expect(new Backoff(1_000, 60_000, () => 0).next()).toBe(750)
  expect(new Backoff(1_000, 60_000, () => 0.999).next()).toBeCloseTo(1_249.5)
})
