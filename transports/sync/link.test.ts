import { afterEach, expect, test, vi } from 'vitest'
import type { Channel, PeerId } from '../transport.ts'
import { Link } from './link.ts'
import { createWorkPacer } from './pacer.ts'
import { encodeMessage, type Message } from './wire.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('a peer that says it is busy is waited for, and what it says then is what was due', async () => {
  const link = new Link(channelOf([{ type: 'busy' }, { type: 'busy' }, { type: 'end' }]))
  expect(await link.expect('end')).toEqual({ type: 'end' })
  expect(await link.receive('end')).toBeUndefined()
})

test('a sign of life keeps the place in the row of messages', async () => {
  const frames = [encodeMessage(0, { type: 'busy' }), encodeMessage(0, { type: 'end' })]
  await expect(new Link(channel(frames)).expect('end')).rejects.toMatchObject({ code: 'MESSAGE_UNEXPECTED' })
})

test('long work tells the peer every ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const sent: Message[] = []
  const pause = createWorkPacer({ send: async (message) => void sent.push(message) })
  for (let seconds = 0; seconds < 25; seconds++) {
    vi.advanceTimersByTime(1_000)
    await pause()
  }
  expect(sent).toEqual([{ type: 'busy' }, { type: 'busy' }])
})

test('one that rests ends where something comes that nobody asked for', async () => {
  const link = new Link(channelOf([{ type: 'end' }]))
  link.rest()
  await vi.waitFor(() => expect(link.isEnded).toBe(true))
})

test('one that rested goes on with what answers the next message', async () => {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  const link = new Link(channel([promise]))
  link.rest()
  await link.send({ type: 'end' })
  resolve(encodeMessage(0, { type: 'end' }))
  expect(await link.expect('end')).toEqual({ type: 'end' })
  expect(link.isEnded).toBe(false)
})

const channelOf = (messages: readonly Message[]) => channel(messages.map((message, i) => encodeMessage(i, message)))

function channel(frames: readonly (Uint8Array | Promise<Uint8Array>)[]): Channel {
  return {
    peer: 'sec' as PeerId,
    frames: (async function* () {
      yield* frames
    })(),
    send: async () => {},
    close: async () => {},
    abort() {},
  }
}
