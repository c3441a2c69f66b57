import { randomInt } from 'node:crypto'
import { expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { audit } from './audit-suite.ts'
import { startVictim } from './child-suite.ts'
import { authorsOf, collect, openTestReplica, scopeOf, sharedWorkers } from './lab-suite.ts'
import type { Acknowledged } from './writer-child-suite.ts'

const workers = sharedWorkers()
const ROUNDS = LONG ? 100 : 5
/** The kill comes after so many acknowledged writes at most. */
const MOST_WRITES = 200

const nameOf = ({ kind, scope, key }: Acknowledged) => `${kind} ${scope} ${key}`

/** Kills of one database; then a new one, since looking through a history takes longer the longer it is. */
const KILLS = 5

it('S-01: kill -9 in the middle of writes loses nothing acknowledged and leaves no torn entry', async () => {
  for (let killed = 0; killed < ROUNDS; killed += KILLS) {
    const empty = await openTestReplica('ceo', { workers })
    await empty.close()
    const all: Acknowledged[] = []
    for (let round = 0; round < KILLS; round++) {
      const victim = startVictim(empty.path, 'write', `${round}`)
      await victim.said(3 + randomInt(MOST_WRITES))
      await victim.kill()
      const acknowledged = victim.lines.slice(2) as Acknowledged[]
      expect(acknowledged.length).toBeGreaterThan(0)
      all.push(...acknowledged)
      expect((await audit(empty.path, authorsOf(['ceo']))).faults).toEqual([])
    }
    expect(await missing(empty.path, all)).toEqual([])
  }
})

/** Acknowledged writes that are not in the history of their entry. Opens the database without any help. */
async function missing(path: string, acknowledged: readonly Acknowledged[]): Promise<Acknowledged[]> {
  const replica = await openTestReplica('ceo', { workers, path })
  const feed = await collect(replica.feed(0))
  const lost: Acknowledged[] = []
  for (const [name, writes] of Map.groupBy(acknowledged, nameOf)) {
    const [{ kind, scope, key }] = writes as [Acknowledged]
    const history = await replica.history({ kind, scope: scopeOf(scope), key })
    const held = new Set(history.map(({ nodeId, action }) => `${action} ${nodeId}`))
    lost.push(...writes.filter(({ nodeId, action }) => !held.has(`${action} ${nodeId}`)))
    const told = feed.filter(({ id }) => nameOf({ ...id, nodeId: '', action: 'put' }) === name).length
    expect(told).toBe(history.length)
  }
  await replica.close()
  return lost
}
