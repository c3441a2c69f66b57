import { join } from 'node:path'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { createReplica, openReplica, type Replica } from '../../crdt/replica/index.ts'
import { createSigner } from '../../crdt/signing.ts'
import { temporaryFolder } from '../folder.ts'
import { rateInFlight, rateOf, timesOf } from '../measure.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'
import { bareHot, bareNew, handleNew, openBareLevel } from './limits.ts'

/** How many of each, a round. */
export interface PutGetScale {
  readonly lone: number
  readonly many: number
  readonly hot: number
  readonly gets: number
}

const IN_FLIGHT = 100

export async function openPutGet(scale: PutGetScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const folder = await temporaryFolder()
  parts.defer(() => folder.remove())
  const path = join(folder.path, 'replica')
  const signer = createSigner(Buffer.alloc(32, 7))
  await createReplica(path, { meshId: 'bench', records: [] })
  const replica = await openReplica({ signer }, { path })
  parts.defer(() => replica.close())
  const level = await openBareLevel(join(folder.path, 'level'))
  parts.defer(() => level.close())
  const opened = parts.move()

  return {
    close: () => opened.disposeAsync(),
    async round(index): Promise<Round> {
      const put = putter(replica)
      const [lone, many, hot] = [`${index}/lone`, `${index}/many`, `${index}/hot`]
      const loneTimes = await timesOf(scale.lone, (i) => put(`${lone}/${i}`, i))
      const loneLevel = await timesOf(scale.lone, (i) => level.put(`${lone}/${i}`))
      const manyRate = await rateInFlight(scale.many, IN_FLIGHT, (i) => put(`${many}/${i}`, i))
      const bareManyRate = bareNew(scale.many, signer)
      const handleManyRate = handleNew(scale.many, signer)
      const levelRate = await rateInFlight(scale.many, IN_FLIGHT, (i) => level.put(`${many}/${i}`))
      // Two hot keys, so that both begin without a history.
      const hotTimes = await timesOf(scale.hot, (i) => put(`${hot}/1`, 0, i))
      const hotRate = await rateInFlight(scale.hot, IN_FLIGHT, (i) => put(`${hot}/100`, 0, i))
      const bareHotRate = bareHot(scale.hot, signer)
      const get = await rateOf(scale.gets, (i) => mustGet(replica, `${many}/${i % scale.many}`))
      const levelGet = await rateOf(scale.gets, (i) => level.get(`${many}/${i % scale.many}`))
      return {
        'new.1.p50': percentile(loneTimes, 0.5),
        'new.1.p99': percentile(loneTimes, 0.99),
        'level.1.p50': percentile(loneLevel, 0.5),
        'new.100': manyRate,
        'bare.new': bareManyRate,
        'handle.new': handleManyRate,
        'level.100': levelRate,
        'hot.1.p50': percentile(hotTimes, 0.5),
        'hot.100': hotRate,
        'bare.hot': bareHotRate,
        get,
        'level.get': levelGet,
      }
    },
  }
}

const putter = (replica: Replica) => (key: string, n: number, count?: number) =>
  replica.putMemory({ scope: MESH_SCOPE, key, value: benchValue(n, count), nodeId: 'ceo' })

async function mustGet(replica: Replica, key: string): Promise<void> {
  const entry = await replica.get({ kind: 'memory', scope: MESH_SCOPE, key })
  if (entry?.row === undefined) throw new Error(`${key} was put but is not there`)
}
