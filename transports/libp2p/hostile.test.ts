import { randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { expect, it, onTestFinished } from 'vitest'
import { coded, collect, connect, echo, numbered, numberOf, TestRoster, until } from '../suite/harness-suite.ts'
import { MAX_FRAME_BYTES, type Transport } from '../transport.ts'
import { privateKeyFromSeed } from './identity.ts'
import { createLibp2pTransport, type Libp2pLimits, peerIdFromSeed } from './index.ts'
import { portOf, quiet, seedOf } from './lab-suite.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { createNode } from './node.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0']

interface House {
  readonly host: Transport
  readonly honest: Transport
  /** What the host read on the channels of `/read/1`, and what that ended with, in the order in which they ended. */
  readonly reads: { readonly frames: number; readonly error?: unknown }[]
}

/** A host and an honest member that is connected to it; `evil` is a member as well. */
async function openHouse(limits: Partial<Libp2pLimits> = {}): Promise<House> {
  const roster = new TestRoster()
  const [host, honest] = ['host', 'honest'].map((name) =>
    createLibp2pTransport({ gate: roster, log: quiet }, { seed: seedOf(name), listen: LISTEN, limits }),
  ) as [Transport, Transport]
  const reads: { frames: number; error?: unknown }[] = []
  host.handle('/echo/1', 'member', echo)
  host.handle('/read/1', 'member', async (channel) => {
    let frames = 0
    try {
      for await (const _ of channel.frames) frames += 1
      reads.push({ frames })
    } catch (error) {
      reads.push({ frames, error })
      throw error
    }
  })
  for (const peer of [host.self, honest.self, peerIdFromSeed(seedOf('evil'))]) roster.members.add(peer)
  onTestFinished(async () => {
    await Promise.all([host.stop(), honest.stop()])
  })
  await Promise.all([host.start(), honest.start()])
  await connect(honest, host)
  return { host, honest, reads }
}

/** A member that speaks libp2p, and keeps to nothing of ours above it. */
async function openEvil(): Promise<Libp2p> {
  const node = await createNode({
    privateKey: privateKeyFromSeed(seedOf('evil')),
    listen: [],
    limits: { ...DEFAULT_LIMITS, maxOutboundChannels: 1_000 },
    gater: {},
    onListenError: () => {},
  })
  onTestFinished(() => node.stop())
  await node.start()
  return node
}

function dial(node: Libp2p, host: Transport, force = false): Promise<Connection> {
  return node.dial(multiaddr(`${host.addresses()[0]}/p2p/${host.self}`), { force })
}

function header(length: number): Uint8Array {
  return numbered(length)
}

function lost(stream: Stream): Promise<void> {
  return new Promise((resolve) => stream.addEventListener('close', () => resolve()))
}

it('S-15: drops a channel that announces too large a frame, before memory is allocated for it', async () => {
  const { host, honest, reads } = await openHouse()
  const channel = await honest.open(host.self, '/echo/1')
  await channel.send(numbered(1))
  const connection = await dial(await openEvil(), host)
  const before = process.memoryUsage().arrayBuffers
  for (const length of [0xffff_ffff, 5 * 1024 * 1024, MAX_FRAME_BYTES + 1]) {
    for (let tries = 0; tries < 10; tries++) {
      const stream = await connection.newStream('/read/1')
      const dropped = lost(stream)
      stream.send(header(length))
      await dropped
      expect(reads.pop()).toMatchObject({ frames: 0, error: coded('FRAME_TOO_LARGE') })
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MAX_FRAME_BYTES)
    }
  }
  expect(connection.status).toBe('open')
  await channel.send(numbered(2))
  await channel.close()
  expect((await collect(channel.frames)).map(numberOf)).toEqual([1, 2])
})

it('hands out what came before a frame that is too large, and then says so', async () => {
  const { host, reads } = await openHouse()
  const connection = await dial(await openEvil(), host)
  const stream = await connection.newStream('/read/1')
  const dropped = lost(stream)
  stream.send(Buffer.concat([header(2), Buffer.from('ab'), header(0), header(0xffff_ffff), Buffer.from('and more')]))
  await dropped
  expect(reads).toMatchObject([{ frames: 2, error: coded('FRAME_TOO_LARGE') }])
})

it('knows a frame that was cut off, by closing or by dropping the channel', async () => {
  const { host, reads } = await openHouse()
  const connection = await dial(await openEvil(), host)
  for (const piece of [header(4).subarray(0, 3), header(4), Buffer.concat([header(4), Buffer.from('abc')])]) {
    for (const end of [(stream: Stream) => stream.close(), async (stream: Stream) => stream.abort(new Error('gone'))]) {
      const stream = await connection.newStream('/read/1')
      stream.send(piece)
      await end(stream)
      await until(() => reads.length === 1)
      expect(reads.pop()).toMatchObject({ frames: 0, error: coded('CHANNEL_CLOSED') })
    }
  }
})

it('puts frames together from single bytes', async () => {
  const { host } = await openHouse()
  const connection = await dial(await openEvil(), host)
  const stream = await connection.newStream('/echo/1')
  const received: Uint8Array[] = []
  stream.addEventListener('message', ({ data }) => received.push(data.subarray()))
  const sent = Buffer.concat([header(5), Buffer.from('hello'), header(0), header(1), Buffer.from('!')])
  for (const byte of sent) stream.send(Uint8Array.of(byte))
  await stream.close()
  await until(() => stream.status === 'closed')
  expect(Buffer.concat(received)).toEqual(sent)
})

it('serves only so many channels and connections of one member', async () => {
  const { host, honest } = await openHouse({ maxInboundChannels: 5, maxConnectionsPerPeer: 2 })
  const node = await openEvil()
  const connection = await dial(node, host)
  const streams: Stream[] = []
  for (let count = 0; count < 20; count++) streams.push(await connection.newStream('/read/1'))
  await until(() => streams.filter((stream) => stream.status === 'open').length <= 5)
  await dial(node, host, true)
  await expect(dial(node, host, true)).rejects.toThrow()
  const channel = await honest.open(host.self, '/read/1')
  await channel.close()
})

it('S-16: takes garbage on its port, before and within the handshake', async () => {
  const { host, honest } = await openHouse({ inboundPerHostPerSecond: 10_000, upgradeTimeoutMs: 500 })
  const hello = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n')
  let closed = 0
  for (let count = 0; count < 60; count++) {
    const socket = connectTcp(portOf(host.addresses()[0]), '127.0.0.1')
    socket.on('error', () => {}) // being reset is what it is here for
    socket.on('close', () => {
      closed += 1
    })
    socket.resume()
    if (count % 3 > 0) socket.write(hello)
    socket.write(randomBytes(count * 40))
  }
  await until(() => closed === 60)
  const channel = await honest.open(host.self, '/echo/1')
  await channel.send(numbered(1))
  await channel.close()
  expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
})

it('S-18: cuts slow connections, refuses too many, and serves members meanwhile', async () => {
  const limits = { upgradeTimeoutMs: 800, maxPendingInbound: 50, inboundPerHostPerSecond: 10_000 }
  const { host, honest } = await openHouse(limits)
  const sockets: Socket[] = []
  let cut = 0
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let count = 0; count < 500; count++) {
    const socket = connectTcp(portOf(host.addresses()[0]), '127.0.0.1')
    socket.on('error', () => {}) // being reset is what it is here for
    socket.on('close', () => {
      cut += 1
    })
    socket.resume()
    sockets.push(socket)
  }
  await until(() => cut >= 450)
  const channel = await honest.open(host.self, '/echo/1')
  await channel.send(numbered(1))
  await channel.close()
  expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
  await until(() => cut === 500)
  await honest.hangUp(host.self)
  await until(() => host.connected().length === 0)
  await connect(honest, host)
})

it('S-18: cuts a guest that keeps itself busy for ever', async () => {
  const roster = new TestRoster()
  roster.invited = true
  const limits = { guestIdleMs: 10_000, guestLifetimeMs: 200 }
  const [host, guest] = ['host', 'guest'].map((name) => {
    const transport = createLibp2pTransport(
      { gate: roster, log: quiet },
      { seed: seedOf(name), listen: LISTEN, limits },
    )
    transport.handle('/join/1', 'guest', echo)
    onTestFinished(() => transport.stop())
    return transport
  }) as [Transport, Transport]
  await Promise.all([host.start(), guest.start()])
  await guest.dial(host.self, host.addresses())
  const channel = await guest.open(host.self, '/join/1')
  const chatter = async () => {
    await channel.send(numbered(0))
    for await (const frame of channel.frames) await channel.send(frame)
  }
  await expect(chatter()).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
  await until(() => host.remoteAddress(guest.self) === undefined)
})

it('S-18: takes only so many connections a second from one host', async () => {
  const { host } = await openHouse({ inboundPerHostPerSecond: 5, maxConnectionsPerPeer: 100 })
  const node = await openEvil()
  const since = performance.now()
  let taken = 0
  for (let tries = 0; tries < 30; tries++) {
    await dial(node, host, true).then(
      () => {
        taken += 1
      },
      () => {}, // refused, as most are
    )
  }
  const seconds = Math.ceil((performance.now() - since) / 1_000)
  expect(taken).toBeGreaterThan(0)
  expect(taken).toBeLessThanOrEqual(5 * (seconds + 1))
})

it('S-16: bytes that are no negotiation are dropped at once, however many, and stop nothing', async () => {
  const { host, honest } = await openHouse()
  const channel = await honest.open(host.self, '/echo/1')
  const flood = Buffer.alloc(100_000, 0xff)
  const greeting = Buffer.from('\x13/multistream/1.0.0\n')
  const began = performance.now()
  for (const bytes of [
    flood,
    Buffer.concat([greeting, flood]),
    Buffer.concat([greeting, Buffer.from('\x03/x\n'), flood]),
  ]) {
    await Promise.all(Array.from({ length: 20 }, () => hangsUp(portOf(host.addresses()[0] as string), bytes)))
  }
  // Each of these 60 would take the reader behind it seconds.
  expect(performance.now() - began).toBeLessThan(3_000)
  await channel.send(numbered(1))
  await channel.close()
  expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
})

it('S-16: a member that floods a stream before it has named a protocol loses the stream only', async () => {
  const { host, honest } = await openHouse()
  const connection = await dial(await openEvil(), host)
  const muxer = (connection as unknown as { muxer: { createStream(options: object): Promise<Stream> } }).muxer
  for (let tries = 0; tries < 10; tries++) {
    const stream = await muxer.createStream({})
    const dropped = lost(stream)
    stream.send(Buffer.alloc(100_000, 0xff))
    await dropped
  }
  const channel = await honest.open(host.self, '/echo/1')
  await channel.send(numbered(1))
  await channel.close()
  expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
})

/** Resolves when the host has hung up on somebody who wrote this. */
function hangsUp(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
    socket.write(bytes)
  })
}
