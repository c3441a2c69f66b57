import { describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { type Answer, bearer, byFetch, byHttp, byPieces, type Caller, ERROR, type Headers, useStore } from './store.ts'

/** Every call of the table, by each kind of caller that is about. */

const store = useStore()

const JSON_TYPE = { 'content-type': 'application/json' }
const CALLERS: readonly [name: string, tag: string, by: Caller, headers: (key: string) => Headers][] = [
  ['fetch, JSON, bearer', 'one', byFetch, (key) => ({ ...JSON_TYPE, ...bearer(key) })],
  ['fetch, no type, X-API-Key', 'two', byFetch, (key) => ({ 'x-api-key': key })],
  ['node:http, no type, bearer', 'three', byHttp, bearer],
  ['node:http in pieces, no type, bearer', 'five', byPieces, bearer],
  [
    'node:http, JSON with a charset, X-API-Key',
    'four',
    byHttp,
    (key) => ({ 'Content-Type': 'application/json; charset=utf-8', 'X-API-Key': key }),
  ],
]

test('a store that holds nothing lists nothing', async () => {
  for (const path of ['/mesh/memory', '/mesh/memory?scope=mesh', '/mesh/skills', '/mesh/skills?scope=mesh']) {
    expect(await store.get(path), path).toMatchObject({ status: 200, body: [] })
  }
})

describe.each(CALLERS)('%s', (_, tag, by, headersFor) => {
  /** A caller sets its headers on every call, whether or not it has a body. */
  function call(method: string, path: string, body?: unknown): Promise<Answer> {
    return store.call(method, path, { body, by, headers: headersFor(store.key()) })
  }

  test('GET /health, with a key and without', async () => {
    const health = { status: 200, body: { ok: true, service: expect.any(String), storeAvailable: true } }
    expect(await call('GET', '/health')).toMatchObject(health)
    expect(await store.call('GET', '/health', { by, headers: {} })).toMatchObject(health)
    const wrong = { by, headers: bearer('wrong') }
    expect(await store.call('GET', '/health', wrong)).toMatchObject(health)
  })

  test('memory is put, got and listed, and is the same row each time', async () => {
    const sent = { scope: 'mesh', key: `plan/${tag}`, value: { short: 'ship', days: [1, 2.5, null] }, node_id: 'old' }
    const put = await call('PUT', '/mesh/memory', sent)
    expect(put).toMatchObject({ status: 200, type: expect.stringMatching(/^application\/json/) })
    expect(put.body).toEqual({ ...sent, updated_at: expect.any(Number) })

    const got = await call('GET', `/mesh/memory/mesh/${encodeURIComponent(sent.key)}`)
    expect(got).toEqual(put)
    for (const path of ['/mesh/memory', '/mesh/memory?scope=mesh']) {
      const { status, body } = await call('GET', path)
      expect(status).toBe(200)
      expect(body).toContainEqual(put.body)
    }
  })

  test('a skill is put, got and listed, and is the same row each time', async () => {
    const sent = { name: `greet-${tag}`, source_node: 'old', content: '# Greet\n\nSay “hello”.\n' }
    const put = await call('PUT', '/mesh/skills', sent)
    expect(put).toMatchObject({ status: 200, body: { ...sent, path: null, updated_at: expect.any(Number) } })
    expect(await call('GET', `/mesh/skills/${sent.name}`)).toEqual(put)
    expect((await call('GET', '/mesh/skills')).body).toContainEqual(put.body)
  })

  test('what was put is found, by GET and by POST', async () => {
    const key = `found/${tag}`
    await call('PUT', '/mesh/memory', { scope: 'mesh', key, value: `the quokka${tag} sleeps`, node_id: 'old' })
    const hits = [{ scope: 'mesh', key, snippet: expect.stringContaining(`quokka${tag}`) }]
    const path = `/mesh/memory?q=quokka${tag}&scope=mesh&limit=25&mode=fts`
    await until('it is found', async () => ((await call('GET', path)).body as []).length > 0, { ms: 5_000 })
    expect(await call('GET', path)).toMatchObject({ status: 200, body: hits })
    for (const word of ['query', 'q']) {
      expect(await call('POST', '/mesh/query', { [word]: `quokka${tag}` })).toMatchObject({ status: 200, body: hits })
    }
  })

  test('what is not there is 404, and what lacks a part 400, each with {error}', async () => {
    for (const path of ['/mesh/memory/mesh/nothing', '/mesh/memory/federation/plan', '/mesh/skills/nothing', '/x']) {
      expect(await call('GET', path), path).toMatchObject({ status: 404, body: ERROR })
    }
    for (const path of ['/mesh/memory', '/mesh/skills']) {
      expect(await call('PUT', path, {}), path).toMatchObject({ status: 400, body: ERROR })
    }
  })
})
