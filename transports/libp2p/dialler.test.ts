import { expect, it, onTestFinished } from 'vitest'
import { connect, record, TestRoster, until } from '../suite/harness-suite.ts'
import type { PeerId, Transport } from '../transport.ts'
import { createDialler, type DiallerInit, type DialTarget } from './dialler.ts'
import { createLibp2pTransport, peerIdFromSeed } from './index.ts'
import { freeAddress, ManualClock, quiet, seedOf, serve } from './lab-suite.ts'

const NAMES = ['ceo', 'lab', 'sec', 'a', 'b', 'c', 'd', 'e']

function openLab(init: DiallerInit = {}) {
  const roster = new TestRoster()
  const clock = new ManualClock()
  const targets = new Map<PeerId, readonly string[]>()
  for (const name of NAMES) roster.members.add(peerIdFromSeed(seedOf(name)))
  const make = async (name: string, listen = '/ip4/127.0.0.1/tcp/0'): Promise<Transport> => {
    const transport = createLibp2pTransport({ gate: roster, log: quiet }, { seed: seedOf(name), listen: [listen] })
    onTestFinished(() => transport.stop())
    await transport.start()
    return transport
  }
  const dial = (transport: Transport) => {
    const list = function* (): Generator<DialTarget> {
      for (const [peer, addresses] of targets) yield { peer, addresses }
    }
    const dialler = createDialler({ transport, log: quiet, targets: list, clock, random: () => 0.5 }, init)
    onTestFinished(() => dialler.stop())
    return dialler
  }
  return { clock, targets, make, dial }
}

it('connects to all its targets, and leaves itself alone', async () => {
  const { clock, make, dial, targets } = openLab()
  const [ceo, lab, sec] = [await make('ceo'), await make('lab'), await make('sec')]
  for (const transport of [ceo, lab, sec]) targets.set(transport.self, transport.addresses())
  const dialler = dial(ceo)
  dialler.start()
  dialler.start()
  await until(() => ceo.connected().length === 2)
  expect(clock.waiting()).toEqual([])
  expect(dialler.lastError(lab.self)).toBeUndefined()
})

it('tries for ever, ever more seldom', async () => {
  const { clock, make, dial, targets } = openLab()
  const ceo = await make('ceo')
  const lab = peerIdFromSeed(seedOf('lab'))
  const address = await freeAddress()
  targets.set(lab, [address])
  const dialler = dial(ceo)
  dialler.start()
  const waits: number[] = []
  for (let tries = 0; tries < 30; tries++) {
    await until(() => clock.waiting().length === 1)
    const wait = clock.waiting()[0] ?? 0
    waits.push(wait)
    clock.advance(wait)
  }
  expect(waits.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  expect(waits.at(-1)).toBe(60_000)
  expect(dialler.lastError(lab)).toMatchObject({ code: 'PEER_UNREACHABLE' })
  await until(() => clock.waiting().length === 1)
  await make('lab', address)
  clock.advance(60_000)
  await until(() => ceo.connected().includes(lab))
  expect(dialler.lastError(lab)).toBeUndefined()
})

it('comes back after a loss, and soon only if the connection had lasted', async () => {
  const { clock, make, dial, targets } = openLab()
  const [ceo, lab] = [await make('ceo'), await make('lab')]
  targets.set(lab.self, lab.addresses())
  dial(ceo).start()
  const waits: (number | undefined)[] = []
  for (const lasts of [0, 0, 9_999, 10_000, 0]) {
    await until(() => ceo.connected().length === 1 && lab.connected().length === 1)
    clock.advance(lasts)
    await lab.hangUp(ceo.self)
    await until(() => clock.waiting().length === 1)
    waits.push(clock.waiting()[0])
    clock.advance(60_000)
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 1_000, 2_000])
})

it('tries at once when it is kicked: a new address, a new target, a network that woke', async () => {
  const { clock, make, dial, targets } = openLab()
  const [ceo, lab, sec] = [await make('ceo'), await make('lab'), await make('sec')]
  targets.set(lab.self, [await freeAddress()])
  const dialler = dial(ceo)
  dialler.start()
  for (const wait of [1_000, 2_000]) {
    await until(() => clock.waiting().includes(wait))
    clock.advance(wait)
  }
  await until(() => clock.waiting().includes(4_000))
  targets.set(sec.self, sec.addresses())
  dialler.kick(sec.self)
  await until(() => ceo.connected().includes(sec.self))
  expect(clock.waiting()).toEqual([4_000])
  dialler.kick()
  await until(() => clock.waiting().includes(1_000))
  targets.set(lab.self, lab.addresses())
  dialler.kick(lab.self)
  await until(() => ceo.connected().includes(lab.self))
  expect(clock.waiting()).toEqual([])
})

it('tries a new address at once, also when it is told of it while it tries the old one', async () => {
  const { make, dial, targets } = openLab()
  const [ceo, lab] = [await make('ceo'), await make('lab')]
  const { promise: tried, resolve } = Promise.withResolvers<() => void>()
  const server = await serve((socket) => resolve(() => socket.destroy()))
  onTestFinished(server.close)
  targets.set(lab.self, [server.address])
  const dialler = dial(ceo)
  dialler.start()
  const refuse = await tried
  targets.set(lab.self, lab.addresses())
  dialler.kick(lab.self)
  refuse()
  await until(() => ceo.connected().includes(lab.self))
})

it('forgets a target that is gone: its waiting time and its dial', async () => {
  const { clock, make, dial, targets } = openLab()
  const ceo = await make('ceo')
  const [waiting, dialled] = [peerIdFromSeed(seedOf('a')), peerIdFromSeed(seedOf('b'))]
  let open = 0
  const server = await serve((socket) => {
    open += 1
    socket.on('close', () => {
      open -= 1
    })
  })
  onTestFinished(server.close)
  targets.set(waiting, [await freeAddress()])
  targets.set(dialled, [server.address])
  const dialler = dial(ceo)
  dialler.start()
  await until(() => open === 1 && clock.waiting().length === 1)
  targets.clear()
  dialler.kick()
  await until(() => open === 0)
  expect(clock.waiting()).toEqual([])
  expect(dialler.lastError(waiting)).toBeUndefined()
})

it('dials only so many at once', async () => {
  const { make, dial, targets } = openLab({ maxDials: 2 })
  const ceo = await make('ceo')
  const open = new Set<() => void>()
  let peak = 0
  const server = await serve((socket) => {
    const refuse = () => socket.destroy()
    open.add(refuse)
    peak = Math.max(peak, open.size)
    socket.on('close', () => open.delete(refuse))
  })
  onTestFinished(server.close)
  for (const name of ['a', 'b', 'c', 'd', 'e']) targets.set(peerIdFromSeed(seedOf(name)), [server.address])
  const dialler = dial(ceo)
  dialler.start()
  for (let refused = 0; refused < 4; refused++) {
    await until(() => open.size === Math.min(2, 5 - refused))
    const [refuse] = open
    refuse?.()
    await until(() => refuse === undefined || !open.has(refuse))
  }
  expect(peak).toBe(2)
})

it('ends everything when it stops, and connections stay', async () => {
  const { clock, make, dial, targets } = openLab()
  const [ceo, lab] = [await make('ceo'), await make('lab')]
  const server = await serve(() => {})
  onTestFinished(server.close)
  targets.set(lab.self, lab.addresses())
  targets.set(peerIdFromSeed(seedOf('a')), [server.address])
  targets.set(peerIdFromSeed(seedOf('b')), [await freeAddress()])
  const dialler = dial(ceo)
  dialler.kick() // not started: nothing
  dialler.start()
  await until(() => ceo.connected().length === 1 && clock.waiting().length === 1)
  await Promise.all([dialler.stop(), dialler.stop()])
  dialler.kick()
  expect([clock.waiting(), ceo.connected()]).toEqual([[], [lab.self]])
})

it('two that dial each other are connected once', async () => {
  const { clock, make, dial, targets } = openLab()
  const [ceo, lab] = [await make('ceo'), await make('lab')]
  const events = record(ceo)
  for (const transport of [ceo, lab]) targets.set(transport.self, transport.addresses())
  for (const transport of [ceo, lab]) dial(transport).start()
  await until(() => ceo.connected().length === 1 && lab.connected().length === 1)
  await connect(ceo, lab)
  expect([events, clock.waiting()]).toEqual([[`connected ${lab.self}`], []])
})
