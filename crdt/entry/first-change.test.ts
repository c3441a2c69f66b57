import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { newHandle } from './automerge.ts'
import {
  type EntryContent,
  EntryDocument,
  type EntryId,
  firstChange,
  inspectChange,
  isFirstChange,
  MESH_SCOPE,
  type MemoryRow,
  parseScope,
  type SkillRow,
} from './index.ts'

const MEMORY: EntryId = { kind: 'memory', scope: MESH_SCOPE, key: 'plan' }
const SKILL: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')
const by = (nodeId: string, at = 100) => ({ nodeId, at })
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const skill = (content: string | undefined, path?: string): EntryContent => ({ kind: 'skill', content, path })
const memory = (value: never): EntryContent => ({ kind: 'memory', value })

const opened: EntryDocument[] = []
afterEach(() => {
  for (const document of opened.splice(0)) document.free()
})
function nodes(count: number, id: EntryId): EntryDocument[] {
  const created = Array.from({ length: count }, (_, n) => EntryDocument.create(id, actorOf(n + 1)))
  opened.push(...created)
  return created
}
function meet(...documents: readonly EntryDocument[]): void {
  for (const to of documents) for (const from of documents) to.apply(from.changesSince(to.heads))
  for (const document of documents) expect(document.view()).toEqual((documents[0] as EntryDocument).view())
}

/** A change made by hand, as no node of ours would. */
function changeBy(
  actor: string,
  write: (handle: ReturnType<typeof newHandle>) => void,
  message: string | null = null,
  time = 0,
) {
  const handle = newHandle(actor)
  write(handle)
  handle.commit(message, time)
  const [change] = handle.getChanges([])
  handle.free()
  return change as Uint8Array
}

describe('the first change', () => {
  it('of a memory is the same bytes for ever, whatever the entry and value', () => {
    const bytes = firstChange(MEMORY, memory({ a: 1 } as never))
    expect(hex(bytes)).toBe('856f4a83450587350118001000000000000000000000000000000000010100000000')
    expect(firstChange({ ...MEMORY, key: 'other', scope: parseScope('tenant:x') }, memory(null as never))).toEqual(
      bytes,
    )
    const [a] = nodes(1, MEMORY) as [EntryDocument]
    a.put(memory(5 as never), by('ceo'))
    expect(a.changesSince([])[0]).toEqual(bytes)
  })

  it('of a skill is the same bytes for ever', () => {
    expect(hex(firstChange(SKILL, skill('# Deploy\n')))).toBe(
      '856f4a8338ae61600155001073ce1144a1d781ddfccc1d9e53bdbc9a010100000009010402041304150b3402420356045709700200017f0000017f0100017f007f07636f6e74656e74000101017e02017e00960123204465706c6f790a0200',
    )
    expect(hex(firstChange(SKILL, skill(undefined, '/p')))).toBe(
      '856f4a8305dcb46601180010c36c6444e894aadc4656eb97e75742a4010100000000',
    )
  })

  it('of a skill is derived from the entry and the text, and not from the path, which its author says', () => {
    const all = [
      firstChange(SKILL, skill('text')),
      firstChange(SKILL, skill('text ')),
      firstChange(SKILL, skill('')),
      firstChange(SKILL, skill(undefined, 'text')),
      firstChange({ ...SKILL, key: 'deploy2' }, skill('text')),
      firstChange({ ...SKILL, scope: parseScope('federation') }, skill('text')),
    ]
    expect(new Set(all.map((change) => inspectChange(change).hash)).size).toBe(all.length)
    for (const change of all) expect(inspectChange(change)).toMatchObject({ deps: [], time: 0 })
    expect(firstChange(SKILL, skill('text', '/p'))).toEqual(all[0])
  })

  it('of a skill is beneath what any node puts, and needs no signature', () => {
    const [a] = nodes(1, SKILL) as [EntryDocument]
    const put = a.put(skill('text'), by('ceo'))
    expect(a.changesSince([])[0]).toEqual(firstChange(SKILL, skill('text')))
    expect(a.authoredHashes()).toEqual([put])
  })
})

describe('isFirstChange', () => {
  it('accepts what this node would have made, for any content', () => {
    expect(isFirstChange(MEMORY, firstChange(MEMORY, memory(1 as never)))).toBe(true)
    const text = fc.option(fc.string({ unit: 'binary' }), { nil: undefined })
    fc.assert(
      fc.property(text, text, (content, path) => {
        fc.pre(content !== undefined || path !== undefined)
        expect(isFirstChange(SKILL, firstChange(SKILL, skill(content, path)))).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('refuses the first change of another entry or kind', () => {
    const change = firstChange(SKILL, skill('text'))
    expect(isFirstChange({ ...SKILL, key: 'other' }, change)).toBe(false)
    expect(isFirstChange({ ...SKILL, scope: parseScope('tenant:x') }, change)).toBe(false)
    expect(isFirstChange(MEMORY, change)).toBe(false)
    expect(isFirstChange(SKILL, firstChange(MEMORY, memory(1 as never)))).toBe(false)
  })

  it('refuses what holds more or other than it should', () => {
    const actor = inspectActor(firstChange(SKILL, skill('text')))
    const text = (handle: ReturnType<typeof newHandle>) => handle.putObject('_root', 'content', ['text'])
    // The very same by hand is accepted: that what follows is refused is due to what it changes.
    expect(isFirstChange(SKILL, changeBy(actor, text))).toBe(true)
    const forged = [
      changeBy(actor, text, null, 1),
      changeBy(actor, text, 'ceo', 0),
      changeBy(actorOf(1), text),
      changeBy(actor, (handle) => {
        text(handle)
        handle.put('_root', 'live', 1, 'int')
      }),
      changeBy(actor, (handle) => {
        text(handle)
        handle.put('_root', '/hidden', 'x', 'str')
      }),
      changeBy(actor, (handle) => handle.putObject('_root', 'content', ['te', 'xt'])),
      changeBy(actor, (handle) => handle.put('_root', 'content', 'text', 'str')),
      changeBy(actor, (handle) => handle.putObject('_root', 'content', 'text')),
      changeBy(actor, (handle) => handle.put('_root', '/a', 1, 'int')),
    ]
    for (const change of forged) expect(isFirstChange(SKILL, change)).toBe(false)
    for (const change of forged) expect(isFirstChange(MEMORY, change)).toBe(false)
    expect(
      isFirstChange(
        MEMORY,
        changeBy('00'.repeat(16), (handle) => handle.put('_root', '/a', 1, 'int')),
      ),
    ).toBe(false)
  })

  it('refuses later changes, garbage, and a first change that anything was done to (S-16)', () => {
    const [a] = nodes(1, SKILL) as [EntryDocument]
    a.put(skill('text'), by('ceo'))
    const [first, second] = a.changesSince([]) as [Uint8Array, Uint8Array]
    expect(isFirstChange(SKILL, second)).toBe(false)
    expect(isFirstChange(SKILL, a.save())).toBe(false)
    for (const kind of [SKILL, MEMORY]) {
      const sound = kind === SKILL ? first : firstChange(MEMORY, memory(1 as never))
      expect(isFirstChange(kind, new Uint8Array(0))).toBe(false)
      expect(isFirstChange(kind, Buffer.concat([sound, Buffer.of(0)]))).toBe(false)
      expect(isFirstChange(kind, Buffer.concat([sound, sound]))).toBe(false)
      for (let at = 0; at < sound.length; at++) {
        expect(isFirstChange(kind, sound.subarray(0, at))).toBe(false)
        expect(
          isFirstChange(
            kind,
            sound.map((byte, i) => (i === at ? byte ^ 0x10 : byte)),
          ),
        ).toBe(false)
      }
    }
  })
})

describe('inspectChange', () => {
  it('tells hash, dependencies and time', () => {
    const [a] = nodes(1, MEMORY) as [EntryDocument]
    const hashes = [a.put(memory(1 as never), by('ceo', 10)), a.put(memory(2 as never), by('ceo', 20))]
    const [first, ...changes] = a.changesSince([]) as [Uint8Array, Uint8Array, Uint8Array]
    const root = inspectChange(first).hash
    expect(changes.map(inspectChange)).toEqual([
      { hash: hashes[0], deps: [root], time: 10 },
      { hash: hashes[1], deps: [hashes[0]], time: 20 },
    ])
  })

  it('refuses what is no change, or more than one (S-16)', () => {
    const [a] = nodes(1, MEMORY) as [EntryDocument]
    a.put(memory(1 as never), by('ceo'))
    const [first, second] = a.changesSince([]) as [Uint8Array, Uint8Array]
    const bad = [
      new Uint8Array(0),
      a.save(),
      Buffer.concat([first, second]),
      second.subarray(1),
      second.subarray(0, -1),
    ]
    for (const bytes of bad)
      expect(() => inspectChange(bytes)).toThrow(expect.objectContaining({ code: 'CHANGE_MALFORMED' }))
  })
})

describe('what several nodes import', () => {
  it('is the same bytes on two nodes at the same version', () => {
    const contents: [EntryId, EntryContent, EntryContent][] = [
      [MEMORY, memory({ a: 1, b: [1, { z: 1, y: 2 }] } as never), memory({ b: [1, { y: 2, z: 1 }], a: 1 } as never)],
      [SKILL, { kind: 'skill', content: 'text\n' }, { kind: 'skill', path: undefined, content: 'text\n' }],
    ]
    for (const [id, content, alike] of contents) {
      const [a, b] = nodes(2, id) as [EntryDocument, EntryDocument]
      expect(a.putDerived(content, by('older', 50))).toBe(b.putDerived(alike, by('older', 50)))
      expect(a.changesSince([]).map(hex)).toEqual(b.changesSince([]).map(hex))
      // And once more on top of what each has since learnt.
      a.put(content.kind === 'skill' ? skill('text\nmore\n') : memory({ c: 1 } as never), by('ceo', 60))
      meet(a, b)
      expect(a.putDerived(content, by('older', 70))).toBe(b.putDerived(alike, by('older', 70)))
      expect(a.heads).toEqual(b.heads)
    }
  })

  it('does not depend on the order in which a node learnt what it has', () => {
    const [a, b] = nodes(2, MEMORY) as [EntryDocument, EntryDocument]
    a.put(memory({ a: 1 } as never), by('ceo'))
    b.put(memory({ b: 1 } as never), by('sec'))
    meet(a, b)
    expect(a.putDerived(memory({ c: 1 } as never), by('older'))).toBe(
      b.putDerived(memory({ c: 1 } as never), by('older')),
    )
  })

  it('differs by content, author, time and version', () => {
    const hashes = [
      [memory(1 as never), by('older', 50)],
      [memory(2 as never), by('older', 50)],
      [memory(1 as never), by('elder', 50)],
      [memory(1 as never), by('older', 51)],
    ] as const
    const made = hashes.map(([content, author]) => {
      const [document] = nodes(1, MEMORY) as [EntryDocument]
      return document.putDerived(content, author)
    })
    const [later] = nodes(1, MEMORY) as [EntryDocument]
    later.put(memory(0 as never), by('ceo', 1))
    made.push(later.putDerived(memory(1 as never), by('older', 50)))
    expect(new Set(made).size).toBe(made.length)
  })

  it('merges at different versions, without a conflict where the values agree', () => {
    const [a, b] = nodes(2, MEMORY) as [EntryDocument, EntryDocument]
    a.put(memory({ a: 1, x: 0 } as never), by('ceo'))
    meet(a, b)
    b.put(memory({ a: 1, x: 0, own: true } as never), by('sec'))
    a.putDerived(memory({ a: 2, x: 0 } as never), by('older', 200))
    b.putDerived(memory({ a: 2, x: 0, own: true } as never), by('older', 200))
    meet(a, b)
    expect((a.view().row as MemoryRow).value).toEqual({ a: 2, x: 0, own: true })
    expect(a.conflicts()).toEqual([])
  })

  it('of a skill on two nodes that knew nothing of it is not doubled', () => {
    const [a, b] = nodes(2, SKILL) as [EntryDocument, EntryDocument]
    a.putDerived(skill('text\n'), by('older', 1))
    b.putDerived(skill('text\n'), by('elder', 2))
    meet(a, b)
    expect((a.view().row as SkillRow).content).toBe('text\n')
    expect(a.conflicts()).toEqual([])
  })

  it('is an ordinary put: who, when, live, and a change that must be signed', () => {
    const [a] = nodes(1, MEMORY) as [EntryDocument]
    a.put(memory(0 as never), by('ceo', 300))
    a.remove(by('ceo', 300))
    const hash = a.putDerived(memory({ k: 1 } as never), by('older', 200))
    expect(a.view().row).toMatchObject({ value: { k: 1 }, node_id: 'older', updated_at: 300 })
    expect(a.heads).toEqual([hash])
    expect(a.authoredHashes().at(-1)).toBe(hash)
    a.put(memory({ k: 2 } as never), by('ceo', 301))
    expect(a.view().row).toMatchObject({ value: { k: 2 }, node_id: 'ceo' })
  })

  it('keeps its format', () => {
    const [a] = nodes(1, MEMORY) as [EntryDocument]
    const hash = a.putDerived(memory({ a: [1, 'x'], b: 1e20 } as never), by('older', 50))
    expect(hash).toBe('ad78dac0d276b1a8fc09f62fc010ea5ae304ecf9c24a87905180c6a5ac24697d')
  })
})

/** The actor of a change. */
function inspectActor(change: Uint8Array): string {
  const handle = newHandle(actorOf(1))
  handle.applyChanges([change])
  const [meta] = handle.getChangesMeta([]) as unknown as [{ actor: string }]
  handle.free()
  return meta.actor
}
