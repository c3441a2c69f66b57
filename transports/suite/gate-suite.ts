import { describe, expect, it } from 'vitest'
import type { Transport } from '../transport.ts'
import {
  coded,
  collect,
  connect,
  echo,
  type Lab,
  numbered,
  numberOf,
  openLab,
  record,
  TestRoster,
  type TransportHarness,
  type TransportOptions,
  until,
} from './harness-suite.ts'

export function testGate(harness: TransportHarness): void {
  it('cuts a stranger before anybody is told of it', async () => {
    const { make, roster } = await openLab(harness)
    const theirs = new TestRoster()
    const [ceo, stranger] = [make('ceo'), make('stranger', { gate: theirs })]
    theirs.members.add(ceo.self)
    const events = [record(ceo), record(stranger)]
    await Promise.all([ceo.start(), stranger.start()])
    await expect(stranger.dial(ceo.self, ceo.addresses())).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    expect([ceo.connected(), stranger.connected(), ...events]).toEqual([[], [], [], []])
    roster.members.add(stranger.self)
    await connect(stranger, ceo)
  })

  it('cuts a member that was removed', async () => {
    const { pair, roster } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const events = [record(ceo), record(lab)]
    const channel = await lab.open(ceo.self, '/echo/1')
    ceo.recheck()
    expect(ceo.connected()).toEqual([lab.self])
    roster.members.delete(lab.self)
    ceo.recheck()
    await expect(collect(channel.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    await until(() => ceo.connected().length + lab.connected().length === 0)
    expect(events).toEqual([[`disconnected ${lab.self}`], [`disconnected ${ceo.self}`]])
    await expect(lab.dial(ceo.self, ceo.addresses())).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
  })

  it('opens nothing with a removed member, also before the cut', async () => {
    const { make, roster } = await openLab(harness)
    const theirs = new TestRoster()
    const [ceo, lab] = [make('ceo'), make('lab', { gate: theirs })]
    let served = 0
    ceo.handle('/echo/1', 'member', async (channel) => {
      served += 1
      await echo(channel)
    })
    roster.members.add(lab.self)
    theirs.members.add(ceo.self)
    await Promise.all([ceo.start(), lab.start()])
    await connect(lab, ceo)
    roster.members.delete(lab.self)
    await expect(ceo.open(lab.self, '/echo/1')).rejects.toMatchObject(coded('PEER_NOT_CONNECTED'))
    await expectRefused(lab, ceo, '/echo/1')
    expect(served).toBe(0)
  })

  describe.skipIf(!harness.capabilities.guests)('guests', () => {
    it('lets a guest reach what is for guests, and nothing else', async () => {
      const { ceo, guest, theirs, served } = await openHouse(harness)
      const events = record(ceo)
      await guest.dial(ceo.self, ceo.addresses())
      const channel = await guest.open(ceo.self, '/join/1')
      await channel.send(numbered(1))
      await channel.close()
      expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
      await expect(guest.open(ceo.self, '/echo/1')).rejects.toMatchObject(coded('PEER_NOT_CONNECTED'))
      theirs.members.add(ceo.self) // it thinks that it is one of them, and is refused there
      await expectRefused(guest, ceo, '/echo/1')
      await expect(ceo.open(guest.self, '/echo/1')).rejects.toMatchObject(coded('PEER_NOT_CONNECTED'))
      expect(served).toEqual([])
      expect([ceo.connected(), events]).toEqual([[], []])
    })

    it('tells of a guest that became a member, on the connection that it has', async () => {
      const { ceo, guest, theirs, roster, make } = await openHouse(harness, { guestIdleMs: 300 })
      const events = [record(ceo), record(guest)]
      await guest.dial(ceo.self, ceo.addresses())
      const address = guest.remoteAddress(ceo.self)
      roster.members.add(guest.self)
      theirs.members.add(ceo.self)
      ceo.recheck()
      guest.recheck()
      expect(events).toEqual([[`connected ${guest.self}`], [`connected ${ceo.self}`]])
      const channel = await guest.open(ceo.self, '/echo/1')
      // By the time that a later guest is cut for idling, this one would have been.
      await idleUntilCut(make, ceo)
      await channel.send(numbered(1))
      await channel.close()
      expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
      expect(guest.remoteAddress(ceo.self)).toBe(address)
    })

    it('cuts a guest that opens nothing, and one whose channel is silent', async () => {
      const { ceo, guest, make } = await openHouse(harness, { guestIdleMs: 300 })
      await idleUntilCut(make, ceo)
      await guest.dial(ceo.self, ceo.addresses())
      const channel = await guest.open(ceo.self, '/join/1')
      await channel.send(numbered(1))
      await expect(collect(channel.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    })

    it('takes no more guests than it has room for, and members all the same', async () => {
      const { ceo, guest, make, roster } = await openHouse(harness, { maxGuests: 1 })
      const [second, member] = [make('second', { gate: new TestRoster() }), make('member')]
      await Promise.all([second.start(), member.start()])
      await guest.dial(ceo.self, ceo.addresses())
      await expect(second.dial(ceo.self, ceo.addresses())).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
      await connect(member, ceo)
      await guest.hangUp(ceo.self)
      await until(() => ceo.remoteAddress(guest.self) === undefined)
      await second.dial(ceo.self, ceo.addresses())
      roster.invited = false
      await expect(guest.dial(ceo.self, ceo.addresses())).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    })
  })
}

interface House extends Lab {
  readonly ceo: Transport
  /** Somebody who is in nobody's roster; has one of its own. */
  readonly guest: Transport
  readonly theirs: TestRoster
  /** Who reached the protocol for members. */
  readonly served: string[]
}

/** A member with an open invitation, and a stranger; both serve `/join/1` to guests and `/echo/1` to members. */
async function openHouse(harness: TransportHarness, options: TransportOptions = {}): Promise<House> {
  const lab = await openLab(harness)
  const theirs = new TestRoster()
  const served: string[] = []
  lab.roster.invited = true
  const ceo = lab.make('ceo', options)
  const guest = lab.make('guest', { gate: theirs })
  for (const transport of [ceo, guest]) {
    transport.handle('/join/1', 'guest', echo)
    transport.handle('/echo/1', 'member', async (channel) => {
      served.push(channel.peer)
      await echo(channel)
    })
    await transport.start()
  }
  return { ...lab, ceo, guest, theirs, served }
}

/** Another guest comes, says nothing, and is cut. */
async function idleUntilCut(make: Lab['make'], host: Transport): Promise<void> {
  const idler = make('idler', { gate: new TestRoster() })
  await idler.start()
  await idler.dial(host.self, host.addresses())
  await until(() => idler.remoteAddress(host.self) === undefined)
  await idler.stop()
}

/** The peer may refuse when the channel is opened, or drop it then. */
async function expectRefused(from: Transport, to: Transport, protocol: string): Promise<void> {
  const talk = async () => {
    const channel = await from.open(to.self, protocol)
    await channel.send(numbered(1))
    return collect(channel.frames)
  }
  await expect(talk()).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
}
