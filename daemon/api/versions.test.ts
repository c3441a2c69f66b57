import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createClient, type MeshClient } from './client.ts'
import { type Lab, openLab } from './lab-suite.ts'

let lab: Lab
let client: MeshClient
beforeAll(async () => {
  lab = await openLab()
  client = createClient({ home: lab.layout.home })
})
afterAll(async () => {
  client.close()
  await lab.close()
})

const put = (key: string, value: unknown, headers: Record<string, string> = {}) =>
  lab.local('/mesh/memory', {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ scope: 'mesh', key, value }),
  })

describe('ETag', () => {
  test('every row has one, and keeps it until it is written', async () => {
    const written = await put('tagged', 1)
    const etag = written.headers.etag as string
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    expect((await lab.local('/mesh/memory/mesh/tagged')).headers.etag).toBe(etag)
    expect((await lab.local('/mesh/memory?prefix=tagged&etags=true')).json).toMatchObject([{ key: 'tagged', etag }])
    expect((await lab.local('/mesh/memory?prefix=tagged&limit=1&etags=true')).json).toMatchObject([{ etag }])
    expect((await put('tagged', 1)).headers.etag).not.toBe(etag)
    const skill = await client.putSkill({ name: 'tagged', content: 'x' })
    expect((await lab.local('/mesh/skills/tagged')).headers.etag).toBe(skill.etag)
  })

  test('a reader who has this version gets 304 without a body', async () => {
    const { headers } = await put('read', 1)
    const etag = headers.etag as string
    for (const tags of [etag, '*', `"x", ${etag}`, `W/${etag}`]) {
      const answer = await lab.local('/mesh/memory/mesh/read', { headers: { 'if-none-match': tags } })
      expect([tags, answer.status, answer.text, answer.headers.etag]).toEqual([tags, 304, '', etag])
    }
    const other = await lab.local('/mesh/memory/mesh/read', { headers: { 'if-none-match': '"x"' } })
    expect([other.status, other.json]).toMatchObject([200, { value: 1 }])
  })
})

describe('If-Match and If-None-Match', () => {
  test('a write over another version is answered 412 with the row that is there, and writes nothing', async () => {
    const first = await put('edit', { n: 1 })
    const second = await put('edit', { n: 2 }, { 'if-match': first.headers.etag as string })
    expect(second.status).toBe(200)
    const late = await put('edit', { n: 3 }, { 'if-match': first.headers.etag as string })
    expect([late.status, late.headers.etag]).toEqual([412, second.headers.etag])
    expect(late.json).toMatchObject({ code: 'VERSION_MISMATCH', status: 412, current: { value: { n: 2 } } })
    const late2 = await lab.local('/mesh/memory/mesh/edit', {
      method: 'DELETE',
      headers: { 'if-match': first.headers.etag as string },
    })
    expect(late2.status).toBe(412)
    expect((await client.getMemory('mesh', 'edit')).value).toEqual({ n: 2 })
  })

  test('of many who create one entry one does', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => put('born', n, { 'if-none-match': '*' })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
    const absent = await put('unborn', 1, { 'if-match': '*' })
    expect([absent.status, absent.json]).toMatchObject([412, { current: null }])
  })

  test.each(['', 'x', '"a', 'a"', '"a" "b"', '"a",', '"a"b"', '"a'.repeat(5_000)])(
    'what is no list of tags is refused: %s',
    async (tags) => {
      for (const header of ['if-match', 'if-none-match']) {
        const answer = await put('tags', 1, { [header]: tags })
        expect([answer.status, answer.json]).toMatchObject([400, { code: 'REQUEST_INVALID', field: header }])
      }
    },
  )

  test('two writers who each add up with If-Match lose no update', async () => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 4, maxLength: 16 }), async (turns) => {
        const key = `sum-${round++}`
        await client.putMemory({ scope: 'mesh', key, value: [] })
        const add = async (writer: number, mark: string): Promise<void> => {
          for (let row = await client.getMemory('mesh', key); ; ) {
            try {
              const value = [...(row.value as string[]), mark]
              await client.putMemory({ scope: 'mesh', key, value, node_id: `w${writer}` }, { ifMatch: row.etag })
              return
            } catch (error) {
              expect(error).toMatchObject({ code: 'VERSION_MISMATCH', status: 412 })
              row = await client.getMemory('mesh', key)
            }
          }
        }
        const writer = async (self: number) => {
          for (const [i, turn] of turns.entries()) if (turn === self) await add(self, `${self}-${i}`)
        }
        await Promise.all([writer(0), writer(1)])
        const { value } = await client.getMemory('mesh', key)
        expect((value as string[]).toSorted()).toEqual(turns.map((turn, i) => `${turn}-${i}`).sort())
      }),
      { numRuns: 30 },
    )
  })
})

describe('expires_at', () => {
  test('an entry is hidden from then on, and a time that is none is refused', async () => {
    const now = Math.floor(Date.now() / 1000)
    const row = await client.putMemory({ scope: 'mesh', key: 'brief', value: 1, expires_at: now + 3 })
    expect(row.expires_at).toBe(now + 3)
    expect(await client.getMemory('mesh', 'brief')).toEqual(row)
    await vi.waitFor(
      () => expect(client.getMemory('mesh', 'brief')).rejects.toMatchObject({ code: 'NOT_FOUND' }),
      10_000,
    )
    expect(await client.listMemory({ prefix: 'brief' })).toEqual([])
    for (const expires_at of [now - 1, 0, 1.5, 1e15]) {
      await expect(client.putMemory({ scope: 'mesh', key: 'brief', value: 1, expires_at })).rejects.toMatchObject({
        code: 'EXPIRY_INVALID',
        status: 400,
        field: 'expires_at',
      })
    }
  })
})

describe('history, conflicts and resolve', () => {
  test('tell who wrote what, for memory and skills, keys with slashes included', async () => {
    const { peerId } = await client.status()
    const key = 'a/b/history'
    for (const value of [1, 2, 3]) await client.putMemory({ scope: 'mesh', key, value, node_id: `node-${value}` })
    await client.deleteMemory('mesh', key)
    const entry = { kind: 'memory', scope: 'mesh', key } as const
    const { revisions, next } = await client.history(entry, { limit: 3 })
    expect(revisions.map(({ action, node_id, row }) => [action, node_id, row && 'value' in row && row.value])).toEqual([
      ['delete', 'ceo', null],
      ['put', 'node-3', 3],
      ['put', 'node-2', 2],
    ])
    expect(revisions[0]?.signers).toEqual([{ peer_id: peerId, node_id: 'ceo' }])
    const rest = await client.history(entry, { before: next ?? '' })
    expect([rest.revisions.length, rest.next]).toEqual([1, null])
    await expect(client.conflicts(entry)).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
    await client.putSkill({ name: 'told', content: 'x' })
    const skill = { kind: 'skill', key: 'told' } as const
    expect((await client.history(skill)).revisions).toMatchObject([{ row: { name: 'told', content: 'x' } }])
    expect(await client.conflicts(skill)).toEqual([])
    await expect(client.resolve(skill)).rejects.toMatchObject({ code: 'CONFLICT_UNKNOWN', status: 409 })
    await expect(client.history({ kind: 'skill', key: 'never' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(client.history(skill, { before: 'x' })).rejects.toMatchObject({ code: 'REVISION_UNKNOWN' })
  })
})

describe('many puts in one request', () => {
  test('are each made or refused, in their order', async () => {
    const first = await client.putMemory({ scope: 'mesh', key: 'bulk-a', value: 0 })
    const report = await client.bulk([
      { scope: 'mesh', key: 'bulk-a', value: 1, if_match: first.etag },
      { scope: 'mesh', key: 'bulk-a', value: 2, if_match: first.etag },
      { kind: 'skill', name: 'bulk', content: 'x' },
      { scope: 'nowhere', key: 'bulk-b', value: 1 },
      { kind: 'skill', name: 'empty' },
      { scope: 'mesh', key: 'bulk-c', value: 1, if_none_match: '*', node_id: 'lab' },
      { scope: 'mesh', key: 7, value: 1 } as never,
      null as never,
    ])
    expect([report.written, report.refused]).toEqual([3, 5])
    expect(
      report.results.map(({ status, error, row }) => error?.code ?? `${status} ${row && Object.keys(row)[0]}`),
    ).toEqual([
      '200 scope',
      'VERSION_MISMATCH',
      '200 name',
      'SCOPE_INVALID',
      'REQUEST_INVALID',
      '200 scope',
      ...Array(2).fill('REQUEST_INVALID'),
    ])
    expect(report.results.map(({ error }) => error?.field)).toEqual([
      undefined,
      'version',
      undefined,
      'puts[3].scope',
      'puts[4].content',
      undefined,
      'puts[6].key',
      'puts[7]',
    ])
    expect(await client.getMemory('mesh', 'bulk-a')).toMatchObject({ value: 1, etag: report.results[0]?.etag })
  })

  test('up to 500', async () => {
    const puts = Array.from({ length: 500 }, (_, n) => ({ scope: 'tenant:bulk', key: `k${n}`, value: n }))
    expect((await client.bulk(puts)).written).toBe(500)
    expect((await client.listMemory({ scope: 'tenant:bulk' })).length).toBe(500)
    await expect(client.bulk([...puts, puts[0] as (typeof puts)[0]])).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      field: 'puts',
    })
  })
})

describe('a list', () => {
  const scope = 'user:pages'
  beforeAll(async () => {
    await client.bulk(
      Array.from({ length: 25 }, (_, n) => ({ scope, key: `k${String(n).padStart(2, '0')}`, value: n })),
    )
  })

  test('is read page by page, each leading to the next', async () => {
    const seen: unknown[] = []
    let pages = 0
    for (
      let path: string | undefined = `/mesh/memory?scope=${scope}&limit=10&etags=true`;
      path !== undefined;
      pages++
    ) {
      const { status, json, headers } = await lab.local(path)
      expect(status).toBe(200)
      seen.push(...(json as { value: number }[]).map(({ value }) => value))
      path = /^<(.*)>; rel="next"$/.exec(headers['link'] as string)?.[1]
    }
    expect(pages).toBe(3)
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => n))
    for (const limit of [25, 1_000]) {
      expect((await lab.local(`/mesh/memory?scope=${scope}&limit=${limit}`)).headers['link']).toBeUndefined()
    }
  })

  test('of large rows has pages of few', async () => {
    const value = 'x'.repeat(250_000)
    for (let n = 0; n < 40; n++) await client.putMemory({ scope: 'user:large', key: `k${n}`, value })
    const { json, headers } = await lab.local('/mesh/memory?scope=user:large&limit=1000')
    expect((json as unknown[]).length).toBeLessThan(40)
    expect(headers['link']).toMatch(/rel="next"/)
    expect(await client.listMemory({ scope: 'user:large' })).toHaveLength(40)
  })

  test('of what changed since a time', async () => {
    const { updated_at } = await client.putMemory({ scope, key: 'last', value: 'last' })
    expect(await client.listMemory({ scope, updatedSince: updated_at + 1 })).toEqual([])
    expect((await client.listMemory({ scope, updatedSince: updated_at })).map(({ key }) => key)).toContain('last')
  })

  test.each(['x', 'W10', 'e30', '!', Buffer.from('["mesh"]').toString('base64url')])(
    'a cursor that no list gave is refused: %s',
    async (cursor) => {
      const answer = await lab.local(`/mesh/memory?limit=5&cursor=${encodeURIComponent(cursor)}`)
      expect([answer.status, answer.json]).toMatchObject([400, { code: 'CURSOR_INVALID', field: 'cursor' }])
    },
  )
})
