import { request } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { bearer, byFetch, byHttp, ERROR, type Headers, useStore } from './store.ts'

/** What tools send that have nothing to say in a place, and those that ask for the head of an answer alone. */

const store = useStore()

beforeAll(async () => {
  for (const key of ['a', 'b']) await store.put('/mesh/memory', { scope: 'mesh', key, value: `value of ${key}` })
  await store.put('/mesh/skills', { name: 'greet', source_node: 'old', content: '# Grüße\n' })
})

describe('a place with nothing in it is one that is not there', () => {
  test.each(['/mesh/memory', '/mesh/skills'])('empty parameters of %s', async (path) => {
    const all = await store.get(path)
    expect(all).toMatchObject({ status: 200, body: expect.arrayContaining([expect.anything()]) })
    for (const query of ['?limit=', '?scope=', '?scope=&limit='])
      expect(await store.get(path + query), query).toEqual(all)
  })

  test('null in the body of a query', async () => {
    const search = (body: object) => store.call('POST', '/mesh/query', { body })
    const plain = await search({ query: 'value' })
    expect(plain.status).toBe(200)
    const nothing = { scope: null, limit: null, mode: null }
    expect(await search({ query: 'value', ...nothing })).toEqual(plain)
    expect(await search({ query: null, q: 'value', ...nothing })).toEqual(plain)
    expect(await search({ query: null, q: null })).toMatchObject({ status: 400, body: ERROR })
  })

  test('the limit of a search, and its mode', async () => {
    expect(await store.get('/mesh/memory?q=value&scope=&limit=&mode=')).toEqual(await store.get('/mesh/memory?q=value'))
  })

  test.each(['GET', 'PUT', 'POST', 'DELETE'])('an empty Content-Type, %s without a body', async (method) => {
    const headers: Headers = { ...bearer(store.key()), 'content-type': '' }
    const plain = await store.call(method, '/mesh/memory/mesh/none')
    expect(await store.call(method, '/mesh/memory/mesh/none', { headers })).toEqual(plain)
    const put = await store.call(method, '/mesh/memory', { headers })
    expect(put.status).toBe({ GET: 200, PUT: 400, POST: 404, DELETE: 404 }[method])
  })

  test('an empty Content-Type before a body', async () => {
    const headers: Headers = { ...bearer(store.key()), 'content-type': '' }
    const body = { scope: 'mesh', key: 'typeless', value: 1, node_id: 'old' }
    expect(await store.call('PUT', '/mesh/memory', { headers, body })).toMatchObject({ status: 200, body })
  })
})

test('a search for nothing finds nothing, whichever way it is asked for', async () => {
  for (const nothing of ['', ' ', '\t']) {
    const found = { status: 200, body: [] }
    expect(await store.get(`/mesh/memory?q=${encodeURIComponent(nothing)}&scope=mesh&limit=25&mode=fts`)).toMatchObject(
      found,
    )
    for (const name of ['query', 'q']) {
      expect(await store.call('POST', '/mesh/query', { body: { [name]: nothing, scope: 'mesh' } })).toMatchObject(found)
    }
  }
})

describe('HEAD', () => {
  interface Head {
    readonly status: number
    readonly headers: Readonly<Record<string, string | string[] | undefined>>
    readonly bytes: number
  }

  /** Counts what comes behind the head, were there anything. */
  function head(path: string, headers: Headers = bearer(store.key())): Promise<Head> {
    const { promise, resolve, reject } = Promise.withResolvers<Head>()
    const asked = request(store.url() + path, { method: 'HEAD', headers, agent: false }, (response) => {
      const { statusCode: status = 0 } = response
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.once('end', () => resolve({ status, headers: response.headers, bytes }))
    })
    asked.once('error', reject)
    asked.end()
    return promise
  }

  test('/health needs no key', async () => {
    expect(await head('/health', {})).toMatchObject({ status: 200, bytes: 0 })
  })

  test.each([
    '/health',
    '/mesh/memory/mesh/a',
    '/mesh/skills/greet',
    '/mesh/memory?limit=1',
    '/mesh/memory?q=value',
    '/mesh/memory',
    '/mesh/skills',
    '/mesh/skills?scope=user:nobody',
    '/mesh/memory/mesh/none',
    '/mesh/skills/none',
    '/nothing',
  ])('%s is what GET is, without the body', async (path) => {
    const { status, headers, bytes } = await head(path)
    const got = await byHttp('GET', store.url() + path, bearer(store.key()))
    expect({ status, type: headers['content-type'], bytes }).toEqual({ status: got.status, type: got.type, bytes: 0 })
    // A length that is told must be that of the answer to GET.
    const response = await fetch(store.url() + path, { headers: bearer(store.key()) })
    const length = Buffer.byteLength(await response.text())
    expect([undefined, String(length)]).toContain(headers['content-length'])
  })

  test('is refused where GET is', async () => {
    for (const path of ['/mesh/memory', '/mesh/memory/mesh/a', '/mesh/skills']) {
      expect(await head(path, {}), path).toMatchObject({ status: 401, bytes: 0 })
      const { status } = await byFetch('GET', store.url() + path, {})
      expect(status, path).toBe(401)
    }
  })
})
