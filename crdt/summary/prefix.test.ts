import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CodedSymbols, ITEM_BYTES, idOf, MAX_SYMBOLS, SymbolPrefix, WINDOWS } from './index.ts'
import { hashes, prefixOf } from './source-suite.ts'
import { accumulate } from './symbols.ts'

const item = fc.uint8Array({ minLength: ITEM_BYTES, maxLength: ITEM_BYTES })
const itemLists = fc.uniqueArray(item, { maxLength: 30, selector: String })
const windows = fc.constantFrom(...WINDOWS)
const lengths = fc.nat({ max: 100 })

const allOf = (prefix: SymbolPrefix): CodedSymbols => prefix.symbols(0, prefix.length)

/** As bytes by the description alone: four runs of 32-bit lanes, little-endian. */
function described({ sumLow, sumHigh, check, count }: CodedSymbols): Buffer {
  const words = [...sumLow, ...sumHigh, ...check, ...Uint32Array.from(count)]
  const bytes = Buffer.alloc(4 * words.length)
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(word, 4 * i)
  return bytes
}

describe('SymbolPrefix', () => {
  it('kept up to date is the one made from scratch', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, lengths, (kept, gone, window, length) => {
        const prefix = prefixOf([...kept, ...gone], window, length)
        for (const one of gone) prefix.remove(one)
        expect(allOf(prefix)).toEqual(allOf(prefixOf(kept, window, length)))
      }),
    )
  })

  it('takes ids for items, whichever way either went in', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, lengths, (kept, gone, window, length) => {
        const prefix = new SymbolPrefix(window, length)
        for (const one of gone) prefix.add(one)
        for (const one of kept) prefix.addId(idOf(one, window))
        for (const one of gone) prefix.removeId(idOf(one, window))
        expect(allOf(prefix)).toEqual(allOf(prefixOf(kept, window, length)))
        for (const one of kept) prefix.remove(one)
        expect(allOf(prefix)).toEqual(allOf(new SymbolPrefix(window, length)))
      }),
    )
  })

  it('undoes a taking out by a putting in: no order is needed', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, (kept, lent, window) => {
        const prefix = prefixOf(kept, window, 80)
        for (const one of lent) prefix.removeId(idOf(one, window))
        for (const one of lent) prefix.addId(idOf(one, window))
        expect(allOf(prefix)).toEqual(allOf(prefixOf(kept, window, 80)))
      }),
    )
  })

  it('of any length is the beginning of a longer one, however it is asked', () => {
    const asks = fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 200 })), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(itemLists, windows, asks, (items, window, ranges) => {
        const whole = prefixOf(items, window, 500)
        for (const [from, count] of ranges) {
          const asked = prefixOf(items, window, from + count).symbols(from, count)
          expect(asked.length).toBe(count)
          expect(asked).toEqual(whole.symbols(from, count))
          expect(asked.sumLow).toEqual(allOf(whole).sumLow.slice(from, from + count))
          expect(asked.sumHigh).toEqual(allOf(whole).sumHigh.slice(from, from + count))
          expect(asked.check).toEqual(allOf(whole).check.slice(from, from + count))
          expect(asked.count).toEqual(allOf(whole).count.slice(from, from + count))
        }
      }),
    )
  })

  it('adds up over sets and subtracts to the difference', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, (a, b, window) => {
        const sum = allOf(prefixOf(a, window, 80))
        accumulate(sum, allOf(prefixOf(b, window, 80)), 1)
        expect(sum).toEqual(allOf(prefixOf([...a, ...b], window, 80)))
        accumulate(sum, allOf(prefixOf(a, window, 80)), -1)
        expect(sum).toEqual(allOf(prefixOf(b, window, 80)))
      }),
    )
  })

  it('gives copies: what is done to them changes nothing here', () => {
    const prefix = prefixOf(hashes('lent', 20), 0, 50)
    const given = allOf(prefix)
    for (const lane of [given.sumLow, given.sumHigh, given.check, given.count]) lane.fill(7)
    expect(allOf(prefix)).toEqual(allOf(prefixOf(hashes('lent', 20), 0, 50)))
  })

  it('goes on from a copy, which changes on its own', () => {
    fc.assert(
      fc.property(itemLists, itemLists, itemLists, windows, lengths, (both, here, there, window, length) => {
        const prefix = prefixOf(both, window, length)
        const copy = prefix.copy()
        expect([copy.window, copy.length]).toEqual([window, length])
        for (const one of here) prefix.add(one)
        expect(allOf(copy)).toEqual(allOf(prefixOf(both, window, length)))
        for (const one of there) copy.add(one)
        expect(allOf(prefix)).toEqual(allOf(prefixOf([...both, ...here], window, length)))
        expect(allOf(copy)).toEqual(allOf(prefixOf([...both, ...there], window, length)))
      }),
    )
  })

  it('refuses what does not fit', () => {
    const prefix = new SymbolPrefix(0, 10)
    expect(() => prefix.symbols(5, 6)).toThrow(RangeError)
    expect(() => prefix.symbols(-1, 1)).toThrow(RangeError)
    expect(() => prefix.symbols(1, -1)).toThrow(RangeError)
    expect(() => prefix.symbols(Number.NaN, 1)).toThrow(RangeError)
    expect(() => prefix.add(new Uint8Array(8))).toThrow(RangeError)
    expect(() => prefix.remove(new Uint8Array(31))).toThrow(RangeError)
    for (const length of [-1, 0.5, Number.NaN, MAX_SYMBOLS + 1]) {
      expect(() => new SymbolPrefix(0, length)).toThrow(RangeError)
    }
    expect(allOf(prefix)).toEqual(allOf(new SymbolPrefix(0, 10)))
  })
})

describe('an encoded prefix', () => {
  it('is read back, and goes on from there', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, lengths, (kept, later, window, length) => {
        const prefix = prefixOf(kept, window, length)
        const decoded = SymbolPrefix.decode(window, prefix.encode())
        expect([decoded.window, decoded.length]).toEqual([window, length])
        expect(allOf(decoded)).toEqual(allOf(prefix))
        for (const one of later) decoded.add(one)
        expect(allOf(decoded)).toEqual(allOf(prefixOf([...kept, ...later], window, length)))
      }),
    )
  })

  it('keeps its format, also of what was only taken out', () => {
    fc.assert(
      fc.property(itemLists, itemLists, windows, lengths, (kept, gone, window, length) => {
        const prefix = prefixOf(kept, window, length)
        for (const one of gone) prefix.remove(one)
        const encoded = prefix.encode()
        expect(Buffer.from(encoded)).toEqual(described(allOf(prefix)))
        expect(Buffer.from(SymbolPrefix.decode(window, encoded).encode())).toEqual(Buffer.from(encoded))
      }),
    )
  })

  it('is read from any place of a larger buffer', () => {
    const prefix = prefixOf(hashes('within', 40), 2, 33)
    const encoded = prefix.encode()
    const buffer = Buffer.concat([Buffer.of(1, 2, 3), encoded, Buffer.of(4)])
    expect(allOf(SymbolPrefix.decode(2, buffer.subarray(3, 3 + encoded.length)))).toEqual(allOf(prefix))
  })

  it('shares no bytes with a prefix', () => {
    const items = hashes('apart', 40)
    const prefix = prefixOf(items, 1, 30)
    const encoded = prefix.encode()
    const decoded = SymbolPrefix.decode(1, encoded)
    encoded.fill(0xff)
    expect(allOf(prefix)).toEqual(allOf(prefixOf(items, 1, 30)))
    expect(allOf(decoded)).toEqual(allOf(prefixOf(items, 1, 30)))
  })

  it('is refused at a length that none has', () => {
    const sound = prefixOf(hashes('cut', 5), 0, 4).encode()
    for (let cut = 1; cut < 16; cut++) {
      expect(() => SymbolPrefix.decode(0, sound.subarray(0, sound.length - cut))).toThrow(RangeError)
      expect(() => SymbolPrefix.decode(0, Buffer.concat([sound, Buffer.alloc(cut)]))).toThrow(RangeError)
    }
    expect(() => SymbolPrefix.decode(0, new Uint8Array(16 * (MAX_SYMBOLS + 1)))).toThrow(RangeError)
    expect(SymbolPrefix.decode(0, new Uint8Array(0)).length).toBe(0)
  })
})
