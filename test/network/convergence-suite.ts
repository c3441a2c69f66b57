import { expect } from 'vitest'
import type { EntryId, Scope } from '../../crdt/entry/index.ts'
import { changesOf, type SimMesh, type SimNode, stateOf } from './sim-mesh.ts'
import { NO_FAULTS } from './sim-network.ts'

/** Rounds of undisturbed network after the faults: each lets every pair reconcile. */
const HEALING_ROUNDS = 12

export const FAULTS = { lose: 0.05, double: 0.1, overtake: 0.3 }
const SCOPES = ['mesh', 'user:ceo', 'node'] as Scope[]
const KEYS = ['plan', 'prefs', 'notes/deep']

/** Hashes of acknowledged changes, by entry, with the node that made each. */
export type Written = Map<string, { id: EntryId; changes: Map<string, string> }>

/** A put or delete on a node that the seed chooses; what it made is added to `written`. */
export async function write(sim: SimMesh, written: Written, keys: readonly string[] = KEYS): Promise<void> {
  const { random } = sim
  const node = random.pick(sim.nodes)
  const scope = random.pick(SCOPES)
  const id: EntryId = random.chance(0.8)
    ? { kind: 'memory', scope, key: random.pick(keys) }
    : { kind: 'skill', scope, key: 'deploy' }
  const before = await changesOf(node, id)
  if (random.chance(0.2)) await node.replica.remove(id, node.name)
  else await put(sim, node, id)
  if (scope === 'node') return
  const name = JSON.stringify(id)
  const entry = written.get(name) ?? { id, changes: new Map() }
  for (const hash of await changesOf(node, id)) if (!before.has(hash)) entry.changes.set(hash, node.name)
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

/** Cuts a link that is there, or mends one that is not. */
export async function toggleLink({ network, random, nodes }: SimMesh): Promise<void> {
  const a = random.pick(nodes)
  const b = random.pick(nodes.filter((node) => node !== a))
  await network.link(a.peer, b.peer, !network.isLinked(a.peer, b.peer))
}

/** Ends all faults, and lets the nodes work until they all say that they are equal. */
export async function heal(sim: SimMesh): Promise<void> {
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

/** All nodes hold the same, and say so. */
export async function expectEqual(sim: SimMesh): Promise<void> {
  await expectSame(sim.nodes)
  for (const { mesh } of sim.nodes) {
    for (const { nodeId, equal, error } of mesh.peers())
      expect({ nodeId, equal, error }).toEqual({ nodeId, equal: true, error: null })
  }
}

/**
 * All hold the same rows in shared scopes; with a text, those whose row has it do not count, nor does the digest, which
 * is of all.
 */
export async function expectSame(nodes: readonly SimNode[], without?: string): Promise<void> {
  const states = await Promise.all(nodes.map((node) => sharedState(node, without)))
  for (const state of states) expect(state).toBe(states[0])
}

/** The `node` scope is each machine's own. */
async function sharedState(node: SimNode, without: string | undefined): Promise<string> {
  const [digest, ...rows] = (await stateOf(node)).split('\n')
  const shared = rows.filter((row) => !row.includes('"scope":"node"'))
  if (without === undefined) return [digest, ...shared].join('\n')
  return shared.filter((row) => !row.includes(without)).join('\n')
}

/** Every change that was acknowledged is on every node. */
export async function expectNothingLost(nodes: readonly SimNode[], written: Written): Promise<void> {
  for (const { id, changes } of written.values()) {
    for (const node of nodes) expect((await changesOf(node, id)).isSupersetOf(new Set(changes.keys()))).toBe(true)
  }
}
