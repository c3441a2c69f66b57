import { expect, it } from 'vitest'
import { MAX_FRAME_BYTES } from '../transport.ts'
import { coded, collect, echo, numbered, numberOf, openLab, type TransportHarness, until } from './harness-suite.ts'

/** The most that may be under way on one channel to a reader that does not read, besides what the system buffers. */
const MAX_UNDER_WAY = 4 * MAX_FRAME_BYTES

export function testChannels(harness: TransportHarness): void {
  it('carries frames of every size, whole and in order, both ways', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const channel = await ceo.open(lab.self, '/echo/1')
    expect(channel.peer).toBe(lab.self)
    const sizes = [0, 1, 3, 4, 5, 65_502, 65_503, 65_504, 65_536, 200_000, 0, MAX_FRAME_BYTES, 7]
    const frames = sizes.map((size, index) => new Uint8Array(size).fill(index + 1))
    const echoed = collect(channel.frames)
    for (const frame of frames) await channel.send(frame)
    await channel.close()
    const back = await echoed
    expect(back.map((frame) => frame.byteLength)).toEqual(sizes)
    expect(back.every((frame, index) => frame.every((byte) => byte === index + 1))).toBe(true)
  })

  it('keeps the order of frames that are sent without waiting', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const channel = await ceo.open(lab.self, '/echo/1')
    const echoed = collect(channel.frames)
    const sends = Array.from({ length: 5_000 }, (_, index) => channel.send(numbered(index)))
    await Promise.all([...sends, channel.close()])
    expect((await echoed).map(numberOf)).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
  })

  it('serves many channels at once, each for itself', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const talk = async (index: number) => {
      const [from, to] = index % 2 === 0 ? [ceo, lab] : [lab, ceo]
      const channel = await from.open(to.self, '/echo/1')
      const echoed = collect(channel.frames)
      for (let count = 0; count < 50; count++) await channel.send(numbered(index * 1_000 + count))
      await channel.close()
      expect((await echoed).map(numberOf)).toEqual(Array.from({ length: 50 }, (_, count) => index * 1_000 + count))
    }
    await Promise.all(Array.from({ length: 40 }, (_, index) => talk(index)))
  })

  it('holds a sender back whose peer does not read, loses nothing, and lets other channels pass', async () => {
    const total = 200
    const frame = new Uint8Array(1_000_000).fill(7)
    const { promise: reading, resolve: read } = Promise.withResolvers<void>()
    let received = 0
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({
      '/echo/1': echo,
      '/slow/1': async (channel) => {
        await reading
        for await (const piece of channel.frames) received += piece.byteLength
        await channel.send(numbered(received))
      },
    })
    const channel = await ceo.open(lab.self, '/slow/1')
    let sent = 0
    const sending = (async () => {
      for (let count = 0; count < total; count++, sent += frame.byteLength) await channel.send(frame)
      await channel.close()
    })()
    await settled(() => sent)
    expect(sent).toBeLessThan(MAX_UNDER_WAY)
    const other = await ceo.open(lab.self, '/echo/1')
    await other.send(numbered(1))
    await other.close()
    expect((await collect(other.frames)).map(numberOf)).toEqual([1])
    read()
    await sending
    expect((await collect(channel.frames)).map(numberOf)).toEqual([total * frame.byteLength])
  })

  it.each([1_000, 1_000_000])(
    'takes in no more for a reader that pauses in the middle (frames of %i bytes)',
    async (size) => {
      const total = 50_000_000
      let sent = 0
      const { pair } = await openLab(harness)
      const { ceo, lab } = await pair({
        '/flood/1': async (channel) => {
          for (; sent < total; sent += size) await channel.send(new Uint8Array(size))
        },
      })
      const channel = await ceo.open(lab.self, '/flood/1')
      let received = 0
      for await (const frame of channel.frames) {
        received += frame.byteLength
        // Twice in close succession: the second time it has just been handed what had piled up the first time.
        if (![0, 100_000].includes(received % 10_000_000)) continue
        await settled(() => sent)
        expect(sent - received).toBeLessThan(MAX_UNDER_WAY)
      }
      expect(received).toBe(total)
    },
  )

  it('refuses to send a frame that is too large, and goes on', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const channel = await ceo.open(lab.self, '/echo/1')
    const large = channel.send(new Uint8Array(MAX_FRAME_BYTES + 1))
    await expect(large).rejects.toMatchObject(coded('FRAME_TOO_LARGE'))
    await channel.send(numbered(1))
    await channel.close()
    expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
  })

  it('says that the peer does not speak a protocol, or is not connected', async () => {
    const { make, pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    await expect(ceo.open(lab.self, '/other/1')).rejects.toMatchObject(coded('PROTOCOL_UNSUPPORTED'))
    const { self: absent } = make('sec')
    await expect(ceo.open(absent, '/echo/1')).rejects.toMatchObject(coded('PEER_NOT_CONNECTED'))
    expect(ceo.connected()).toEqual([lab.self])
  })

  it('opening: stops when the signal aborts', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const reason = new Error('enough')
    const before = ceo.open(lab.self, '/echo/1', { signal: AbortSignal.abort(reason) })
    await expect(before).rejects.toBe(reason)
    const controller = new AbortController()
    const during = ceo.open(lab.self, '/echo/1', { signal: controller.signal })
    controller.abort(reason)
    await expect(during).rejects.toBe(reason)
    await (await ceo.open(lab.self, '/echo/1')).close()
  })

  it('open: closes one side in good order and goes on with the other', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({
      '/late/1': async (channel) => {
        const asked = await collect(channel.frames)
        for (const frame of asked) await channel.send(frame)
      },
    })
    const channel = await ceo.open(lab.self, '/late/1')
    await channel.send(numbered(1))
    await Promise.all([channel.close(), channel.close()])
    await expect(channel.send(numbered(2))).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
  })

  it('open: aborts both ways at once', async () => {
    const ends: unknown[] = []
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({
      '/held/1': async (channel) => {
        await collect(channel.frames).catch((error) => ends.push(error))
      },
    })
    const channel = await ceo.open(lab.self, '/held/1')
    await channel.send(numbered(1))
    const reason = new Error('enough')
    channel.abort(reason)
    channel.abort(new Error('again'))
    await expect(collect(channel.frames)).rejects.toMatchObject({ code: 'CHANNEL_CLOSED', cause: reason })
    await expect(channel.send(numbered(2))).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    await until(() => ends.length === 1)
    expect(ends[0]).toMatchObject(coded('CHANNEL_CLOSED'))
    await channel.close()
  })

  it('closing: aborts what still waits to be sent', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>()
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/deaf/1': () => over })
    const channel = await ceo.open(lab.self, '/deaf/1')
    const sends = Array.from({ length: 5 }, () => channel.send(new Uint8Array(MAX_FRAME_BYTES)))
    const closing = channel.close()
    channel.abort(new Error('enough'))
    const results = await Promise.allSettled([...sends, closing])
    expect(results.at(-1)).toMatchObject({ status: 'fulfilled' })
    expect(results.at(-2)).toMatchObject({ status: 'rejected', reason: coded('CHANNEL_CLOSED') })
    end()
  })

  it('closed: ignores another close and a late abort', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    const channel = await ceo.open(lab.self, '/echo/1')
    await channel.send(numbered(1))
    await channel.close()
    expect((await collect(channel.frames)).map(numberOf)).toEqual([1])
    channel.abort(new Error('late'))
    await channel.close()
    await expect(channel.send(numbered(2))).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
  })

  it('ends the channel when its handler is through, and drops it when the handler fails', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({
      '/brief/1': (channel) => channel.send(numbered(1)),
      '/broken/1': () => Promise.reject(new Error('broken')),
    })
    const brief = await ceo.open(lab.self, '/brief/1')
    expect((await collect(brief.frames)).map(numberOf)).toEqual([1])
    await brief.close()
    const broken = await ceo.open(lab.self, '/broken/1')
    await expect(collect(broken.frames)).rejects.toMatchObject(coded('CHANNEL_CLOSED'))
    expect(lab.connected()).toEqual([ceo.self])
  })

  it('leaves nothing behind: hundreds of channels, one after the other', async () => {
    const { pair } = await openLab(harness)
    const { ceo, lab } = await pair({ '/echo/1': echo })
    for (let index = 0; index < 300; index++) {
      const channel = await ceo.open(lab.self, '/echo/1')
      await channel.send(numbered(index))
      await channel.close()
      expect((await collect(channel.frames)).map(numberOf)).toEqual([index])
    }
  })
}

/** Waits until the value has not changed for a while. */
async function settled(value: () => number): Promise<void> {
  let last = -1
  let since = performance.now()
  await until(() => {
    if (value() !== last) {
      last = value()
      since = performance.now()
    }
    return performance.now() - since > 100
  }, 10_000)
}
