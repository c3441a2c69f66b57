import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { readExportLines } from './export-lines.ts'
import type { Candidate } from './source.ts'

const read = (...chunks: (string | Buffer)[]): Promise<Candidate[]> =>
  Array.fromAsync(readExportLines(Readable.from(chunks), 'mesh.jsonl').candidates)

const MEMORY = { kind: 'memory', scope: 'mesh', key: 'plan', value: { a: [1, null] }, node_id: 'ceo', updated_at: 17 }
const SKILL = { kind: 'skill', name: 'weather', source_node: 'ceo', content: '# W\n', path: null, updated_at: 18 }
const line = (row: object) => `${JSON.stringify(row)}\n`

describe('lines of an export', () => {
  test('are rows: all that an import can say of them is taken, and nothing else', async () => {
    const ending = { ...MEMORY, expires_at: 4_000_000_000, etag: '"5a"', more: 1 }
    expect(await read(line(ending), line({ ...SKILL, scope: 'user:alice' }))).toEqual([
      {
        memory: {
          scope: 'mesh',
          key: 'plan',
          value: { a: [1, null] },
          node_id: 'ceo',
          ts: 17,
          expires_at: 4_000_000_000,
        },
      },
      { skill: { name: 'weather', scope: 'user:alice', source_node: 'ceo', content: '# W\n', path: null, ts: 18 } },
    ])
  })

  test('end with a line feed alone, wherever the chunks end: other separators are text', async () => {
    const key = 'a\u2028b\u2029c\u0085dé日🦘'
    const bytes = Buffer.from(`\ufeff${line({ ...MEMORY, key })}\r\n\n${line(SKILL).slice(0, -1)}`)
    for (const size of [1, 2, 3, 7, 1_000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      expect(await read(...chunks)).toMatchObject([{ memory: { key } }, { skill: { name: 'weather' } }])
    }
  })

  test('a bad one is refused alone, with its number', async () => {
    const candidates = await read(
      line(MEMORY),
      '{"kind":\n',
      '[1]\n',
      line({ ...MEMORY, updated_at: 'now' }),
      line(SKILL),
    )
    expect(candidates.map((each) => ('refused' in each ? each.refused.message : 'taken'))).toEqual([
      'taken',
      expect.stringMatching(/^line 2 is no/),
      expect.stringMatching(/^line 3 is no/),
      'line 4: updated_at is no time',
      'taken',
    ])
  })

  test('S-21: `__proto__` is a field like any other, and goes to the daemon as it is', async () => {
    const [candidate] = await read(
      `{"kind":"memory","updated_at":1,"scope":"mesh","key":"__proto__","value":{"__proto__":1}}`,
    )
    expect(JSON.stringify(candidate)).toContain('"value":{"__proto__":1}')
    expect(candidate).toMatchObject({ memory: { key: '__proto__' } })
  })

  test.each(['', '\n\n'])('%j holds nothing', async (text) => {
    expect(await read(text)).toEqual([])
  })

  test.each(['{"mesh:plan":{"value":1}}', '# Weather\n', '{', 'null'])('%j is no export', async (text) => {
    await expect(read(text)).rejects.toThrow(/^mesh\.jsonl is not what mesh export writes/)
  })

  test('bytes that are not UTF-8, and a line that never ends, are no export', async () => {
    await expect(read(line(MEMORY), Buffer.of(0xff, 0x0a))).rejects.toThrow(/not UTF-8/)
    const endless = Readable.from(
      (function* () {
        yield line(MEMORY)
        for (;;) yield 'x'.repeat(100_000)
      })(),
    )
    await expect(Array.fromAsync(readExportLines(endless, 'm.jsonl').candidates)).rejects.toThrow(
      /longer than any entry/,
    )
  })
})
