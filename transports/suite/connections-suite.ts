import { expect, it } from 'vitest'
import { type Access, MAX_FRAME_BYTES } from '../transport.ts'
import { coded, collect, connect, echo, openLab, record, type TransportHarness, until } from './harness-suite.ts'

export function testConnections(harness: TransportHarness): void {
  const { chosenAddress } = harness.capabilities

  it('connects two members and tells both', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    const events = { ceo: record(ceo), lab: record(lab) }
    await Promise.all([ceo.start(), lab.start()])
    expect(ceo.connected()).toEqual([])
    expect(ceo.remoteAddress(lab.self)).toBeUndefined()
    await connect(ceo, lab)
    expect(ceo.connected()).toEqual([lab.self])
    expect(lab.connected()).toEqual([ceo.self])
    expect(lab.addresses()).toContain(ceo.remoteAddress(lab.self))
    expect(events).toEqual({ ceo: [`connected ${lab.self}`], lab: [`connected ${ceo.self}`] })
  })

  it('does nothing when it is told to dial a peer that is connected', async () => {
    const { bed, pair } = await openLab(harness)
    const { ceo, lab } = await pair()
    await ceo.dial(lab.self, [await bed.nowhere()])
    expect(ceo.connected()).toEqual([lab.self])
  })

  it('tries all addresses, and is not disturbed by one that makes no sense', async () => {
    const { bed, make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    await Promise.all([ceo.start(), lab.start()])
    await ceo.dial(lab.self, ['nonsense', await bed.nowhere(), ...lab.addresses()])
    expect(ceo.connected()).toEqual([lab.self])
  })

  it('says that a peer is unreachable', async () => {
    const { bed, make } = await openLab(harness)
    const [ceo, lab, sec] = [make('ceo'), make('lab'), make('sec')]
    await Promise.all([ceo.start(), sec.start()])
    await expect(ceo.dial(lab.self, [await bed.nowhere()])).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    await expect(ceo.dial(lab.self, ['nonsense'])).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    await expect(ceo.dial(lab.self, [])).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    // Somebody else answers there.
    await expect(ceo.dial(lab.self, sec.addresses())).rejects.toMatchObject(coded('PEER_UNREACHABLE'))
    expect([ceo.connected(), sec.connected()]).toEqual([[], []])
  })

  it('stops dialling when the signal aborts', async () => {
    const { bed, make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    await ceo.start()
    const reason = new Error('enough')
    const before = ceo.dial(lab.self, [await bed.silence()], { signal: AbortSignal.abort(reason) })
    await expect(before).rejects.toBe(reason)
    const controller = new AbortController()
    const during = ceo.dial(lab.self, [await bed.silence()], { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await expect(during).rejects.toBe(reason)
  })

  it('counts a peer as connected from its first connection to its last, however both dial', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    const events = { ceo: record(ceo), lab: record(lab) }
    await Promise.all([ceo.start(), lab.start()])
    await Promise.all([connect(ceo, lab), connect(lab, ceo)])
    await ceo.hangUp(lab.self)
    await until(() => ceo.connected().length + lab.connected().length === 0)
    expect(events).toEqual({
      ceo: [`connected ${lab.self}`, `disconnected ${lab.self}`],
      lab: [`connected ${ceo.self}`, `disconnected ${ceo.self}`],
    })
  })

  it('connects again after hanging up', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const events = record(ceo)
    const channel = await ceo.open(lab.self, '/echo/1')
    await lab.hangUp(ceo.self)
    await expect(collect(channel.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    await until(() => ceo.connected().length === 0)
    await lab.hangUp(ceo.self)
    await connect(lab, ceo)
    expect(events).toEqual([`disconnected ${lab.self}`, `connected ${lab.self}`])
  })

  it('tells listeners until they leave, and survives one that throws', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    const left: string[] = []
    ceo.onPeer(() => {
      throw new Error('a bad listener')
    })
    const leave = ceo.onPeer(({ type }) => left.push(type))
    const stayed = record(ceo)
    leave()
    await Promise.all([ceo.start(), lab.start()])
    await connect(lab, ceo)
    expect(left).toEqual([])
    expect(stayed).toEqual([`connected ${lab.self}`])
  })

  it('refuses to serve a protocol twice, or late', async () => {
    const { make } = await openLab(harness)
    const ceo = make('ceo')
    const serve = (protocol: string, access: Access) => () => ceo.handle(protocol, access, echo)
    serve('/echo/1', 'member')()
    expect(serve('/echo/1', 'guest')).toThrow('/echo/1')
    await ceo.start()
    expect(serve('/late/1', 'member')).toThrow('/late/1')
  })

  it('stops at any time, once for all', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    await Promise.all([ceo.stop(), ceo.stop()])
    await expect(ceo.start()).rejects.toMatchObject(coded('TRANSPORT_STOPPED'))
    const starting = lab.start()
    await lab.stop()
    await starting
    await lab.stop()
    expect(lab.addresses()).toEqual([])
    await expect(lab.dial(ceo.self, [])).rejects.toMatchObject(coded('TRANSPORT_STOPPED'))
    await expect(lab.open(ceo.self, '/echo/1')).rejects.toMatchObject(coded('PEER_NOT_CONNECTED'))
    await lab.hangUp(ceo.self)
  })

  it('ends channels and connections when it stops', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const events = { ceo: record(ceo), lab: record(lab) }
    const channel = await ceo.open(lab.self, '/echo/1')
    const stuck = Promise.all(Array.from({ length: 3 }, () => channel.send(new Uint8Array(MAX_FRAME_BYTES))))
    const sent = expect(stuck).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    const read = expect(collect(channel.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    await ceo.stop()
    await Promise.all([sent, read, until(() => lab.connected().length === 0)])
    expect(ceo.connected()).toEqual([])
    expect(events).toEqual({ ceo: [`disconnected ${lab.self}`], lab: [`disconnected ${ceo.self}`] })
  })

  it.skipIf(!chosenAddress)('says that an address is in use, and frees what it took before', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab, sec] = [make('ceo'), make('lab'), make('sec')]
    await Promise.all([ceo.start(), lab.start()])
    const [busy, freed] = [ceo.addresses()[0] ?? '', lab.addresses()[0] ?? '']
    await lab.stop()
    const late = make('late', { listen: [freed, busy] })
    await expect(late.start()).rejects.toMatchObject({ code: 'PORT_IN_USE', field: busy })
    await late.stop()
    const other = make('other', { listen: [freed] })
    await other.start()
    expect(other.addresses()).toEqual([freed])
    await sec.start()
  })

  it.skipIf(!chosenAddress)('says that it cannot listen', async () => {
    const { make } = await openLab(harness)
    await expect(make('ceo', { listen: ['nonsense'] }).start()).rejects.toMatchObject(coded('LISTEN_FAILED'))
  })

  it.skipIf(!chosenAddress)('lets a new instance take the place of an old one', async () => {
    const { make } = await openLab(harness)
    const [ceo, lab] = [make('ceo'), make('lab')]
    await Promise.all([ceo.start(), lab.start()])
    await connect(ceo, lab)
    const address = lab.addresses()
    await lab.stop()
    const again = make('lab', { listen: address })
    await again.start()
    await until(() => ceo.connected().length === 0)
    await ceo.dial(again.self, address)
    expect(ceo.connected()).toEqual([again.self])
  })
}
