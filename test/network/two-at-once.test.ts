import { afterAll, expect, it, vi } from 'vitest'
import { MESH_SCOPE } from '../../crdt/entry/index.ts'
import { DocumentWorkers } from '../../crdt/replica/index.ts'
import { expectSame } from './convergence-suite.ts'
import { SimMesh, type SimNode } from './sim-mesh.ts'

/** Of two nodes, either may be the one whose part it is to begin. */
const SEEDS = 10
const ENTRIES = 30

const workers = new DocumentWorkers()
afterAll(() => workers.close())

for (let seed = 1; seed <= SEEDS; seed++) {
  it(`two that both begin to reconcile carry each entry once: seed ${seed}`, async () => {
    const sim = await SimMesh.create(seed, ['ceo', 'sec'], workers)
    try {
      const [ceo, sec] = sim.nodes as [SimNode, SimNode]
      await sim.network.drain()
      await sim.network.link(ceo.peer, sec.peer, false)
      for (let i = 0; i < ENTRIES; i++) {
        await ceo.replica.putMemory({ scope: MESH_SCOPE, key: `note/${i}`, value: i, nodeId: 'ceo' })
      }
      const applied = vi.spyOn(sec.replica, 'apply')
      await sim.network.link(ceo.peer, sec.peer, true)
      const reports = Promise.all([ceo.mesh.sync(), sec.mesh.sync()])
      let isOver = false
      void reports.finally(() => {
        isOver = true
      })
      while (!isOver) {
        await sim.network.drain()
        if (!isOver) await sim.network.fireTimers()
      }
      const peers = (await reports).flatMap((report) => report.peers)
      expect(peers.map(({ equal, error }) => ({ equal, error }))).toEqual([{ equal: true }, { equal: true }])
      await expectSame(sim.nodes)
      expect(applied.mock.calls.flatMap(([transfers]) => transfers)).toHaveLength(ENTRIES)
    } finally {
      await sim.close()
    }
  })
}
