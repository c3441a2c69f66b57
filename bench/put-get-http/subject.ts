import { startDaemons } from '../daemon-process.ts'
import { type HttpAnswer, type HttpConnection, okJson, openConnections } from '../http-connection.ts'
import { inFlight, load } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'
import { startBareFastify, startPlainSqlite } from './others.ts'

export interface PutGetHttpScale {
  readonly connections: number
  /** Keys that gets go round. */
  readonly keys: number
  /** How many of each, a round. */
  readonly puts: number
  readonly hot: number
  readonly gets: number
}

export async function openPutGetHttp(scale: PutGetHttpScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const [usual, plain] = await startDaemons(parts, [{ nodeId: 'ceo' }, { nodeId: 'sec', fileView: false }])
  await inFlight(scale.keys, scale.connections, (i) => usual.client.putMemory(bodyOf(`get/${i}`, i)))
  const fastify = await startBareFastify(await usual.client.getMemory('mesh', 'get/0'))
  parts.defer(() => fastify.stop())
  const sqlite = await startPlainSqlite()
  parts.defer(() => sqlite.stop())

  const to = async (server: { readonly url: string; readonly token?: string }, count: number, call: Call) => {
    const connections = await openConnections(scale.connections, server.url, server.token)
    try {
      const ask = async (i: number, lane: number) => {
        okJson(await call(connections[lane] as HttpConnection, i))
      }
      return await load(count, scale.connections, ask)
    } finally {
      for (const connection of connections) connection.close()
    }
  }

  await to(sqlite, scale.keys, (connection, i) => connection.put('/mesh/memory', bodyOf(`get/${i}`, i)))
  const opened = parts.move()

  return {
    close: () => opened.disposeAsync(),
    async round(index): Promise<Round> {
      await usual.quiet()
      const getKey: Call = (connection, i) => connection.get(`/mesh/memory/mesh/get%2F${i % scale.keys}`)
      const newKey: Call = (connection, i) => connection.put('/mesh/memory', bodyOf(`${index}/new/${i}`, i))
      const hotKey: Call = (connection, i) => connection.put('/mesh/memory', bodyOf(`${index}/hot`, 0, i))
      const get = await to(usual, scale.gets, getKey)
      const bare = await to(fastify, scale.gets, (connection) => connection.get('/'))
      const sqliteGet = await to(sqlite, scale.gets, getKey)
      const plainFresh = await to(plain, scale.puts, newKey)
      const sqliteFresh = await to(sqlite, scale.puts, newKey)
      // Its file view works beside it, as it always does, but on nothing that was put before.
      const fresh = await to(usual, scale.puts, newKey)
      await usual.quiet()
      const plainHot = await to(plain, scale.hot, hotKey)
      const sqliteHot = await to(sqlite, scale.hot, hotKey)
      const hot = await to(usual, scale.hot, hotKey)
      return {
        get: get.rate,
        fastify: bare.rate,
        'sqlite.get': sqliteGet.rate,
        'sqlite.new': sqliteFresh.rate,
        'sqlite.hot': sqliteHot.rate,
        ...percentiles('get', get.times),
        new: fresh.rate,
        ...percentiles('new', fresh.times),
        hot: hot.rate,
        ...percentiles('hot', hot.times),
        'plain.new': plainFresh.rate,
        'plain.hot': plainHot.rate,
      }
    },
  }
}

type Call = (connection: HttpConnection, i: number) => Promise<HttpAnswer>

const bodyOf = (key: string, n: number, count?: number) => ({ scope: 'mesh', key, value: benchValue(n, count) })

function percentiles(id: string, times: readonly number[]): Round {
  return { [`${id}.p50`]: percentile(times, 0.5), [`${id}.p99`]: percentile(times, 0.99) }
}
