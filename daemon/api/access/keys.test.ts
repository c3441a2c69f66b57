import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type MeshClient } from '../client.ts'
import { type Lab, openLab, put } from '../lab-suite.ts'
import { ApiKeys } from './keys.ts'

let lab: Lab
let client: MeshClient
beforeAll(async () => {
  lab = await openLab({ env: { MESH_API_TENANT_RATE: '50' } })
  client = createClient({ home: lab.layout.home })
  await client.bulk(
    ['mesh', 'node', 'federation', 'user:alice', 'user:acme:alice', 'user:b:alice', 'tenant:acme', 'tenant:b'].flatMap(
      (scope) => [
        { scope, key: 'k', value: `in ${scope}` },
        { kind: 'skill' as const, scope, name: 'k', content: `in ${scope}` },
      ],
    ),
  )
})
afterAll(async () => {
  client.close()
  await lab.close()
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const statusOf = async (path: string, key: string, init: Parameters<Lab['tcp']>[1] = {}) =>
  (await lab.tcp(path, { ...init, headers: { ...init.headers, ...bearer(key) } })).status

describe('a key', () => {
  test('is shown once, and kept as a hash', async () => {
    const made = await client.createKey({ name: 'reports', read: ['mesh', 'user:*'], rate: 600 })
    expect(made.key).toMatch(/^mk_[a-z2-7]{8}_[\w-]{43}$/)
    expect(made).toMatchObject({ read: ['mesh', 'user:*'], write: [], tenant: null, rate: 600 })
    const listed = await client.keys()
    expect(JSON.stringify(listed)).not.toContain(made.key.slice(12))
    expect(listed).toMatchObject([{ name: 'reports', id: made.id }])
    for (const { value } of await lab.store.side.list('api-keys')) {
      expect(Buffer.from(value).includes(made.key.slice(12))).toBe(false)
    }
    expect((await ApiKeys.open(lab.store.side)).find(made.key)?.info.name).toBe('reports')
    expect(lab.logged.some((line) => JSON.stringify(line).includes(made.key.slice(12)))).toBe(false)
  })

  test('reads and writes its scopes, and no others', async () => {
    const { key } = await client.createKey({ name: 'rw', read: ['mesh', 'user:*'], write: ['user:alice'] })
    const read = async (scope: string) => statusOf(`/mesh/memory/${scope}/k`, key)
    expect(await Promise.all(['mesh', 'user:alice', 'user:acme:alice', 'node', 'tenant:acme'].map(read))).toEqual([
      200, 200, 403, 403, 403,
    ])
    const write = (scope: string) => statusOf('/mesh/memory', key, put({ scope, key: 'new', value: 1 }))
    expect(await Promise.all(['user:alice', 'mesh', 'user:bob'].map(write))).toEqual([200, 403, 403])
    const remove = (scope: string) => statusOf(`/mesh/memory/${scope}/new`, key, { method: 'DELETE' })
    expect(await Promise.all(['user:alice', 'mesh'].map(remove))).toEqual([200, 403])
    const answer = await lab.tcp('/mesh/memory', { headers: bearer(key) })
    expect((answer.json as { scope: string }[]).map(({ scope }) => scope)).toEqual(['mesh', 'user:alice'])
  })

  test('steers nothing', async () => {
    const { key } = await client.createKey({ name: 'all', read: ['*', 'node'], write: ['*', 'node'] })
    for (const path of ['/status', '/peers', '/doctor', '/config', '/keys']) expect(await statusOf(path, key)).toBe(403)
    for (const path of ['/sync', '/invite', '/import', '/token/rotate', '/keys']) {
      expect(
        await statusOf(path, key, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
      ).toBe(403)
    }
    expect(await statusOf('/none', key)).toBe(404)
    expect(await statusOf('/health', key)).toBe(200)
  })

  test('is dead once it is revoked, through both doors', async () => {
    const { key, id } = await client.createKey({ name: 'short', read: ['mesh'] })
    const local = () => lab.local('/mesh/memory', { headers: { 'x-api-key': key } })
    expect([(await local()).status, await statusOf('/mesh/memory', key)]).toEqual([200, 200])
    expect((await client.revokeKey(id)).name).toBe('short')
    expect([(await local()).status, await statusOf('/mesh/memory', key)]).toEqual([401, 401])
    await expect(client.revokeKey('short')).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
    expect(await ApiKeys.open(lab.store.side).then((keys) => keys.find(key))).toBeUndefined()
  })

  test('with any character changed is no key', async () => {
    const { key } = await client.createKey({ name: 'exact', read: ['mesh'] })
    const wrong = [
      key.slice(0, -1),
      `${key}a`,
      key.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      key.toUpperCase(),
    ]
    for (const one of [...wrong, 'mk_', 'mk_aaaaaaaa_', key.replace('mk_', 'mk-')]) {
      expect([one, await statusOf('/mesh/memory', one)]).toEqual([one, 401])
    }
  })

  test.each([
    [{ name: '' }, 'KEY_REFUSED', 'name'],
    [{ name: 'a b', read: ['mesh'] }, 'KEY_REFUSED', 'name'],
    [{ name: 'x'.repeat(65), read: ['mesh'] }, 'KEY_REFUSED', 'name'],
    [{ name: 'operator', read: ['mesh'] }, 'KEY_REFUSED', 'name'],
    [{ name: 'ok' }, 'KEY_REFUSED', 'read'],
    [{ name: 'ok', read: [] }, 'KEY_REFUSED', 'read'],
    [{ name: 'ok', read: ['nowhere'] }, 'SCOPE_INVALID', 'read[0]'],
    [{ name: 'ok', read: ['mesh'], rate: 0 }, 'KEY_REFUSED', 'rate'],
    [{ name: 'ok', read: ['mesh'], rate: 1e9 }, 'KEY_REFUSED', 'rate'],
    [{ name: 'ok', tenant: 'a:b' }, 'SCOPE_INVALID', 'tenant'],
    [{ name: 'ok', tenant: '' }, 'SCOPE_INVALID', 'tenant'],
    [{ name: 'ok', tenant: '*' }, 'KEY_REFUSED', 'tenant'],
    [{ name: 'ok', tenant: 'acme', read: ['mesh'] }, 'KEY_REFUSED', 'read[0]'],
    [{ name: 'ok', tenant: 'acme', write: ['user:acme:*', 'user:*:*'] }, 'KEY_REFUSED', 'write[1]'],
    [{ name: 'ok', read: Array(65).fill('mesh') }, 'KEY_REFUSED', 'read'],
    [{}, 'REQUEST_INVALID', 'name'],
  ])('is not made so: %j', async (body, code, field) => {
    await expect(client.createKey(body as never)).rejects.toMatchObject({ code, field, status: 400 })
    expect((await client.keys()).map(({ name }) => name)).not.toContain('ok')
  })

  test('of one name there is one', async () => {
    await client.createKey({ name: 'twin', read: ['mesh'] })
    await expect(client.createKey({ name: 'twin', read: ['mesh'] })).rejects.toMatchObject({ code: 'KEY_NAME_TAKEN' })
  })
})

describe('limits', () => {
  test('a key beyond its rate is told how long to wait', async () => {
    const { key } = await client.createKey({ name: 'slow', read: ['mesh'], rate: 3 })
    const answers = []
    for (let n = 0; n < 5; n++) answers.push(await lab.tcp('/mesh/memory', { headers: bearer(key) }))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429])
    expect(answers[4]?.json).toMatchObject({ code: 'RATE_LIMITED', status: 429 })
    const wait = Number(answers[4]?.headers['retry-after'])
    expect(wait).toBeGreaterThan(10)
    expect(wait).toBeLessThanOrEqual(20)
  })

  test('all keys of a tenant share what the tenant has, and no other tenant’s', async () => {
    const [a, b, other] = await Promise.all(
      [
        ['ta', 't1'],
        ['tb', 't1'],
        ['tc', 't2'],
      ].map(([name = '', tenant = '']) => client.createKey({ name, tenant })),
    )
    for (let n = 0; n < 25; n++) {
      expect(await statusOf('/mesh/memory', a?.key ?? '')).toBe(200)
      expect(await statusOf('/mesh/memory', b?.key ?? '')).toBe(200)
    }
    expect(await statusOf('/mesh/memory', a?.key ?? '')).toBe(429)
    expect(await statusOf('/mesh/memory', b?.key ?? '')).toBe(429)
    expect(await statusOf('/mesh/memory', other?.key ?? '')).toBe(200)
  })
})

describe('the agents’ token', () => {
  test('reads and puts everywhere, deletes nothing, steers nothing', async () => {
    const { readFile } = await import('node:fs/promises')
    const token = (await readFile(lab.layout.agentTokenPath, 'utf8')).trim()
    for (const path of ['/mesh/memory/node/k', '/mesh/skills/k', '/status', '/peers', '/doctor']) {
      expect([path, await statusOf(path, token)]).toEqual([path, 200])
    }
    expect(await statusOf('/mesh/memory', token, put({ scope: 'node', key: 'by-agent', value: 1 }))).toBe(200)
    expect(await statusOf('/mesh/memory/node/by-agent', token, { method: 'DELETE' })).toBe(403)
    for (const path of ['/config', '/keys']) expect(await statusOf(path, token)).toBe(403)
    for (const path of ['/sync', '/invite', '/leave', '/token/rotate', '/keys', '/import']) {
      const call = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
      expect([path, await statusOf(path, token, call)]).toEqual([path, 403])
    }
    await client.rotateToken({ token: 'agent' })
    expect(await statusOf('/status', token)).toBe(401)
  })
})
