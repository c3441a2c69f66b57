import { expect, test } from 'vitest'
import { bearer, byFetch, byHttp, ERROR, type Headers, useStore } from './store.ts'

const store = useStore({ MESH_API_AUTH: 'false' })

/** A tool that has a key of another store sends it here as well. */
const CALLERS: readonly [what: string, tag: string, headers: Headers][] = [
  ['no key', 'one', {}],
  ['any bearer', 'two', bearer('anything')],
  ['any X-API-Key', 'three', { 'x-api-key': 'anything' }],
]

test.each(CALLERS)('where auth is off a caller with %s may do everything', async (_, tag, headers) => {
  for (const by of [byHttp, byFetch]) {
    const init = { headers, by }
    expect(await store.call('GET', '/health', init)).toMatchObject({ status: 200, body: { ok: true } })
    const memory = { scope: 'mesh', key: `plan/${tag}`, value: 1, node_id: 'old' }
    expect(await store.call('PUT', '/mesh/memory', { ...init, body: memory })).toMatchObject({
      status: 200,
      body: memory,
    })
    expect(await store.call('GET', `/mesh/memory/mesh/plan%2F${tag}`, init)).toMatchObject({ body: memory })
    const skill = { name: `greet-${tag}`, source_node: 'old', content: 'text' }
    expect(await store.call('PUT', '/mesh/skills', { ...init, body: skill })).toMatchObject({
      status: 200,
      body: skill,
    })
    for (const path of ['/mesh/memory', '/mesh/skills', '/mesh/memory?q=nobody']) {
      expect(await store.call('GET', path, init)).toMatchObject({ status: 200, body: expect.any(Array) })
    }
    expect(await store.call('GET', '/mesh/skills/nothing', init)).toMatchObject({ status: 404, body: ERROR })
  }
})
