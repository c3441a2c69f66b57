import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { useFleet } from './fleet.ts'

/** What a tool of an earlier mesh does: plain HTTP over TCP, as `curl` would, with no client of ours. */

const fleet = useFleet()
const ceo = await fleet.make('ceo')
let url: string
let token: string

beforeAll(async () => {
  await ceo.start()
  url = (await ceo.client.status()).api.url ?? ''
  token = (await readFile(join(ceo.home, 'meshd/token'), 'utf8')).trim()
})

interface Answer {
  readonly status: number | undefined
  readonly body: unknown
}

function call(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const sent = request(url + path, { method, headers, agent: false }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    response.once('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }))
  })
  sent.once('error', reject)
  sent.end(body)
  return promise
}

const bearer = () => ({ authorization: `Bearer ${token}` })

test('GET /health needs no token', async () => {
  expect(await call('GET', '/health')).toMatchObject({
    status: 200,
    body: { ok: true, service: expect.any(String), storeAvailable: true },
  })
})

test('PUT without a Content-Type is taken; the row comes back, and again by GET', async () => {
  const body = JSON.stringify({ scope: 'mesh', key: 'plan/a b', value: { at: 5 }, node_id: 'old-node' })
  const put = await call('PUT', '/mesh/memory', bearer(), body)
  const row = { scope: 'mesh', key: 'plan/a b', value: { at: 5 }, node_id: 'old-node', updated_at: expect.any(Number) }
  expect(put).toEqual({ status: 200, body: row })
  // Seconds, not milliseconds.
  expect((put.body as { updated_at: number }).updated_at).toBeLessThan(Date.now() / 100)
  for (const path of ['/mesh/memory/mesh/plan/a%20b', '/mesh/memory/mesh/plan%2Fa%20b']) {
    expect(await call('GET', path, { 'x-api-key': token })).toEqual({ status: 200, body: row })
  }
  expect(await call('GET', '/mesh/memory?scope=mesh', bearer())).toEqual({ status: 200, body: [row] })
  expect(await call('GET', '/mesh/memory?scope=federation', bearer())).toEqual({ status: 200, body: [] })
})

test('skills: content or path, both stored as they are', async () => {
  const skill = { name: 'greet', source_node: 'old-node', content: 'https://skills.example.org/greet.md' }
  const put = await call('PUT', '/mesh/skills', bearer(), JSON.stringify(skill))
  expect(put).toMatchObject({ status: 200, body: { ...skill, path: null, updated_at: expect.any(Number) } })
  const byPath = { name: 'walk', source_node: 'old-node', path: '/etc/passwd' }
  await call('PUT', '/mesh/skills', bearer(), JSON.stringify(byPath))
  expect(await call('GET', '/mesh/skills/walk', bearer())).toMatchObject({ status: 200, body: byPath })
  expect(await call('GET', '/mesh/skills', bearer())).toMatchObject({ body: [{ name: 'greet' }, { name: 'walk' }] })
})

test('what lacks a field is 400, what is not there 404, each with {error}', async () => {
  const error = { error: expect.any(String) }
  for (const body of ['{"scope":"mesh","key":"k"}', '{"scope":"mesh","value":1}', '{"key":"k","value":1}', '{', '']) {
    expect(await call('PUT', '/mesh/memory', bearer(), body), body).toMatchObject({ status: 400, body: error })
  }
  expect(await call('PUT', '/mesh/skills', bearer(), '{"name":"x"}')).toMatchObject({ status: 400, body: error })
  expect(await call('GET', '/mesh/memory/mesh/nothing', bearer())).toMatchObject({ status: 404, body: error })
  expect(await call('GET', '/mesh/skills/nothing', bearer())).toMatchObject({ status: 404, body: error })
})

test('without the token, or with a wrong one, everything else is 401', async () => {
  const wrong = [{}, { authorization: 'Bearer wrong' }, { 'x-api-key': '' }, { authorization: `Basic ${token}` }]
  for (const headers of wrong) {
    for (const path of ['/mesh/memory', '/mesh/skills', '/status', '/peers']) {
      const answer = await call('GET', path, headers as Record<string, string>)
      expect(answer, path).toMatchObject({ status: 401, body: { error: expect.any(String) } })
    }
    expect(await call('PUT', '/mesh/memory', headers as Record<string, string>, '{}')).toMatchObject({ status: 401 })
  }
})

test('S-25: a page of another site reaches nothing, whatever it knows', async () => {
  expect(await call('GET', '/mesh/memory', { ...bearer(), origin: 'http://evil.example' })).toMatchObject({
    status: 403,
  })
  expect(await call('GET', '/health', { host: 'evil.example' })).toMatchObject({ status: 403 })
  const form = { ...bearer(), 'content-type': 'application/x-www-form-urlencoded' }
  expect(await call('PUT', '/mesh/memory', form, 'scope=mesh')).toMatchObject({ status: 403 })
})

test('mesh token rotate: the old token is dead at once, the new one lives', async () => {
  const old = bearer()
  expect((await ceo.json(['token', 'rotate'])).exit).toBe(0)
  expect(await call('GET', '/status', old)).toMatchObject({ status: 401 })
  token = (await readFile(join(ceo.home, 'meshd/token'), 'utf8')).trim()
  expect(await call('GET', '/status', bearer())).toMatchObject({ status: 200 })
})

test('mesh-memory.json shows what was put, for tools that read the file', async () => {
  const path = join(ceo.home, 'mesh-memory.json')
  await until('the file follows', async () => {
    const document = JSON.parse(await readFile(path, 'utf8'))
    expect(document['mesh:plan/a b']).toEqual({ value: { at: 5 }, nodeId: 'old-node', ts: expect.any(Number) })
    return true
  })
})
