import { describe, expect, it } from 'vitest'
import { newHandle } from './automerge.ts'
import { type Chunk, readChunks } from './chunks.ts'
import { EntryDocument, type EntryId } from './index.ts'

const id: EntryId = { kind: 'memory', scope: 'mesh' as EntryId['scope'], key: 'plan' }
const actor = 'ab'.repeat(16)
const malformed = expect.objectContaining({ code: 'CHANGE_MALFORMED' })

/** A whole document, and its changes one by one. */
function written(): { whole: Uint8Array; changes: readonly Uint8Array[]; heads: readonly string[] } {
  const document = EntryDocument.create(id, actor)
  document.put({ kind: 'memory', value: { a: 1 } }, { nodeId: 'ceo', at: 1 })
  document.put({ kind: 'memory', value: { a: 'x'.repeat(500) } }, { nodeId: 'ceo', at: 2 })
  const { heads } = document
  const made = { whole: document.save(), changes: document.changesSince([]), heads }
  document.free()
  return made
}

const kinds = (chunks: readonly Chunk[]) => chunks.map(({ kind }) => kind)

function headsOf(runs: readonly Uint8Array[]): readonly string[] {
  const document = EntryDocument.create(id, 'cd'.repeat(16))
  try {
    document.apply(runs)
    return document.heads
  } finally {
    document.free()
  }
}

describe('runs of chunks', () => {
  it('are taken apart: documents, changes, and a document with changes behind it, in one run or in several', () => {
    const { whole, changes, heads } = written()
    const [first, one, two] = changes as [Uint8Array, Uint8Array, Uint8Array]
    expect(readChunks([])).toEqual([])
    for (const [runs, expected] of [
      [[whole], ['document']],
      [
        [first, one, two],
        ['change', 'change', 'change'],
      ],
      [[Buffer.concat([first, one, two])], ['change', 'change', 'change']],
      [[Buffer.concat([whole, two])], ['document', 'change']],
      [
        [whole, Buffer.concat([one, two])],
        ['document', 'change', 'change'],
      ],
    ] as const) {
      const chunks = readChunks(runs)
      expect(kinds(chunks)).toEqual(expected)
      expect(Buffer.concat(chunks.map(({ bytes }) => bytes)).equals(Buffer.concat(runs))).toBe(true)
      expect(headsOf(runs)).toEqual(heads)
    }
  })

  it('that are cut short anywhere, or have something behind them, are refused', () => {
    const { whole, changes } = written()
    for (const run of [whole, Buffer.concat(changes), Buffer.concat([whole, changes[2] as Uint8Array])]) {
      const ends = readChunks([run]).map(({ bytes }) => bytes.byteOffset + bytes.length - run.byteOffset)
      for (let length = 0; length < run.length; length++) {
        if (ends.includes(length)) continue
        expect(() => readChunks([run.subarray(0, length)]), `${length}`).toThrow(malformed)
      }
      for (const junk of [Buffer.of(0), Buffer.from('junk behind the last chunk'), run.subarray(0, 12)]) {
        expect(() => readChunks([Buffer.concat([run, junk])])).toThrow(malformed)
      }
    }
    expect(() => readChunks([whole, new Uint8Array()])).toThrow(malformed)
  })

  it('of other types, or with a document behind something else, are refused', () => {
    const { whole, changes } = written()
    for (const type of [2, 3, 4, 255]) {
      const other = Buffer.from(whole)
      other[8] = type
      expect(() => readChunks([other])).toThrow(malformed)
      expect(() => readChunks([...changes, other])).toThrow(malformed)
    }
    for (const runs of [[whole, whole], [Buffer.concat([whole, whole])], [changes[0] as Uint8Array, whole]]) {
      expect(() => readChunks(runs)).toThrow(malformed)
    }
  })

  it('whose length is beyond any number are refused at once', () => {
    const head = written().whole.subarray(0, 9)
    for (const length of [
      [0xff, 0xff, 0xff, 0xff, 0x7f],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      Array<number>(40).fill(0x80),
      [0x80],
    ]) {
      expect(() => readChunks([Buffer.concat([head, Buffer.from(length)])])).toThrow(malformed)
    }
  })
})

describe('what Automerge passes over without a word', () => {
  it('behind the first chunk is refused, into an empty document and into one that holds something', () => {
    const { whole, changes } = written()
    const [first, one, two] = changes as [Uint8Array, Uint8Array, Uint8Array]
    const spoil = (chunk: Uint8Array) => chunk.map((byte, i) => (i === 20 ? byte ^ 1 : byte))
    const handle = newHandle('cd'.repeat(16))
    handle.loadIncremental(Buffer.concat([first, one, spoil(two)]))
    expect(handle.getHeads()).toHaveLength(0)
    handle.free()
    for (const runs of [[spoil(whole)], [first, one, spoil(two)], [first, spoil(one), two], [whole, spoil(two)]]) {
      expect(() => headsOf(runs)).toThrow(malformed)
    }
    const held = EntryDocument.load(id, Buffer.concat([first, one]), actor)
    expect(() => held.apply([spoil(whole)])).toThrow(malformed)
    held.free()
  })
})
