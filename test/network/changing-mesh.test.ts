import { afterAll, describe, expect, it } from 'vitest'
import { DocumentWorkers } from '../../crdt/replica/index.ts'
import { LONG } from '../support/long.ts'
import { expectNothingLost, expectSame, FAULTS, heal, toggleLink, type Written, write } from './convergence-suite.ts'
import { changesOf, SimMesh, type SimNode } from './sim-mesh.ts'

const SEEDS = LONG ? 5_000 : 8
/** The founder, one that is removed, one that is restored, one that refuses some entries, and one that comes late. */
const [FOUNDER, REMOVED, RESTORED, PICKY, LATE] = ['ceo', 'lab', 'sec', 'nas', 'mini'] as const
const NAMES = [FOUNDER, REMOVED, RESTORED, PICKY, LATE]
const STEPS = 120
const UNWANTED = 'unwanted'
const KEYS = ['plan', 'prefs', UNWANTED]

describe('a mesh whose members come, go, refuse and are restored, on a bad network (S-10, S-30)', () => {
  const workers = new DocumentWorkers()
  afterAll(() => workers.close())

  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`converges, and loses nothing that was there: seed ${seed}`, { timeout: 60_000 }, async () => {
      const init = { late: LATE, refuses: { node: PICKY, key: UNWANTED } }
      const sim = await SimMesh.create(seed, NAMES, workers, init)
      try {
        const { written, removal } = await disturb(sim)
        await heal(sim)
        await removal
        const members = sim.nodes.filter(({ name }) => name !== REMOVED)
        await expectProven(members)
        await expectSame(members.filter(({ name }) => name !== PICKY))
        await expectSame(members, `"key":"${UNWANTED}"`)
        await forgetWhatNobodyHas(written, members, REMOVED)
        const wanted = new Map([...written].filter(([, { id }]) => id.key !== UNWANTED))
        await expectNothingLost(members, wanted)
      } finally {
        await sim.close()
      }
    })
  }
})

/** Every member says that it is equal with every other, though some refuse what others have. */
async function expectProven(members: readonly SimNode[]): Promise<void> {
  for (const { mesh } of members) {
    const peers = mesh.peers().map(({ nodeId, equal, error }) => ({ nodeId, equal, error }))
    expect(peers).toEqual(peers.map(({ nodeId }) => ({ nodeId, equal: true, error: null })))
    expect(peers).toHaveLength(members.length - 1)
  }
}

async function disturb(sim: SimMesh): Promise<{ written: Written; removal: Promise<unknown> | undefined }> {
  const written: Written = new Map()
  let removal: Promise<unknown> | undefined
  const { random } = sim
  sim.network.faults = FAULTS
  const removing = random.below(STEPS)
  const admission = random.below(STEPS)
  const backUp = random.below(STEPS / 2)
  const restore = STEPS / 2 + random.below(STEPS / 2)
  for (let i = 0; i < STEPS; i++) {
    if (i === admission) await sim.admit()
    // Telling the others takes frames that are still to be delivered.
    if (i === removing) removal = sim.nodes[0]?.mesh.removePeer(REMOVED)
    if (i === backUp) await sim.backUp(NAMES.indexOf(RESTORED))
    if (i === restore) {
      await sim.restore(NAMES.indexOf(RESTORED))
      await forgetWhatNobodyHas(written, sim.nodes, RESTORED)
    }
    const dice = random.next()
    if (dice < 0.3) await write(sim, written, KEYS)
    else if (dice < 0.36) await toggleLink(sim)
    else if (dice < 0.37) await sim.restart(random.below(sim.nodes.length))
    else if (dice < 0.42) await sim.network.timeOut()
    else await sim.network.step()
  }
  return { written, removal }
}

/** What a node wrote and nobody else has seen is gone with it, or with what it has forgotten. */
async function forgetWhatNobodyHas(written: Written, nodes: readonly SimNode[], author: string): Promise<void> {
  for (const { id, changes } of written.values()) {
    const held = await Promise.all(nodes.map((node) => changesOf(node, id)))
    for (const [hash, by] of changes) if (by === author && !held.some((one) => one.has(hash))) changes.delete(hash)
  }
}
