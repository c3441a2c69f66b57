import { type DaemonProcess, startDaemon } from '../daemon-process.ts'
import { openHomes } from '../homes/index.ts'
import { HttpConnection, okJson } from '../http-connection.ts'
import { timesOf } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'

export interface StartScale {
  /** How many of each, a round and daemon. */
  readonly puts: number
  readonly gets: number
}

/** Turns in which puts and gets go round the daemons. */
const TURNS = 5

export async function openStart(sizes: readonly number[], scale: StartScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const homes: { entries: number; home: string }[] = []
  for (const entries of sizes) {
    const { ceo: home } = await openHomes(parts, entries)
    homes.push({ entries, home })
    // The first start writes the files; those that follow find them.
    const daemon = await startDaemon({ nodeId: 'ceo', home })
    await daemon.quiet()
    await daemon.stop()
  }
  const kept = parts.move()
  return {
    close: () => kept.disposeAsync(),
    async round(index) {
      await using running = new AsyncDisposableStack()
      const daemons: Running[] = []
      for (const { entries, home } of homes) daemons.push(await startOne(running, entries, home))
      await inTurns(daemons, scale, index)
      const measured: Record<string, number> = {}
      for (const one of daemons) Object.assign(measured, await summed(one))
      return measured
    },
  }
}

interface Running {
  readonly entries: number
  readonly daemon: DaemonProcess
  readonly connection: HttpConnection
  readonly rss: number
  readonly putTimes: number[]
  readonly getTimes: number[]
}

async function startOne(parts: AsyncDisposableStack, entries: number, home: string): Promise<Running> {
  const daemon = await startDaemon({ nodeId: 'ceo', home })
  parts.defer(() => daemon.stop())
  const rss = await memoryOf(daemon)
  const connection = await HttpConnection.open(daemon.url, daemon.token)
  parts.defer(async () => connection.close())
  // Not while another one starts.
  await daemon.quiet()
  return { entries, daemon, connection, rss, putTimes: [], getTimes: [] }
}

async function inTurns(daemons: readonly Running[], { puts, gets }: StartScale, round: number): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { entries, connection, putTimes, getTimes } of daemons) {
      const put = async (i: number) => {
        const body = { scope: 'mesh', key: `start/${round}/${turn}/${i}`, value: benchValue(i) }
        okJson(await connection.put('/mesh/memory', body))
      }
      // Far apart, so that what is near in the database does not stand for all of it.
      const get = async (i: number) => {
        const n = (turn * gets + i * 7_919) % entries
        okJson(await connection.get(`/mesh/memory/mesh/entry%2F${n}`))
      }
      putTimes.push(...(await timesOf(puts / TURNS, put)))
      getTimes.push(...(await timesOf(gets / TURNS, get)))
    }
  }
}

async function summed({ entries, daemon, rss, putTimes, getTimes }: Running): Promise<Round> {
  const id = (what: string) => `n${entries}.${what}`
  return {
    [id('ready')]: daemon.readyMs,
    [id('rss')]: rss,
    [id('rss.used')]: await memoryOf(daemon),
    [id('put.p50')]: percentile(putTimes, 0.5),
    [id('put.p99')]: percentile(putTimes, 0.99),
    [id('get.p50')]: percentile(getTimes, 0.5),
    [id('get.p99')]: percentile(getTimes, 0.99),
  }
}

const memoryOf = async (daemon: DaemonProcess) => (await daemon.during(async () => {})).rss / 1e6
