import { describe, expect, test } from 'vitest'
import { type Answer, bearer, byFetch, byHttp, byPieces, ERROR, type Headers, useStore } from './store.ts'

const store = useStore()

const CALLS: readonly [method: string, path: string, body?: unknown][] = [
  ['GET', '/mesh/memory'],
  ['GET', '/mesh/memory?scope=mesh'],
  ['GET', '/mesh/memory?q=x'],
  ['POST', '/mesh/query', { q: 'x' }],
  ['GET', '/mesh/memory/mesh/plan'],
  ['PUT', '/mesh/memory', { scope: 'mesh', key: 'plan', value: 1, node_id: 'old' }],
  ['PUT', '/mesh/memory', '{'],
  ['GET', '/mesh/skills'],
  ['GET', '/mesh/skills/greet'],
  ['PUT', '/mesh/skills', { name: 'greet', source_node: 'old', content: 'text' }],
  ['GET', '/nothing/of/the/kind'],
]

test.each(CALLS)('%s %s without valid auth is 401 with {error}', async (method, path, body) => {
  const key = store.key()
  const invalid: Headers[] = [
    {},
    bearer('wrong'),
    bearer(''),
    bearer(key.slice(0, -1)),
    bearer(`${key}x`),
    { authorization: key },
    { authorization: `Basic ${Buffer.from(`:${key}`).toString('base64')}` },
    { 'x-api-key': 'wrong' },
    { 'x-api-key': '' },
  ]
  for (const headers of invalid) {
    for (const by of [byHttp, byFetch]) {
      const answer = await store.call(method, path, { body, headers, by })
      expect(answer, JSON.stringify(headers)).toMatchObject({ status: 401, body: ERROR })
    }
  }
  const inQuery = `${path}${path.includes('?') ? '&' : '?'}token=${key}`
  expect(await store.call(method, inQuery, { body, headers: {} })).toMatchObject({ status: 401, body: ERROR })
})

test('nothing of what was refused is stored', async () => {
  expect(await store.get('/mesh/memory')).toMatchObject({ status: 200, body: [] })
  expect(await store.get('/mesh/skills')).toMatchObject({ status: 200, body: [] })
})

test('localhost is as good an address as the number', async () => {
  const { port } = new URL(store.url())
  expect(await byFetch('GET', `http://localhost:${port}/mesh/memory`, bearer(store.key()))).toMatchObject({
    status: 200,
  })
})

test('every refusal is JSON with {error}, also where there is no such call', async () => {
  const calls = [
    ['GET', '/'],
    ['GET', '/mesh'],
    ['POST', '/mesh/memory'],
    ['PATCH', '/mesh/memory'],
    ['PUT', '/mesh/query'],
    ['POST', '/mesh/skills'],
    ['GET', '/mesh/memory/mesh/nothing'],
  ] as const
  for (const [method, path] of calls) {
    const { status, type, body } = await store.call(method, path, method === 'GET' ? {} : { body: {} })
    expect([404, 405], `${method} ${path}`).toContain(status)
    expect({ type, body }).toMatchObject({ type: expect.stringMatching(/^application\/(\w+\+)?json/), body: ERROR })
  }
})

test('a body of a type that is not JSON is refused with {error}, and not stored', async () => {
  const headers = { ...bearer(store.key()), 'content-type': 'text/plain;charset=UTF-8' }
  const { status, body } = await store.call('PUT', '/mesh/memory', {
    headers,
    body: '{"scope":"mesh","key":"t","value":1}',
  })
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  expect(body).toMatchObject(ERROR)
  expect(await store.get('/mesh/memory/mesh/t')).toMatchObject({ status: 404 })
})

describe('too large', () => {
  const TYPES: readonly Headers[] = [{}, { 'content-type': 'application/json' }]
  const large = 'x'.repeat(3 * 2 ** 20)

  test.each([
    ['node:http', byHttp],
    ['node:http in pieces', byPieces],
    ['fetch', byFetch],
  ])('a body is 413 with {error}, which %s gets to read', async (_, by) => {
    for (const type of TYPES) {
      const headers = { ...type, ...bearer(store.key()) }
      const memory = { scope: 'mesh', key: 'large', value: large, node_id: 'old' }
      expect(await store.call('PUT', '/mesh/memory', { body: memory, headers, by })).toMatchObject({
        status: 413,
        body: ERROR,
      })
      const skill = { name: 'large', source_node: 'old', content: large }
      expect(await store.call('PUT', '/mesh/skills', { body: skill, headers, by })).toMatchObject({
        status: 413,
        body: ERROR,
      })
    }
  })

  test('nothing of it is stored, and what is within the limits is', async () => {
    expect(await store.get('/mesh/memory/mesh/large')).toMatchObject({ status: 404, body: ERROR })
    expect(await store.get('/mesh/skills/large')).toMatchObject({ status: 404, body: ERROR })
    const value = 'x'.repeat(200_000)
    const memory = { scope: 'mesh', key: 'within', value, node_id: 'old' }
    expect(await store.put('/mesh/memory', memory)).toMatchObject({ status: 200, body: { value } })
  })
})

describe('a key with a limit', () => {
  test.each([
    ['a bearer', 'by-bearer', bearer],
    ['X-API-Key', 'by-header', (key: string): Headers => ({ 'x-api-key': key })],
  ])('as %s is let in at first, and 429 with {error} past it', async (_, name, headersFor) => {
    const made = await store.call('POST', '/keys', { body: { name, read: ['mesh'], rate: 3 } })
    const headers = headersFor((made.body as { key: string }).key)
    const answers: Answer[] = []
    for (let i = 0; i < 20 && answers.at(-1)?.status !== 429; i++) {
      answers.push(await store.call('GET', '/mesh/memory', { headers }))
    }
    expect(answers[0]).toMatchObject({ status: 200, body: expect.any(Array) })
    expect(answers.at(-1)).toMatchObject({ status: 429, body: ERROR })
    // It holds for every call that needs a key, and for nobody else.
    for (const [method, path, body] of CALLS) {
      expect(await store.call(method, path, { body, headers }), path).toMatchObject({ status: 429, body: ERROR })
    }
    expect(await store.call('GET', '/health', { headers: {} })).toMatchObject({ status: 200 })
    expect(await store.get('/mesh/memory')).toMatchObject({ status: 200 })
  })
})
