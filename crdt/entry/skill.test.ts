import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { EntryDocument, type EntryId, MESH_SCOPE, type SkillRow } from './index.ts'

const ID: EntryId = { kind: 'skill', scope: MESH_SCOPE, key: 'deploy' }
const actorOf = (n: number) => n.toString(16).padStart(32, '0')
const by = (nodeId: string, at = 100) => ({ nodeId, at })

const opened: EntryDocument[] = []
const freeAll = () => {
  for (const document of opened.splice(0)) document.free()
}
afterEach(freeAll)

function nodes(count: number): EntryDocument[] {
  const created = Array.from({ length: count }, (_, n) => EntryDocument.create(ID, actorOf(n + 1)))
  opened.push(...created)
  return created
}

function put(document: EntryDocument, content: string | undefined, path?: string, author = by('ceo')): void {
  document.put({ kind: 'skill', content, path }, author)
}

function meet(...documents: readonly EntryDocument[]): void {
  for (const to of documents) for (const from of documents) to.apply(from.changesSince(to.heads))
  for (const document of documents) expect(document.view()).toEqual((documents[0] as EntryDocument).view())
}

const rowOf = (document: EntryDocument) => document.view().row as SkillRow
const linesOf = (count: number, tag: string) =>
  Array.from({ length: count }, (_, i) => `${tag} ${i} ${'.'.repeat(40)}\n`)

/** Two nodes that hold `base`, put what each says, and meet. */
function together(base: string, first: string, second: string) {
  const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
  put(a, base)
  meet(a, b)
  put(a, first)
  put(b, second, undefined, by('sec'))
  meet(a, b)
  return { content: rowOf(a).content, conflicts: a.conflicts(), a, b }
}

describe('a skill', () => {
  it('is shown as a row', () => {
    const [a] = nodes(1) as [EntryDocument]
    put(a, '# Deploy\n', '/skills/deploy', by('ceo', 7))
    expect(a.view().row).toEqual({
      name: 'deploy',
      source_node: 'ceo',
      content: '# Deploy\n',
      path: '/skills/deploy',
      updated_at: 7,
      scope: 'mesh',
    })
  })

  it('keeps any text byte for byte, whatever was there before', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '\n',
        '\r\n',
        '\r',
        '\t',
        'a\n',
        'b\n',
        '---\n',
        'é',
        'e\u0301',
        '👩‍👩‍👧',
        '\u2028',
        '\u0000',
        '\ufffc',
        '\ufeff',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    )
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), (versions) => {
        const [a] = nodes(1) as [EntryDocument]
        for (const version of versions) {
          put(a, version)
          expect(rowOf(a).content).toBe(version)
        }
        const again = EntryDocument.load(ID, a.save(), actorOf(9))
        opened.push(again)
        expect(rowOf(again).content).toBe(versions.at(-1))
        expect(again.conflicts()).toEqual([])
        freeAll()
      }),
      { numRuns: 200 },
    )
  })

  it('can be a path, a text, or both, and go from one to another', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    const shapes = [
      [undefined, '/p'],
      ['text', undefined],
      ['text', '/q'],
      [undefined, '/q'],
      ['', undefined],
      ['again', '/r'],
    ] as const
    for (const [content, path] of shapes) {
      put(a, content, path)
      meet(a, b)
      expect(rowOf(b)).toMatchObject({ content: content ?? null, path: path ?? null })
      expect(b.conflicts()).toEqual([])
    }
  })
})

describe('a skill imported on two nodes', () => {
  it('is one skill where the text is the same', () => {
    const [a, b, c] = nodes(3) as [EntryDocument, EntryDocument, EntryDocument]
    const content = '---\nname: deploy\n---\n# Deploy\n'
    put(a, content, undefined, by('ceo', 1))
    put(b, content, undefined, by('sec', 2))
    put(c, content, '/elsewhere', by('lab', 3))
    meet(a, b)
    expect(rowOf(a).content).toBe(content)
    expect(a.conflicts()).toEqual([])
    put(a, `${content}more\n`)
    put(b, `first\n${content}`)
    meet(a, b)
    expect(rowOf(b).content).toBe(`first\n${content}more\n`)
    expect(b.conflicts()).toEqual([])
    // A different path is a difference, but not of the text.
    meet(b, c)
    expect(rowOf(c).content?.split('# Deploy')).toHaveLength(2)
  })

  it('is a conflict that keeps both where the texts differ, and says whose each is', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 'mine\n', undefined, by('ceo', 11))
    put(b, 'yours\n', undefined, by('sec', 22))
    meet(a, b)
    const [conflict, ...others] = a.conflicts()
    expect(others).toEqual([])
    expect(conflict?.path).toBe('content')
    expect(conflict?.values[0]?.value).toBe(rowOf(a).content)
    expect(conflict?.values.toSorted((one, other) => one.updatedAt - other.updatedAt)).toEqual([
      { value: 'mine\n', nodeId: 'ceo', updatedAt: 11 },
      { value: 'yours\n', nodeId: 'sec', updatedAt: 22 },
    ])
    expect(a.view().conflicts).toBe(1)
  })

  it('is a conflict until somebody writes the text anew', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 'mine\n')
    put(b, 'yours\n', undefined, by('sec'))
    meet(a, b)
    put(a, 'ours\n')
    meet(a, b)
    expect(rowOf(b).content).toBe('ours\n')
    expect(b.conflicts()).toEqual([])
  })

  it('with one text and two paths does not come to disagree about the text when one node edits it', () => {
    const [a, b] = nodes(2) as [EntryDocument, EntryDocument]
    put(a, 'text\n', '/here')
    put(b, 'text\n', '/there', by('sec'))
    meet(a, b)
    expect(a.conflicts().map(({ path }) => path)).toEqual(['path'])
    put(a, 'text\nmore\n', '/here')
    meet(a, b)
    expect(b.conflicts().map(({ path }) => path)).not.toContain('content')
  })
})

describe('concurrent edits of a skill', () => {
  it('of different lines merge', () => {
    const base = linesOf(9, 'line')
    const edited = (at: number, text: string) => base.map((line, i) => (i === at ? text : line)).join('')
    expect(together(base.join(''), edited(1, 'mine\n'), edited(7, 'yours\n'))).toMatchObject({
      content: base.map((line, i) => (i === 1 ? 'mine\n' : i === 7 ? 'yours\n' : line)).join(''),
      conflicts: [],
    })
  })

  it('merge where one inserts and the other removes', () => {
    expect(together('a\nb\nc\nd\n', 'a\nx\nb\nc\nd\n', 'a\nb\nd\n').content).toBe('a\nx\nb\nd\n')
  })

  it('merge at both ends, also without a last line break', () => {
    expect(together('a\nb\nc', 'first\na\nb\nc', 'a\nb\nc\nlast').content).toBe('first\na\nb\nc\nlast')
  })

  it('lose no line that one of them added and none removed, and bring none back', () => {
    const base = ['a\n', 'b\n', 'c\n', 'd\n', 'e\n', 'f\n']
    const edit = fc.record({ kept: fc.subarray(base), at: fc.nat({ max: 6 }) })
    fc.assert(
      fc.property(edit, edit, (mine, yours) => {
        const version = ({ kept, at }: typeof mine, added: string) => kept.toSpliced(at, 0, added).join('')
        const { content } = together(base.join(''), version(mine, 'MINE\n'), version(yours, 'YOURS\n'))
        const lines = content?.match(/[^\n]*\n/g) ?? []
        const both = base.filter((line) => mine.kept.includes(line) && yours.kept.includes(line))
        expect(lines.filter((line) => !/MINE|YOURS/.test(line))).toEqual(both)
        expect(lines.toSorted()).toEqual(['MINE\n', 'YOURS\n', ...both].toSorted())
        freeAll()
      }),
      { numRuns: 150 },
    )
  })

  it('count characters outside the basic plane right', () => {
    const base = '👩‍👩‍👧 one\n𝒳 two\nthree\nfour 🚀\n'
    const { content } = together(base, base.replace('three', '3 🎉'), base.replace('one', '1'))
    expect(content).toBe('👩‍👩‍👧 1\n𝒳 two\n3 🎉\nfour 🚀\n')
  })
})

describe('the cost of a skill', () => {
  /** Least processor time of three tries, in milliseconds: on a busy machine the clock on the wall says little. */
  function cpu(act: () => () => void): number {
    const times = [0, 1, 2].map(() => {
      const measured = act()
      const before = process.cpuUsage()
      measured()
      const { user, system } = process.cpuUsage(before)
      freeAll()
      return (user + system) / 1_000
    })
    return Math.min(...times)
  }
  const hundredKilobytes = (tag: string) => linesOf(2_000, tag).join('')

  // As multiples of what the first put of the same text costs in the same run: the same on a slow or busy machine.
  const first = () => {
    const text = hundredKilobytes('line')
    return cpu(() => {
      const [a] = nodes(1) as [EntryDocument]
      return () => put(a, text)
    })
  }
  const changed = (edit: (lines: readonly string[]) => readonly string[]) => {
    const lines = linesOf(2_000, 'line')
    const edited = edit(lines).join('')
    return cpu(() => {
      const [a] = nodes(1) as [EntryDocument]
      put(a, lines.join(''))
      return () => put(a, edited)
    })
  }

  it.each([
    [
      'an edit of some lines',
      2,
      (lines: readonly string[]) => lines.map((line, i) => (i % 100 ? line : `edited ${i}\n`)),
    ],
    ['a rewrite of every line', 2, () => linesOf(2_000, 'other')],
    ['all its lines in another order', 5, (lines: readonly string[]) => lines.toReversed()],
  ])('of 100 KB is, for %s, at most %d times that of its first put', (_name, most, edit) => {
    expect(changed(edit) / first()).toBeLessThan(most)
  })
})
