/**
 * What entries gain by putting ops on Automerge's handle, as `crdt/entry/automerge.ts` does, over `Automerge.change`
 * with its proxies and materialised copy. The same five leaves, as plain values that never merge inside, both ways.
 */
import { free, load } from '@automerge/automerge'
import { newHandle } from '../../crdt/entry/automerge.ts'
import { ACTOR, createHandle, createHighLevel, leavesOf } from '../bare-automerge.ts'
import { rateOfSync } from '../measure.ts'
import type { Question, Subject } from '../question.ts'
import { benchValue } from '../values.ts'

const SIZES = {
  tiny: { rounds: 1, warmUps: 0, documents: 20 },
  small: { rounds: 5, warmUps: 1, documents: 2_000 },
  full: { rounds: 9, warmUps: 1, documents: 10_000 },
} as const

export const automergeHandle: Question = {
  name: 'automerge-handle',
  asks: 'What does a document cost on Automerge’s low-level handle, against `Automerge.change` and `load`?',
  figures: () => [
    { id: 'create', what: 'create, save and free, handle', unit: 'µs', against: ['create.change'] },
    { id: 'create.change', what: 'create, save and free, `Automerge.change`', unit: 'µs' },
    { id: 'load', what: 'load and free, handle', unit: 'µs', against: ['load.load'] },
    { id: 'load.load', what: 'load and free, `Automerge.load`', unit: 'µs' },
    { id: 'bytes', what: 'size of a document, saved', unit: 'bytes' },
  ],
  sizes: SIZES,
  open: async (size) => openSubject(SIZES[size].documents),
}

function openSubject(documents: number): Subject {
  const all = Array.from({ length: documents }, (_, i) => leavesOf(benchValue(i)))
  const leaves = (i: number) => all[i] ?? []
  const saved = all.map((_, i) => {
    const handle = createHandle(leaves(i))
    const bytes = handle.save()
    handle.free()
    return bytes
  })
  const microseconds = (work: (i: number) => void) => 1e6 / rateOfSync(documents, work)
  return {
    round: async () => ({
      create: microseconds((i) => {
        const handle = createHandle(leaves(i))
        handle.save()
        handle.free()
      }),
      'create.change': microseconds((i) => {
        const document = createHighLevel(leaves(i))
        document.save()
        document.free()
      }),
      load: microseconds((i) => {
        const handle = newHandle(ACTOR)
        handle.loadIncremental(saved[i] ?? new Uint8Array())
        handle.free()
      }),
      'load.load': microseconds((i) => free(load(saved[i] ?? new Uint8Array()))),
      bytes: saved.reduce((sum, { length }) => sum + length, 0) / documents,
    }),
    close: async () => {},
  }
}
