import { expect, test } from 'vitest'
import { Vitals } from './vitals.ts'

test('vitals see that the event loop stood still, also right at the beginning and the end', async () => {
  const vitals = new Vitals()
  for (let round = 0; round < 2; round++) {
    await vitals.begin()
    block(60)
    const { cpu, stallLongest, stallP99, rss } = await vitals.end()
    expect(stallLongest).toBeGreaterThan(50)
    expect(stallP99).toBeLessThanOrEqual(stallLongest)
    expect(cpu).toBeGreaterThan(0)
    expect(rss).toBeGreaterThan(1e6)
  }
})

function block(ms: number): void {
  for (const began = performance.now(); performance.now() - began < ms; );
}
