import { afterAll, describe, expect, it } from 'vitest'
import type { EntryId, Scope } from '../../crdt/entry/index.ts'
import { DocumentWorkers } from '../../crdt/replica/index.ts'
import { LONG } from '../support/long.ts'
import { changesOf, SimMesh, type SimNode, stateOf } from './sim-mesh.ts'
import { NO_FAULTS } from './sim-network.ts'

const SEEDS = LONG ? 1_000 : 50
const NAMES = ['ceo', 'sec', 'lab', 'nas', 'mini']
const STEPS = 120
/** Rounds of undisturbed network after the faults: each lets every pair reconcile. */
const HEALING_ROUNDS = 12

const FAULTS = { lose: 0.05, double: 0.1, overtake: 0.3 }
const SCOPES = ['mesh', 'user:ceo', 'node'] as Scope[]
const KEYS = ['plan', 'prefs', 'notes/deep']

describe('a mesh of five on a network that loses, doubles, reorders and partitions (S-09, S-10)', () => {
  const workers = new DocumentWorkers()
  afterAll(() => workers.close())

  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`converges, and loses nothing: seed ${seed}`, { timeout: 20_000 }, async () => {
      const sim = await SimMesh.create(seed, NAMES, workers)
      try {
        const written = await disturb(sim)
        await heal(sim)
        await expectEqual(sim)
        await expectNothingLost(sim, written)
      } finally {
        await sim.close()
      }
    })
  }
})

/** Hashes of acknowledged changes, by entry. */
type Written = Map<string, { id: EntryId; changes: Set<string> }>

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

async function write(sim: SimMesh, written: Written): Promise<void> {
  const { random } = sim
  const node = random.pick(sim.nodes)
  const scope = random.pick(SCOPES)
  const id: EntryId = random.chance(0.8)
    ? { kind: 'memory', scope, key: random.pick(KEYS) }
    : { kind: 'skill', scope, key: 'deploy' }
  const before = await changesOf(node, id)
  if (random.chance(0.2)) await node.replica.remove(id, node.name)
  else await put(sim, node, id)
  if (scope === 'node') return
  const name = JSON.stringify(id)
  const entry = written.get(name) ?? { id, changes: new Set() }
  for (const hash of await changesOf(node, id)) if (!before.has(hash)) entry.changes.add(hash)
  written.set(name, entry)
}

async function put({ random }: SimMesh, { replica, name }: SimNode, { kind, scope, key }: EntryId): Promise<void> {
  if (kind === 'skill') {
    const lines = Array.from({ length: 6 }, () => `line ${random.below(4)}\n`)
    await replica.putSkill({ scope, name: key, content: lines.join(''), nodeId: name })
    return
  }
  const shapes = [
    random.below(3),
    { short: random.below(3) },
    { short: 1, deep: { leaf: [random.below(3)] } },
    {},
    null,
  ]
  await replica.putMemory({ scope, key, value: random.pick(shapes), nodeId: name })
}

async function toggleLink({ network, random, nodes }: SimMesh): Promise<void> {
  const a = random.pick(nodes)
  const b = random.pick(nodes.filter((node) => node !== a))
  await network.link(a.peer, b.peer, !network.isLinked(a.peer, b.peer))
}

async function heal(sim: SimMesh): Promise<void> {
  sim.network.faults = NO_FAULTS
  await sim.network.drain()
  await sim.network.timeOut()
  for (const [a, b] of sim.pairs()) {
    if (!sim.network.isLinked(a.peer, b.peer)) await sim.network.link(a.peer, b.peer, true)
  }
  for (let round = 0; round < HEALING_ROUNDS && !isEqual(sim); round++) {
    await sim.network.drain()
    await sim.network.fireTimers()
    await sim.network.drain()
  }
}

/** As the nodes see it themselves; the test then looks at what they hold. */
function isEqual({ nodes }: SimMesh): boolean {
  return nodes.every(({ mesh }) => mesh.peers().every(({ equal }) => equal))
}

async function expectEqual(sim: SimMesh): Promise<void> {
  const states = await Promise.all(sim.nodes.map(sharedState))
  for (const state of states) expect(state).toBe(states[0])
  for (const { mesh } of sim.nodes) {
    for (const { nodeId, equal, error } of mesh.peers())
      expect({ nodeId, equal, error }).toEqual({ nodeId, equal: true, error: null })
  }
}

/** The `node` scope is each machine's own. */
async function sharedState(node: SimNode): Promise<string> {
  const lines = (await stateOf(node)).split('\n')
  return lines.filter((line) => !line.includes('"scope":"node"')).join('\n')
}

async function expectNothingLost(sim: SimMesh, written: Written): Promise<void> {
  for (const { id, changes } of written.values()) {
    for (const node of sim.nodes) expect((await changesOf(node, id)).isSupersetOf(changes)).toBe(true)
  }
}
