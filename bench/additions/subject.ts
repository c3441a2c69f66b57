import { startChild } from '../child.ts'
import { type DaemonProcess, startDaemons } from '../daemon-process.ts'
import { type HttpConnection, okJson, openConnections } from '../http-connection.ts'
import { rateInFlight } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'

export interface AdditionsScale {
  readonly connections: number
  /** New keys for each daemon, a round, and as many again where there are many watchers. */
  readonly puts: number
  readonly watchers: number
  /** Puts, one at a time, that watchers are to hear of, a round. */
  readonly lone: number
}

const WAYS = ['additions', 'watched', 'plain', 'unguarded'] as const
type Way = (typeof WAYS)[number]

export async function openAdditions({ connections, puts, watchers, lone }: AdditionsScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const [full, plain, unguarded] = await startDaemons(parts, [
    { nodeId: 'ceo', fileView: false },
    { nodeId: 'sec', fileView: false, search: false },
    { nodeId: 'lab', fileView: false, search: false, guard: false },
  ])
  const watching = startChild<typeof import('./watchers-main.ts').methods>(
    new URL('./watchers-main.ts', import.meta.url),
  )
  parts.defer(() => watching.stop())
  const opened = parts.move()

  const watched = async <T>(count: number, work: () => Promise<T>): Promise<T> => {
    await watching.call('open', full.url, full.token, count)
    try {
      return await work()
    } finally {
      await watching.call('close')
    }
  }

  const rate = async (daemon: DaemonProcess, round: string) => {
    await daemon.quiet()
    const lanes = await openConnections(connections, daemon.url, daemon.token)
    const put = async (i: number, lane: number) => {
      okJson(await (lanes[lane] as HttpConnection).put('/mesh/memory', bodyOf(`${round}/${i}`, i)))
    }
    try {
      return await rateInFlight(puts, connections, put)
    } finally {
      for (const lane of lanes) lane.close()
    }
  }

  const heard = async (round: string) => {
    const [connection] = (await openConnections(1, full.url, full.token)) as [HttpConnection]
    const times: number[] = []
    for (let i = 0; i < lone; i++) {
      const body = bodyOf(`${round}/lone/${i}`, i)
      await watching.call('expect', body.key)
      const sent = Number(process.hrtime.bigint()) / 1e6
      okJson(await connection.put('/mesh/memory', body))
      times.push(...(await watching.call('times')).map((at) => at - sent))
    }
    connection.close()
    return times
  }

  return {
    close: () => opened.disposeAsync(),
    async round(index): Promise<Round> {
      const measure: Record<Way, () => Promise<number>> = {
        additions: () => watched(1, () => rate(full, `${index}/one`)),
        watched: () => watched(watchers, () => rate(full, `${index}/many`)),
        plain: () => rate(plain, `${index}`),
        unguarded: () => rate(unguarded, `${index}`),
      }
      const rates: Round[] = []
      // In each round another goes first.
      for (const [i] of WAYS.entries()) {
        const way = WAYS[(i + index) % WAYS.length] as Way
        rates.push({ [`put.${way}`]: await measure[way]() })
      }
      await full.quiet()
      const times = await watched(watchers, () => heard(`${index}`))
      return {
        ...(Object.assign({}, ...rates) as Round),
        'heard.p50': percentile(times, 0.5),
        'heard.p99': percentile(times, 0.99),
      }
    },
  }
}

const bodyOf = (key: string, n: number) => ({ scope: 'mesh', key, value: benchValue(n) })
