import { decodeChange } from '@automerge/automerge'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { newHandle } from './automerge.ts'
import { readChangeHeader } from './change-header.ts'

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b).toString('hex'))

/** Changes of two actors, some of which build on both. */
const changes = fc
  .array(
    fc.record({
      actor: fc.nat(1),
      time: fc.oneof(fc.nat(), fc.constantFrom(0, 63, 64, 127, 128, 8191, 8192, -1, -64, -65, 2 ** 31, 2 ** 53 - 1)),
      message: fc.option(fc.string({ unit: 'grapheme', maxLength: 80 })),
      merges: fc.boolean(),
      value: fc.string({ maxLength: 300 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .chain((steps) => fc.tuple(fc.constant(steps), hex(16), hex(16)))
  .map(([steps, ...actors]) => {
    const handles = actors.map((actor) => newHandle(actor))
    for (const { actor, time, message, merges, value } of steps) {
      const [mine, other] = (actor === 0 ? handles : handles.toReversed()) as [(typeof handles)[0], (typeof handles)[0]]
      if (merges) mine.applyChanges(other.getChanges([]))
      mine.put('_root', '/x', value, 'str')
      mine.commit(message, time)
    }
    const made = handles.flatMap((handle) => handle.getChanges([]))
    for (const handle of handles) handle.free()
    return made
  })

it('reads of every change what decoding it whole gives', () => {
  const property = fc.property(changes, (all) => {
    for (const change of all) {
      const { hash, deps, time, message } = decodeChange(change)
      expect(readChangeHeader(change)).toEqual({ hash, deps, time, message: message ?? '' })
    }
  })
  fc.assert(property, { numRuns: 100 })
})

it('refuses whatever is cut short or of another type, and never reads beyond the end', () => {
  const handle = newHandle('ab'.repeat(16))
  handle.put('_root', '/x', 1, 'int')
  handle.commit('sec', 1_700_000_000)
  const [change] = handle.getChanges([]) as [Uint8Array]
  const malformed = expect.objectContaining({ code: 'CHANGE_MALFORMED' })
  for (let length = 0; length < 30; length++)
    expect(() => readChangeHeader(change.subarray(0, length))).toThrow(malformed)
  for (const type of [0, 2, 255]) {
    const other = change.slice()
    other[8] = type
    expect(() => readChangeHeader(other)).toThrow(malformed)
  }
  expect(() => readChangeHeader(handle.save())).toThrow(malformed)
  handle.free()
})

it('takes random bytes for what they are: malformed, or a header, at once', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const change = Buffer.concat([Buffer.from('856f4a830000000001', 'hex'), bytes])
    try {
      expect(readChangeHeader(change).hash).toHaveLength(64)
    } catch (error) {
      expect(error).toMatchObject({ code: 'CHANGE_MALFORMED' })
    }
  })
  fc.assert(property, { numRuns: 500 })
})
