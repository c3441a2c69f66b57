import { connect as connectTcp, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { coded, collect, echo, numbered, record, TestRoster, until } from '../suite/harness-suite.ts'
import type { Transport } from '../transport.ts'
import { createLibp2pTransport, type Libp2pLimits } from './index.ts'
import { portOf, quiet, seedOf, serve } from './lab-suite.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0']

interface Wire {
  /** Set to swallow everything that passes, without closing anything. */
  dead: boolean
  /** How many pieces of data have passed. */
  pieces: number
}

/** Two members that are connected over a wire. */
async function openWire(limits: Partial<Libp2pLimits>) {
  const roster = new TestRoster()
  const wire: Wire = { dead: false, pieces: 0 }
  const sockets: Socket[] = []
  const make = (name: string): Transport => {
    const transport = createLibp2pTransport(
      { gate: roster, log: quiet },
      { seed: seedOf(name), listen: LISTEN, limits },
    )
    onTestFinished(() => transport.stop())
    roster.members.add(transport.self)
    transport.handle('/echo/1', 'member', echo)
    return transport
  }
  const [ceo, lab] = [make('ceo'), make('lab')]
  const forward = (from: Socket, to: Socket) =>
    from.on('data', (data) => {
      if (wire.dead) return
      wire.pieces += 1
      to.write(data)
    })
  const server = await serve((near) => {
    const far = connectTcp(portOf(lab.addresses()[0]), '127.0.0.1')
    far.on('error', () => {}) // the end of the test cuts it
    forward(near, far)
    forward(far, near)
    sockets.push(far)
  })
  onTestFinished(async () => {
    await server.close()
    for (const far of sockets) far.destroy()
  })
  await Promise.all([ceo.start(), lab.start()])
  await ceo.dial(lab.self, [server.address])
  await until(() => lab.connected().length === 1)
  return { ceo, lab, wire, make }
}

it('notices on both sides that a link died silently, within the interval and the time-out', async () => {
  const { ceo, lab, wire } = await openWire({ pingIntervalMs: 100, pingTimeoutMs: 200 })
  const events = [record(ceo), record(lab)]
  const channel = await ceo.open(lab.self, '/echo/1')
  wire.dead = true
  const since = performance.now()
  const read = expect(collect(channel.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
  await until(() => events.flat().length === 2)
  await read
  expect(performance.now() - since).toBeLessThan(4_000)
  expect(events).toEqual([[`disconnected ${lab.self}`], [`disconnected ${ceo.self}`]])
})

it('leaves a quiet link that answers alone', async () => {
  const { ceo, lab, wire } = await openWire({ pingIntervalMs: 10, pingTimeoutMs: 5_000 })
  const events = [record(ceo), record(lab)]
  const before = wire.pieces
  await until(() => wire.pieces > before + 200)
  expect(events).toEqual([[], []])
})

it('opens channels on the newest connection while an older one is dead and nobody has noticed', async () => {
  const { ceo, lab, wire, make } = await openWire({ pingIntervalMs: 60_000 })
  const events = record(ceo)
  wire.dead = true
  await lab.stop()
  const again = make('lab')
  await again.start()
  await again.dial(ceo.self, ceo.addresses())
  const channel = await ceo.open(lab.self, '/echo/1')
  await channel.send(numbered(1))
  await channel.close()
  expect(await collect(channel.frames)).toHaveLength(1)
  expect(events).toEqual([])
})
