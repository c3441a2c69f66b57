import { setTimeout as delay } from 'node:timers/promises'
import { type Child, startChild } from '../child.ts'
import { type DaemonProcess, startDaemons } from '../daemon-process.ts'
import { temporaryFolder } from '../folder.ts'
import { HttpConnection, okJson } from '../http-connection.ts'
import type { Round, Subject } from '../question.ts'
import { percentile } from '../statistics.ts'
import { benchValue } from '../values.ts'

export interface VisibleScale {
  /** A round and mesh. */
  readonly puts: number
  /** Puts of which the pushes are counted. */
  readonly pushed: number
  /** Nodes of the two meshes. */
  readonly few: number
  readonly many: number
}

/** Time between two questions to B: asked without a pause, B and who asks would take both cores from the mesh. */
const POLL_MS = 1
/** After so many milliseconds a put counts as lost. */
const LOST_MS = 10_000
const LONGEST_PAIRING_MS = 120_000

type PushesChild = Child<typeof import('./pushes-main.ts').methods>

export async function openVisible(scale: VisibleScale): Promise<Subject> {
  await using parts = new AsyncDisposableStack()
  const meshes = [
    { id: 'few', ...(await openMesh(parts, scale.few)) },
    { id: 'many', ...(await openMesh(parts, scale.many)) },
  ]
  const opened = parts.move()
  return {
    close: () => opened.disposeAsync(),
    async round(index) {
      const measured: Record<string, number> = {}
      for (const { id, daemons, pushes } of meshes) {
        Object.assign(measured, await measureMesh(id, daemons, { puts: scale.puts, index }))
        measured[`${id}.pushes`] = await pushes.call('perCommit', scale.pushed)
      }
      return measured
    },
  }
}

interface Mesh {
  readonly daemons: readonly DaemonProcess[]
  /** A mesh of as many nodes. */
  readonly pushes: PushesChild
}

async function openMesh(parts: AsyncDisposableStack, nodes: number): Promise<Mesh> {
  const daemons: readonly DaemonProcess[] = await startDaemons(
    parts,
    Array.from({ length: nodes }, (_, i) => ({ nodeId: `node${i}` })),
  )
  const [first, ...others] = daemons
  if (first === undefined) throw new RangeError('a mesh of no nodes')
  for (const other of others) await other.client.join((await first.client.invite()).ticket)
  await allEqual(daemons)
  const folder = await temporaryFolder()
  parts.defer(() => folder.remove())
  const pushes: PushesChild = startChild(new URL('./pushes-main.ts', import.meta.url))
  parts.defer(() => pushes.stop())
  await pushes.call('open', folder.path, nodes)
  return { daemons, pushes }
}

/** Waits until each is connected to all others and equal to them. */
async function allEqual(daemons: readonly DaemonProcess[]): Promise<void> {
  const began = performance.now()
  for (;;) {
    const peers = await Promise.all(daemons.map(({ client }) => client.peers()))
    const apart = peers.flat().filter(({ connected, equal }) => !connected || !equal)
    if (apart.length === 0 && peers.every(({ length }) => length === daemons.length - 1)) return
    if (performance.now() - began > LONGEST_PAIRING_MS) throw new Error(`not all equal: ${JSON.stringify(apart[0])}`)
    await delay(100)
  }
}

async function measureMesh(
  id: string,
  daemons: readonly DaemonProcess[],
  { puts, index }: { readonly puts: number; readonly index: number },
): Promise<Round> {
  const connections = await Promise.all(daemons.map(({ url, token }) => HttpConnection.open(url, token)))
  try {
    return await visibleTimes(id, connections, { puts, index })
  } finally {
    for (const connection of connections) connection.close()
  }
}

async function visibleTimes(
  id: string,
  connections: readonly HttpConnection[],
  { puts, index }: { readonly puts: number; readonly index: number },
): Promise<Round> {
  const [a, ...others] = connections
  const seen: Seen[] = []
  for (let i = 0; i < puts; i++) {
    const b = others[i % others.length]
    if (a !== undefined && b !== undefined) seen.push(await putAndWatch(a, b, `${index}/${i}`, i))
  }
  const share = (part: number, time: (one: Seen) => number) => percentile(seen.map(time), part)
  const measured = {
    'sent.p50': share(0.5, (one) => one.visible),
    'sent.p99': share(0.99, (one) => one.visible),
    'acknowledged.p50': share(0.5, (one) => one.visible - one.acknowledged),
    'acknowledged.p99': share(0.99, (one) => one.visible - one.acknowledged),
    'put.p50': share(0.5, (one) => one.acknowledged),
    'poll.p50': share(0.5, (one) => one.visible / one.polls),
  }
  return Object.fromEntries(Object.entries(measured).map(([what, value]) => [`${id}.${what}`, value]))
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
    await delay(POLL_MS)
  }
}
