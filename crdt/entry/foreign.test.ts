import { afterEach, describe, expect, it } from 'vitest'
import { newHandle } from './automerge.ts'
import { EntryDocument, type EntryId, type JsonValue, MESH_SCOPE, type MemoryRow } from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')
const by = (nodeId: string, at = 100) => ({ nodeId, at })

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})

function nodes(count: number): EntryDocument[] {
  const created = Array.from({ length: count }, (_, n) => EntryDocument.create(MEMORY, actorOf(n + 1)))
  opened.push(...created)
  return created
}

function put(document: EntryDocument, value: JsonValue, author = by('ceo')): string {
  return document.put({ kind: 'memory', value }, author)
}

const shownBy = (document: EntryDocument | undefined) => (document?.view().row as MemoryRow | undefined)?.value

describe('what another wrote that this format does not (S-16, S-21)', () => {
  /** A document as a careless or hostile member could make it. */
  function foreign(write: (handle: ReturnType<typeof newHandle>) => void): EntryDocument {
    const handle = newHandle(actorOf(7))
    handle.put('_root', 'live', 1, 'int')
    write(handle)
    handle.commit('lab', 5)
    const bytes = handle.save()
    handle.free()
    const document = EntryDocument.load(MEMORY, bytes, actorOf(8))
    opened.push(document)
    return document
  }
  const bytesOf = (text: string) => new TextEncoder().encode(text)

  it('is passed over, and what is sound beside it is shown', () => {
    const document = foreign((handle) => {
      handle.put('_root', '/sound', 'x', 'str')
      handle.put('_root', 'no path', 1, 'int')
      handle.put('_root', '/timestamp', 1, 'timestamp')
      handle.put('_root', '/counter', 1, 'counter')
      handle.put('_root', '/infinite', Number.POSITIVE_INFINITY, 'f64')
      handle.put('_root', '/bytes', Uint8Array.of(0xff, 0xfe), 'bytes')
      handle.put('_root', '/object', bytesOf('{"a":1}'), 'bytes')
      handle.put('_root', '/text', bytesOf('"x"'), 'bytes')
      handle.putObject('_root', '/map', {})
      handle.putObject('_root', '/collaborative', 'text')
    })
    expect(shownBy(document)).toEqual({ sound: 'x' })
    expect(document.conflicts()).toEqual([])
    put(document, { sound: 'y' })
    expect(shownBy(document)).toEqual({ sound: 'y' })
  })

  it('cannot reach the prototype of anything', () => {
    const document = foreign((handle) => {
      handle.put('_root', '/__proto__/polluted', 1, 'int')
      handle.put('_root', '/constructor/prototype/polluted', 1, 'int')
      handle.put('_root', '/a', bytesOf('[{"__proto__":{"polluted":1}}]'), 'bytes')
    })
    expect(JSON.parse(JSON.stringify(document.view()))).toBeDefined()
    expect(document.conflicts()).toEqual([])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(Object.getPrototypeOf(shownBy(document))).toBe(Object.prototype)
  })

  it('cannot stop the entry from being read by two paths of one name', () => {
    const document = foreign((handle) => {
      handle.put('_root', '/a~02b', 1, 'int')
      handle.put('_root', '/a~2b/c', 2, 'int')
      handle.put('_root', '/tail~', 3, 'int')
    })
    expect(() => JSON.stringify([document.view(), document.conflicts()])).not.toThrow()
    put(document, 'mended')
    expect(shownBy(document)).toBe('mended')
  })

  it('cannot stop the entry from being read by nesting', () => {
    const deepPath = foreign((handle) => handle.put('_root', '/a'.repeat(20_000), 1, 'int'))
    expect(() => JSON.stringify([deepPath.view(), deepPath.conflicts()])).not.toThrow()
    const deepArray = foreign((handle) => {
      handle.put('_root', '/a', bytesOf(`${'['.repeat(50_000)}${']'.repeat(50_000)}`), 'bytes')
    })
    expect(() => JSON.stringify([deepArray.view(), deepArray.conflicts()])).not.toThrow()
  })
})

describe('who and when, where another keeps to no rule', () => {
  /** An entry with a change on top by a member that keeps to no rule of time; undefined where it is refused. */
  function withForeignTime(time: number): EntryDocument | undefined {
    const [a] = nodes(1) as [EntryDocument]
    put(a, 1, by('ceo', 1_000))
    const handle = newHandle(actorOf(7))
    handle.loadIncremental(a.save())
    handle.put('_root', '', 2, 'int')
    handle.put('_root', 'live', 2, 'int')
    handle.commit('lab', time)
    const changes = handle.getChanges([])
    handle.free()
    try {
      a.apply(changes)
    } catch (error) {
      expect((error as { code?: string }).code).toBe('CHANGE_MALFORMED')
      return undefined
    }
    expect(shownBy(a)).toBe(2)
    return a
  }

  it.each([5, 0, -1, -1e15])('do not run backwards because of a change at %d by somebody who lets them', (time) => {
    expect(withForeignTime(time)?.view().updatedAt ?? 1_000).toBeGreaterThanOrEqual(1_000)
  })

  it.each([2 ** 53, 2 ** 62, 1e19])('are there also after a change at %d, which is no time', (time) => {
    const document = withForeignTime(time)
    if (document === undefined) return
    expect(() => [document.view(), document.conflicts(), document.history(), document.authoredHashes()]).not.toThrow()
    put(document, 3, by('ceo', 1_001))
    expect(shownBy(document)).toBe(3)
    expect(Number.isSafeInteger(document.view().updatedAt)).toBe(true)
    expect(document.history()).toHaveLength(3)
  })
})

describe('changes from elsewhere', () => {
  const code = (act: () => unknown) => {
    try {
      act()
    } catch (error) {
      return (error as { code?: string }).code ?? error
    }
    return undefined
  }

  it('that are no Automerge are refused with a typed error (S-16)', () => {
    const [a] = nodes(1) as [EntryDocument]
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(5_000).fill(0x85)]) {
      const [b] = nodes(1) as [EntryDocument]
      expect(code(() => b.apply([bytes]))).toBe('CHANGE_MALFORMED')
    }
    put(a, { a: 1 })
    const [, change] = a.changesSince([]) as [Uint8Array, Uint8Array]
    for (let at = 0; at < change.length; at++) {
      const [b] = nodes(1) as [EntryDocument]
      const flipped = change.map((byte, i) => (i === at ? byte ^ 1 : byte))
      expect(code(() => b.apply([...a.changesSince([]).slice(0, 1), flipped]))).toMatch(/^CHANGE_/)
      expect(code(() => EntryDocument.load(MEMORY, change.subarray(0, at + 1).fill(7, at), actorOf(9)).free())).toMatch(
        /^CHANGE_|undefined/,
      )
    }
  })

  it('that build on others which are not here are told apart from malformed ones', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 1)
    put(a, 2)
    expect(code(() => b.apply(a.changesSince([]).slice(2)))).toBe('CHANGE_INCOMPLETE')
  })

  it('are all that a document has, as said by changesSince', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 1)
    const { heads } = a
    put(a, 2)
    expect(a.changesSince([]).length).toBe(3)
    expect(a.changesSince(heads).length).toBe(1)
    expect(a.changesSince(a.heads)).toEqual([])
    b.apply(a.changesSince([]))
    expect(b.save().length).toBe(a.save().length)
  })

  it('cut off or missing their beginning are no document', () => {
    const [a] = nodes(1) as [EntryDocument]
    put(a, { text: 'x'.repeat(500) })
    put(a, { text: 'y' })
    const bytes = a.save()
    const load = (saved: Uint8Array) => code(() => EntryDocument.load(MEMORY, saved, actorOf(9)).free())
    expect(load(bytes)).toBeUndefined()
    expect(load(bytes.subarray(0, -1))).toBe('CHANGE_MALFORMED')
    expect(load(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 4 : byte)))).toBe('CHANGE_MALFORMED')
    expect(load(a.changesSince([])[2] as Uint8Array)).toMatch(/^CHANGE_/)
  })
})
