import { startDaemons } from '../daemon-process.ts'
import { HttpConnection, okJson } from '../http-connection.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'

/** After so many milliseconds a put counts as lost. */
const LOST_MS = 10_000

export async function openVisible({ puts }: { readonly puts: number }): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const [a, b] = await startDaemons(parts, [{ nodeId: 'ceo' }, { nodeId: 'sec' }])
  await b.client.join((await a.client.invite()).ticket)
  const { equal, peers } = await b.client.sync()
  if (!equal) throw new Error(`not equal after pairing: ${JSON.stringify(peers)}`)
  const toA = await HttpConnection.open(a.url, a.token)
  parts.defer(async () => toA.close())
  const toB = await HttpConnection.open(b.url, b.token)
  parts.defer(async () => toB.close())
  const opened = parts.move()

  return {
    close: () => opened.disposeAsync(),
    async round(index): Promise<Round> {
      const seen: Seen[] = []
      for (let i = 0; i < puts; i++) seen.push(await putAndWatch(toA, toB, `${index}/${i}`, i))
      const over = (time: (one: Seen) => number) => seen.map(time)
      const sent = over((one) => one.visible)
      const acknowledged = over((one) => one.visible - one.acknowledged)
      return {
        'sent.p50': percentile(sent, 0.5),
        'sent.p99': percentile(sent, 0.99),
        'acknowledged.p50': percentile(acknowledged, 0.5),
        'acknowledged.p99': percentile(acknowledged, 0.99),
        'put.p50': percentile(
          over((one) => one.acknowledged),
          0.5,
        ),
        'poll.p50': percentile(
          over((one) => one.visible / one.polls),
          0.5,
        ),
      }
    },
  }
}

/** Milliseconds from sending the put. */
interface Seen {
  readonly acknowledged: number
  readonly visible: number
  /** How often B was asked. */
  readonly polls: number
}

async function putAndWatch(a: HttpConnection, b: HttpConnection, key: string, n: number): Promise<Seen> {
  const began = performance.now()
  const put = async () => {
    okJson(await a.put('/mesh/memory', { scope: 'mesh', key, value: benchValue(n) }))
    return performance.now() - began
  }
  const [acknowledged, seen] = await Promise.all([put(), watch(b, key, began)])
  return { acknowledged, ...seen }
}

async function watch(b: HttpConnection, key: string, began: number): Promise<Omit<Seen, 'acknowledged'>> {
  const path = `/mesh/memory/mesh/${encodeURIComponent(key)}`
  for (let polls = 1; ; polls++) {
    const answer = await b.get(path)
    const visible = performance.now() - began
    if (answer.status === 200) return { visible, polls }
    if (answer.status !== 404) okJson(answer)
    if (visible > LOST_MS) throw new Error(`${key} is not visible ${LOST_MS} ms after it was put`)
  }
}
