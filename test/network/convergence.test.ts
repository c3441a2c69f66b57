import { afterAll, describe, it } from 'vitest'
import { DocumentWorkers } from '../../crdt/replica/index.ts'
import { LONG } from '../support/long.ts'
import { expectEqual, expectNothingLost, FAULTS, heal, toggleLink, type Written, write } from './convergence-suite.ts'
import { SimMesh } from './sim-mesh.ts'

const SEEDS = LONG ? 5_000 : 10
const NAMES = ['ceo', 'sec', 'lab', 'nas', 'mini']
const STEPS = 120

describe('a mesh of five on a network that loses, doubles, reorders and partitions (S-09, S-10)', () => {
  const workers = new DocumentWorkers()
  afterAll(() => workers.close())

  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`converges, and loses nothing: seed ${seed}`, { timeout: 60_000 }, async () => {
      const sim = await SimMesh.create(seed, NAMES, workers)
      try {
        const written = await disturb(sim)
        await heal(sim)
        await expectEqual(sim)
        await expectNothingLost(sim.nodes, written)
      } finally {
        await sim.close()
      }
    })
  }
})

async function disturb(sim: SimMesh): Promise<Written> {
  const written: Written = new Map()
  sim.network.faults = FAULTS
  for (let i = 0; i < STEPS; i++) {
    const dice = sim.random.next()
    if (dice < 0.3) await write(sim, written)
    else if (dice < 0.36) await toggleLink(sim)
    else if (dice < 0.38) await sim.restart(sim.random.below(sim.nodes.length))
    else if (dice < 0.42) await sim.network.timeOut()
    else await sim.network.step()
  }
  return written
}
