import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Exporter } from './exporter.ts'
import type { FileFindings } from './findings.ts'
import { createRounds, type Rounds } from './rounds.ts'
import { DEFAULT_TIMING } from './view.ts'

const { followMs, maxFollowMs } = DEFAULT_TIMING

/** Milliseconds that following takes. */
let cost: number
/** How many are followed in a step. */
let most: number
/** Called while commits are followed. */
let during: (() => void) | undefined
let newest: number
let position: number
let rounds: Rounds

beforeEach(async () => {
  vi.useFakeTimers()
  newest = 0
  position = 0
  cost = 50
  most = Number.POSITIVE_INFINITY
  during = undefined
  rounds = createRounds({ exporter, memoryJson: undefined, findings, checks }, { ...DEFAULT_TIMING })
  while (await rounds.step(false)) {
    // The first look and pass, which find nothing.
  }
})
afterEach(() => {
  vi.useRealTimers()
})

describe('commits are followed', () => {
  it('together, a moment after the first of them', async () => {
    commit()
    await run(followMs - 1)
    commit()
    expect(position).toBe(0)
    await run(1)
    expect(position).toBe(2)
    expect(rounds.gathering).toBe(false)
  })

  it('one part after the other where they are more than one', async () => {
    most = 2
    for (let i = 0; i < 6; i++) commit()
    await run(followMs + 3)
    expect(position).toBe(6)
  })

  it('at once where somebody waits for their files', async () => {
    commit()
    await rounds.step(true)
    expect(position).toBe(1)
  })

  it('in a tenth of the time while more keep coming', async () => {
    const { follows, total } = await commitEachMs(20_000)
    expect((follows * cost) / total).toBeGreaterThan(0.05)
    expect((follows * cost) / total).toBeLessThanOrEqual(0.1)
  })

  it('after at most the longest pause, however long it takes', async () => {
    cost = maxFollowMs
    const { follows, longest } = await commitEachMs(5 * maxFollowMs)
    expect(follows).toBe(5)
    expect(longest).toBeGreaterThan(maxFollowMs / 2)
    expect(longest).toBeLessThanOrEqual(maxFollowMs)
  })

  it('without a pause any more once no more come', async () => {
    commit()
    await run(followMs)
    commit()
    during = commit
    await run(followMs)
    during = undefined
    expect(newest - position).toBe(1)
    await run(followMs + 1)
    expect(newest - position).toBe(0)
  })
})

const exporter = {
  get newest() {
    return newest
  },
  get position() {
    return position
  },
  walking: false,
  walked: 0,
  async follow() {
    const to = Math.min(newest, position + most)
    during?.()
    vi.advanceTimersByTime(cost)
    position = to
    return { memory: false }
  },
  async *walk() {},
  async *retry() {},
  async *look() {},
} satisfies Exporter

const findings = { beginPass() {}, endPass() {}, blocked: false } as unknown as FileFindings
const checks = {
  wait: async () => {},
  hurried: false,
  lookBegins() {},
  lookEnds() {},
  passBegins: () => [],
  end() {},
}

function commit(): void {
  newest++
}

/** Steps as the file view does, for so many milliseconds. */
async function run(ms: number): Promise<void> {
  for (let i = 0; i < ms; i++) {
    await rounds.step(false)
    vi.advanceTimersByTime(1)
  }
  await rounds.step(false)
}

/** Commits for so many milliseconds, beside the time that following takes. */
async function commitEachMs(ms: number) {
  const start = performance.now()
  let follows = 0
  let longest = 0
  for (let at = 0, since = 0; at < ms; at++, since++) {
    commit()
    const before = position
    await run(1)
    if (position === before) continue
    follows++
    longest = Math.max(longest, since)
    since = 0
  }
  return { follows, longest, total: performance.now() - start }
}
