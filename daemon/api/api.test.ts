import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type Lab, openLab, post, put, type RawCall, STARTED_AT } from './lab-suite.ts'

let lab: Lab
let bearer: Record<string, string>

beforeAll(async () => {
  lab = await openLab()
  bearer = { authorization: `Bearer ${await lab.token()}` }
})
afterAll(() => lab.close())

const seconds = () => Math.floor(Date.now() / 1000)

// Every call is made through both doors.
describe.each([
  ['unix socket', (path: string, call?: RawCall) => lab.local(path, call)],
  ['TCP', (path: string, call: RawCall = {}) => lab.tcp(path, { ...call, headers: { ...call.headers, ...bearer } })],
])('through %s', (door, send: (path: string, call?: RawCall) => Promise<Answer>) => {
  const scope = door === 'TCP' ? 'tenant:tcp' : 'tenant:socket'

  test('a memory is put, read, listed and deleted', async () => {
    const value = { title: 'Plan', steps: [1, 2.5, null, true], nested: { 'a/b': '~ü' } }
    const began = seconds()
    const written = await send('/mesh/memory', put({ scope, key: 'plan', value, node_id: 'sec' }))
    expect(written.status).toBe(200)
    const row = written.json as { updated_at: number }
    expect(row).toEqual({ scope, key: 'plan', value, node_id: 'sec', updated_at: expect.any(Number) })
    expect(row.updated_at).toBeGreaterThanOrEqual(began)
    expect(row.updated_at).toBeLessThanOrEqual(seconds())

    const read = await send(`/mesh/memory/${scope}/plan`)
    expect(read.status).toBe(200)
    expect(read.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(read.headers['access-control-allow-origin']).toBeUndefined()
    expect(read.json).toEqual(row)
    expect((await send(`/mesh/memory?scope=${encodeURIComponent(scope)}`)).json).toEqual([row])
    expect((await send('/mesh/memory')).json).toContainEqual(row)

    const deleted = await send(`/mesh/memory/${scope}/plan`, { method: 'DELETE' })
    expect([deleted.status, deleted.json]).toEqual([200, { deleted: true, scope, key: 'plan' }])
    for (const method of ['GET', 'DELETE']) {
      const gone = await send(`/mesh/memory/${scope}/plan`, { method })
      expect(gone.status).toBe(404)
      expect(gone.headers['content-type']).toBe('application/problem+json; charset=utf-8')
      expect(gone.json).toEqual({
        type: 'urn:openclaw-mesh:error:NOT_FOUND',
        title: 'Not found',
        status: 404,
        detail: expect.stringContaining('"plan"'),
        error: expect.stringContaining('"plan"'),
        code: 'NOT_FOUND',
        field: 'key',
      })
    }
    expect((await send(`/mesh/memory?scope=${scope}`)).json).toEqual([])
  })

  test('the author is this node where none is named, and unknown fields are ignored', async () => {
    const written = await send('/mesh/memory', put({ scope, key: 'own', value: 1, ttl: 60, tags: ['x'] }))
    expect(written.json).toEqual({ scope, key: 'own', value: 1, node_id: 'ceo', updated_at: expect.any(Number) })
  })

  test.each([[null], [false], [0], [''], [[]], [{}], ['text'], [{ a: null }], [1e20]])(
    'the value %j comes back',
    async (value) => {
      expect((await send('/mesh/memory', put({ scope, key: 'value', value }))).status).toBe(200)
      expect(await send(`/mesh/memory/${scope}/value`)).toMatchObject({ json: { value } })
    },
  )

  test.each([
    ['a/b/c', 'a/b/c'],
    ['a/b/c', 'a%2Fb%2fc'],
    ['/leading//and/trailing/', '%2Fleading%2F%2Fand%2Ftrailing%2F'],
    ['/leading//and/trailing/', '/leading//and/trailing/'],
    ['with space', 'with%20space'],
    ['Größe: 日本 👍', encodeURIComponent('Größe: 日本 👍')],
    ['100%', '100%25'],
    ['%2F', '%252F'],
    ['q?a=1&b#c', 'q%3Fa%3D1%26b%23c'],
    ['..', '..'],
    ['a+b;c,d', 'a+b;c,d'],
    ['constructor', 'constructor'],
    ['k'.repeat(1024), 'k'.repeat(1024)],
  ])('the key %j is reached as %s', async (key, path) => {
    await send('/mesh/memory', put({ scope, key, value: 1 }))
    expect(await send(`/mesh/memory/${encodeURIComponent(scope)}/${path}`)).toMatchObject({
      status: 200,
      json: { key },
    })
    expect((await send(`/mesh/memory/${scope}/${path}`, { method: 'DELETE' })).json).toMatchObject({
      deleted: true,
      key,
    })
  })

  test('a skill is put, read, listed and deleted', async () => {
    const content = '---\nname: deploy\ndescription: how\n---\n\r\nSteps\n'
    const written = await send('/mesh/skills', put({ name: 'deploy', source_node: 'sec', content }))
    const row = {
      name: 'deploy',
      source_node: 'sec',
      content,
      path: null,
      scope: 'mesh',
      updated_at: expect.any(Number),
    }
    expect([written.status, written.json]).toEqual([200, row])
    expect((await send('/mesh/skills/deploy')).json).toEqual(written.json)
    expect((await send('/mesh/skills/deploy?scope=mesh')).status).toBe(200)
    expect((await send('/mesh/skills/deploy?scope=node')).status).toBe(404)
    expect((await send('/mesh/skills')).json).toContainEqual(written.json)
    // What was read can be sent back as it is.
    expect((await send('/mesh/skills', put(written.json))).json).toMatchObject({ content })
    const deleted = await send('/mesh/skills/deploy', { method: 'DELETE' })
    expect(deleted.json).toEqual({ deleted: true, scope: 'mesh', name: 'deploy' })
    expect((await send('/mesh/skills/deploy')).status).toBe(404)
  })

  test('a skill may be a path or a URL, in a scope of its own', async () => {
    const body = { name: 'away', path: '/opt/skills/away/SKILL.md', scope }
    expect((await send('/mesh/skills', put(body))).json).toMatchObject({ ...body, content: null, source_node: 'ceo' })
    expect((await send(`/mesh/skills?scope=${scope}`)).json).toMatchObject([body])
    expect((await send(`/mesh/skills/away?scope=${scope}`)).json).toMatchObject(body)
    expect((await send('/mesh/skills/away')).status).toBe(404)
    expect((await send(`/mesh/skills/away?scope=${scope}`, { method: 'DELETE' })).json).toMatchObject({ scope })
  })

  test('JSON is taken without a Content-Type, and under every name that JSON has', async () => {
    const body = JSON.stringify({ scope, key: 'typed', value: 1 })
    for (const type of [undefined, 'application/json', 'application/json; charset=utf-8', 'application/vnd.api+json']) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      expect((await send('/mesh/memory', { method: 'PUT', headers, body })).status).toBe(200)
    }
  })

  test.each([
    ['PUT', '/mesh/memory', {}, 'scope'],
    ['PUT', '/mesh/memory', { key: 'k', value: 1 }, 'scope'],
    ['PUT', '/mesh/memory', { scope: 'mesh', value: 1 }, 'key'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: 'k' }, 'value'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: 5, value: 1 }, 'key'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: 'k', value: 1, node_id: 7 }, 'node_id'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: 'k', value: 1, node_id: '\u0000' }, 'node_id'],
    ['PUT', '/mesh/memory', { scope: 'nowhere', key: 'k', value: 1 }, 'scope'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: '', value: 1 }, 'key'],
    ['PUT', '/mesh/memory', { scope: 'mesh', key: 'a\0b', value: 1 }, 'key'],
    ['PUT', '/mesh/memory', [], 'body'],
    ['PUT', '/mesh/memory', '"text"', 'body'],
    ['PUT', '/mesh/memory', 'null', 'scope'],
    ['PUT', '/mesh/memory', '', 'scope'],
    ['PUT', '/mesh/skills', { content: 'x' }, 'name'],
    ['PUT', '/mesh/skills', { name: 'x' }, 'content'],
    ['PUT', '/mesh/skills', { name: 'x', content: null }, 'content'],
    ['PUT', '/mesh/skills', { name: '../x', content: 'x' }, 'name'],
    ['PUT', '/mesh/skills', { name: 'x', content: 5 }, 'content'],
    ['GET', '/mesh/memory?scope=x', undefined, 'scope'],
    ['GET', '/mesh/memory?limit=0', undefined, 'limit'],
    ['GET', '/mesh/memory?limit=ten', undefined, 'limit'],
    ['GET', '/mesh/memory?scope=mesh&scope=node', undefined, 'scope'],
    ['GET', '/mesh/memory/x/k', undefined, 'scope'],
    ['GET', '/mesh/memory/mesh/', undefined, 'key'],
    ['GET', '/mesh/memory/mesh/%ff', undefined, 'url'],
    ['GET', '/mesh/memory/mesh/%ED%A0%80', undefined, 'url'],
    ['GET', '/mesh/skills/..%2Fx', undefined, 'name'],
    ['POST', '/invite', { ttl_seconds: 59 }, 'ttl_seconds'],
    ['POST', '/invite', { ttl_seconds: '900' }, 'ttl_seconds'],
    ['POST', '/join', {}, 'ticket'],
  ])('%s %s %j is refused by the name of its field: %s', async (method, path, body, field) => {
    const answer = await send(path, body === undefined ? { method } : { ...put(body), method })
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({
      error: expect.stringMatching(/\w/),
      code: expect.stringMatching(/^[A-Z_]+$/),
      field,
    })
  })

  test('S-21, S-22: JSON that would not come back as it went in is refused with the path of the fault', async () => {
    const before = lab.store.position
    for (const [value, field] of [
      ['{"a":[1,{"__proto__":{}}]}', 'value.a[1].__proto__'],
      ['{"a":["\\ud800"]}', 'value.a[0]'],
      ['{"\\udc00":1}', 'value'],
      ['{"n":1e999}', 'value.n'],
      ['{"n":NaN}', 'value.n'],
      ['{"n":12345678901234567890123}', 'value.n'],
      ['{"a":1,"a":2}', 'value.a'],
      ['['.repeat(200_000), expect.stringMatching(/^value(\[0\])+$/)],
      [`${'['.repeat(65)}${']'.repeat(65)}`, expect.stringMatching(/^value(\[0\])+$/)],
    ] as const) {
      const answer = await send('/mesh/memory', put(`{"scope":"mesh","key":"k","value":${value}}`))
      expect(answer.status).toBe(400)
      expect(answer.json).toMatchObject({ code: expect.stringMatching(/^(JSON|VALUE)_INVALID$/), field })
    }
    expect(lab.store.position).toBe(before)
    const harmless = '{"constructor":{"prototype":{"x":1}},"hasOwnProperty":1}'
    expect((await send('/mesh/memory', put(`{"scope":"${scope}","key":"harmless","value":${harmless}}`))).status).toBe(
      200,
    )
    expect((await send(`/mesh/memory/${scope}/harmless`)).json).toMatchObject({ value: JSON.parse(harmless) as object })
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('S-23: what is over its limit is refused with 413, and nothing is stored', async () => {
    const before = lab.store.position
    for (const [path, body] of [
      ['/mesh/memory', { scope: 'mesh', key: 'k'.repeat(1025), value: 1 }],
      ['/mesh/memory', { scope: 'mesh', key: 'k', value: 'v'.repeat(256 * 1024) }],
      ['/mesh/memory', { scope: 'mesh', key: 'k', value: 'v'.repeat(2 * 1024 * 1024) }],
      ['/mesh/skills', { name: 'big', content: 's'.repeat(1024 * 1024 + 1) }],
    ] as const) {
      const answer = await send(path, put(body))
      expect([answer.status, (answer.json as { code: string }).code]).toEqual([
        413,
        expect.stringMatching(/_TOO_LARGE$/),
      ])
    }
    // In chunks, without an announced length.
    const chunked = await send(
      '/mesh/memory',
      put({ value: 'v'.repeat(2 * 1024 * 1024) }, { 'transfer-encoding': 'chunked' }),
    )
    expect(chunked).toMatchObject({ status: 413, json: { code: 'BODY_TOO_LARGE', field: 'body' } })
    expect((await send(`/mesh/memory/mesh/${'k'.repeat(2_000)}`)).status).toBe(413)
    expect((await send(`/mesh/memory/mesh/${'k'.repeat(20_000)}`)).status).toBe(431)
    expect(lab.store.position).toBe(before)
  })

  test('S-23: a scope over its limit', async () => {
    const answer = await send('/mesh/memory', put({ scope: `user:${'u'.repeat(252)}`, key: 'k', value: 1 }))
    expect([answer.status, answer.json]).toMatchObject([413, { code: 'SCOPE_TOO_LARGE', field: 'scope' }])
  })

  test('what is put is found by its words, as earlier tools ask and with more', async () => {
    await send('/mesh/memory', put({ scope, key: 'report', value: { text: `the quokka of ${scope.slice(5)}` } }))
    await send('/mesh/skills', put({ name: 'quokka', content: 'how to feed a quokka', scope }))
    await lab.search.caughtUp(lab.store.position)
    const found = [{ scope, key: 'report', snippet: expect.stringContaining('quokka') }]
    const only = `scope=${encodeURIComponent(scope)}`
    expect((await send(`/mesh/memory?q=quokka&${only}&mode=fts&limit=25`)).json).toEqual(found)
    for (const body of [
      { query: 'quokka', scope },
      { q: 'QUOKKA', scope, mode: 'fts', limit: 1 },
    ]) {
      expect((await send('/mesh/query', post(body))).json).toEqual(found)
    }
    const all = (await send(`/search?q=quokka&${only}`)).json as {
      results: { kind: string; snippet: string; marks: [number, number][] }[]
    }
    expect(all).toMatchObject({ complete: true })
    expect(all.results.map(({ kind }) => kind).sort()).toEqual(['memory', 'skill'])
    for (const { snippet, marks } of all.results) {
      expect(marks.map(([start, end]) => snippet.slice(start, end))).toContain('quokka')
    }
    expect((await send(`/mesh/memory?q=quokka&${only}&prefix=x`)).json).toEqual([])
    expect((await send('/mesh/memory?q=')).status).toBe(200)
    for (const [path, code] of [
      ['/mesh/memory?q=quokka&mode=semantic', 'SEARCH_UNAVAILABLE'],
      ['/mesh/memory?q=quokka&mode=x', 'REQUEST_INVALID'],
      ['/mesh/memory?q=%22%22', 'QUERY_INVALID'],
      ['/search', 'REQUEST_INVALID'],
    ] as const) {
      expect((await send(path)).json).toMatchObject({ code })
    }
    expect((await send('/mesh/query', post({}))).json).toMatchObject({ code: 'REQUEST_INVALID', field: 'query' })
    await send(`/mesh/skills/quokka?${only}`, { method: 'DELETE' })
    await send(`/mesh/memory/${scope}/report`, { method: 'DELETE' })
    await lab.search.caughtUp(lab.store.position)
    expect((await send(`/search?q=quokka&${only}`)).json).toEqual({ results: [], complete: true })
  })

  test('unknown calls are answered in JSON', async () => {
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['PATCH', '/mesh/memory'],
      ['GET', '/mesh/memory/mesh'],
      ['HEAD', '/x'],
    ] as const) {
      const answer = await send(path, { method })
      expect(answer.status).toBe(404)
      if (method !== 'HEAD') expect(answer.json).toMatchObject({ code: 'ROUTE_UNKNOWN', field: 'url' })
    }
  })

  test('the node tells of itself', async () => {
    expect((await send('/health')).json).toEqual({
      ok: true,
      service: 'openclaw-meshd',
      storeAvailable: true,
      version: '0.1.0',
    })
    const { memory, skills, deleted, expired } = lab.store.counts()
    await lab.search.caughtUp(lab.store.position)
    expect((await send('/status')).json).toEqual({
      nodeId: 'ceo',
      peerId: lab.mesh.peerId,
      meshId: lab.mesh.meshId,
      version: '0.1.0',
      startedAt: STARTED_AT,
      entries: memory + skills,
      memory,
      skills,
      deleted,
      expired,
      conflicts: 0,
      digest: Buffer.from(lab.store.digest().digest).toString('hex'),
      position: lab.store.position,
      addresses: lab.mesh.addresses(),
      api: { socket: lab.layout.socketPath, url: lab.url, auth: true },
      home: lab.layout.home,
      search: { ...lab.search.status() },
      peers: [],
    })
    const config = (await send('/config')).json
    expect(config).toMatchObject({
      config: { nodeId: 'ceo', api: { port: 0, host: '127.0.0.1' }, p2p: { host: ['127.0.0.1'], port: 0 } },
      sources: { 'api.port': 'environment', 'api.host': 'default' },
      path: lab.layout.configPath,
    })
  })
})

test('rows come in order, narrowed by prefix and limit', async () => {
  const scope = 'user:list'
  for (const key of ['b/2', 'a/1', 'b/1', 'b', 'c']) await lab.local('/mesh/memory', put({ scope, key, value: key }))
  const keys = async (query: string) =>
    ((await lab.local(`/mesh/memory?scope=${scope}${query}`)).json as { key: string }[]).map(({ key }) => key)
  expect(await keys('')).toEqual(['a/1', 'b', 'b/1', 'b/2', 'c'])
  expect(await keys('&prefix=b%2F')).toEqual(['b/1', 'b/2'])
  expect(await keys('&limit=2')).toEqual(['a/1', 'b'])
  expect(await keys('&prefix=b&limit=1&unknown=1')).toEqual(['b'])
  expect(await keys('&prefix=zzz')).toEqual([])
})

test('the socket is 0600 in a folder of 0700', async () => {
  const socket = await lstat(lab.layout.socketPath)
  expect(socket.isSocket()).toBe(true)
  expect(socket.mode & 0o777).toBe(0o600)
  expect((await lstat(dirname(lab.layout.socketPath))).mode & 0o777).toBe(0o700)
})
