import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MAX_FRAME_BYTES } from '../transport.ts'
import { encodeFrameHeader, FRAME_HEADER_BYTES, FrameDecoder } from './frame-decoder.ts'

const tooLarge = expect.objectContaining({ code: 'FRAME_TOO_LARGE', field: 'frame' })

function header(length: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES)
  new DataView(bytes.buffer).setUint32(0, length)
  return bytes
}

it('gives back what went in, however it was cut', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 })
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(frames, cuts, fc.boolean(), (sent, sizes, eager) => {
      const wire = Buffer.concat(sent.flatMap((frame) => [encodeFrameHeader(frame.byteLength), frame]))
      const decoder = new FrameDecoder()
      const received: Uint8Array[] = []
      const take = () => {
        while (decoder.ready()) received.push(decoder.next() ?? new Uint8Array(0))
      }
      for (let at = 0, turn = 0; at < wire.byteLength; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        decoder.push(wire.subarray(at, at + size))
        at += size
        if (eager) take()
      }
      take()
      expect(received).toEqual(sent)
      expect([decoder.buffered, decoder.next()]).toEqual([0, undefined])
    }),
  )
})

it('S-15: refuses a frame by its announced length, with nothing allocated for it', () => {
  for (const length of [MAX_FRAME_BYTES + 1, 5 * 1024 * 1024, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    const decoder = new FrameDecoder()
    decoder.push(header(length))
    expect(() => decoder.ready()).toThrow(tooLarge)
    expect(() => decoder.next()).toThrow(tooLarge)
    expect(decoder.allocated).toBeLessThanOrEqual(64 * 1024)
  }
  expect(() => encodeFrameHeader(MAX_FRAME_BYTES + 1)).toThrow(tooLarge)
})

it('allocates by what has come, not by what was announced', () => {
  const decoder = new FrameDecoder()
  decoder.push(header(MAX_FRAME_BYTES))
  expect(decoder.allocated).toBeLessThanOrEqual(64 * 1024)
  for (let sent = 0; sent < 1_000_000; sent++) decoder.push(new Uint8Array(1))
  expect(decoder.allocated).toBeLessThanOrEqual(2 * decoder.buffered)
  decoder.push(new Uint8Array(MAX_FRAME_BYTES - 1_000_000))
  expect(decoder.next()?.byteLength).toBe(MAX_FRAME_BYTES)
  expect(decoder.allocated).toBe(0)
})

it('hands out frames that keep nothing else alive', () => {
  const decoder = new FrameDecoder()
  decoder.push(Buffer.concat([header(3), Buffer.from('abc'), header(2), Buffer.from('de')]))
  expect(decoder.next()?.buffer.byteLength).toBe(3)
  decoder.push(new Uint8Array(100))
  expect(Buffer.from(decoder.next() ?? []).toString()).toBe('de')
  decoder.clear()
  expect([decoder.buffered, decoder.allocated, decoder.ready()]).toEqual([0, 0, false])
})
