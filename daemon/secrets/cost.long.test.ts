import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { type Replica, secretsRules } from '../../crdt/replica/index.ts'
import { createSecretsAudit, type SecretsAudit } from './index.ts'
import { makeHome, signerOf } from './secrets-suite.ts'

/** What it costs to look through this many small entries, in the background, at the pace that a daemon has. */
const ENTRIES = 100_000
/** Rounds with and without it, in turns, so that what else the machine does falls on both. */
const ROUNDS = 8
const ROUND_MS = 2_500
/** Of puts a second; a tenth of the time is what it may take, and the rest is for a machine that is busy. */
const LEAST_SHARE = 0.7

const note = 'the plan is to ship on friday, and then to rest for a while before we go on with all the other things; '

test('100,000 entries: some seconds of work over some ten, and hardly a put waits for it', async () => {
  const home = await makeHome()
  const put = (key: string, n: number) => home.put(key, { note: `${note}${note}`.slice(n % 100), n, tags: ['a', 'b'] })
  for (let i = 0; i < ENTRIES; i += 256) {
    await Promise.all(Array.from({ length: Math.min(256, ENTRIES - i) }, (_, j) => put(`project/${i + j}`, i + j)))
  }
  const store = await home.reopen([])

  const without: Puts[] = []
  const beside: Puts[] = []
  await puts(put)
  for (let round = 0; round < ROUNDS; round++) {
    without.push(await puts(put))
    const { audit } = start(store, 'puts')
    beside.push(await puts(put))
    await audit.stop()
  }
  tell(`puts a second alone: ${without.map(({ rate }) => Math.round(rate))}`)
  tell(`puts a second beside: ${beside.map(({ rate }) => Math.round(rate))}`)
  tell(
    `event loop p99 alone: ${without.map(({ p99 }) => Math.round(p99))} ms, beside: ${beside.map(({ p99 }) => Math.round(p99))} ms`,
  )
  expect(median(beside.map(({ rate }) => rate))).toBeGreaterThan(LEAST_SHARE * median(without.map(({ rate }) => rate)))

  const began = performance.now()
  const cpu = process.cpuUsage()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const { over } = start(store, 'idle')
  await over
  delay.disable()
  const { user, system } = process.cpuUsage(cpu)
  const ms = performance.now() - began
  const work = (user + system) / 1000
  tell(
    `looked through in ${Math.round(ms)} ms, ${Math.round(work)} ms of them work; event loop p99 ${delay.percentile(99) / 1e6} ms, max ${delay.max / 1e6} ms`,
  )
  expect(work / ms).toBeLessThan(0.3)
  expect(delay.percentile(99) / 1e6).toBeLessThan(20)
})

interface Puts {
  readonly rate: number
  readonly p99: number
}

async function puts(put: (key: string, n: number) => Promise<void>): Promise<Puts> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const began = performance.now()
  let done = 0
  const writer = async () => {
    while (performance.now() < began + ROUND_MS) await put(`written/${done++ % 5_000}`, done)
  }
  await Promise.all(Array.from({ length: 16 }, writer))
  delay.disable()
  return { rate: (1_000 * done) / (performance.now() - began), p99: delay.percentile(99) / 1e6 }
}

/** At a daemon's own pace; another `version` makes it look at everything. */
function start(store: Replica, version: string): { audit: SecretsAudit; over: Promise<void> } {
  const over = Promise.withResolvers<void>()
  const log = pino({}, { write: (line: string) => line.includes('has been looked through') && over.resolve() })
  const audit = createSecretsAudit({ store, log }, { rules: secretsRules(signerOf('ceo'), []), version })
  // Its pauses keep no process alive.
  const alive = setInterval(() => {}, 1_000)
  onTestFinished(async () => {
    clearInterval(alive)
    await audit.stop()
  })
  audit.start()
  return { audit, over: over.promise }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number

/** For whoever reads the figures. */
function tell(text: string): void {
  process.stdout.write(`      ${text}\n`)
}
