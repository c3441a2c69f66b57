import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { createClient, type MeshClient } from './client.ts'
import { type Lab, openLab, type RawCall } from './lab-suite.ts'
import { type Operation, operationsOf, requestOf, requestsOf } from './openapi-suite.ts'

let lab: Lab
let client: MeshClient
let operations: Operation[]
let bearer: Record<string, string>
beforeAll(async () => {
  lab = await openLab()
  client = createClient({ home: lab.layout.home })
  operations = operationsOf((await lab.tcp('/openapi.json')).json)
  bearer = { authorization: `Bearer ${await lab.token()}` }
})
afterAll(async () => {
  client.close()
  await lab.close()
})

/**
 * Sends over TCP. Of events, which do not end by themselves, what comes at once is taken for the answer.
 */
async function send(path: string, call: RawCall): Promise<{ status: number; text: string; json: unknown }> {
  if (!/^\/events(\?|$)/.test(path)) return lab.tcp(path, call)
  const { method = 'GET', headers = {} } = call
  const asked = request({ host: '127.0.0.1', port: lab.port, path, method, headers, agent: false })
  asked.on('error', () => {})
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const status = response.statusCode ?? 0
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk
    if (status === 200) break
  }
  return { status, text, json: status === 200 ? undefined : JSON.parse(text) }
}

describe('the description of the API', () => {
  test('is OpenAPI 3.1, open to all, and has every call once', async () => {
    const { status, json, headers } = await lab.tcp('/openapi.json')
    expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expect(json).toMatchObject({ openapi: '3.1.0', info: { title: 'openclaw-meshd' } })
    const ids = Object.values((json as { paths: object }).paths).flatMap((path) =>
      Object.values(path as Record<string, { operationId: string }>).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
    expect(operations.length).toBeGreaterThan(25)
    for (const { path, parameters } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(named)
    }
  })

  test('says of many what each one is, though each is judged by itself', () => {
    const { body } = operations.find(({ path }) => path === '/import') ?? {}
    for (const list of ['memory', 'skills']) {
      expect(body?.properties?.[list]?.items?.properties, list).toMatchObject({
        ts: {},
        expires_at: { type: 'number' },
      })
    }
    expect(body?.properties?.['skills']?.items?.properties).toHaveProperty('path')
  })

  test('is a page to read as well, on which nothing runs', async () => {
    const { status, text, headers } = await lab.tcp('/docs')
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers['content-security-policy']).toBe("default-src 'none'; style-src 'unsafe-inline'")
    for (const { method, path } of operations) {
      expect(text).toContain(`id="${method}-${path}"`)
    }
    expect(text).not.toMatch(/<script|undefined|\[object/)
  })

  test('names every call that needs no credentials, and all others refuse who has none', async () => {
    for (const operation of operations) {
      const values = Object.fromEntries(operation.parameters.map(({ name }) => [name, 'x']))
      const { path, call } = requestOf(operation, values, operation.body && {})
      const { status } = await send(path, call)
      expect([operation.path, status]).toEqual([operation.path, operation.security.length === 0 ? 200 : 401])
    }
  })
})

describe('a tenant', () => {
  const MARK = 'only-for-others'
  const others = ['mesh', 'node', 'federation', 'user:a', 'user:b:x', 'user:acme', 'tenant:b']

  test('sees no byte of another on any route, and changes nothing of another', async () => {
    const puts = others.flatMap((scope) => [
      { scope, key: `${MARK}-key`, value: { secret: MARK }, node_id: MARK },
      { scope, key: 'shared', value: MARK },
      { kind: 'skill' as const, scope, name: 'shared', content: MARK },
    ])
    await client.bulk([...puts, { scope: 'tenant:acme', key: 'shared', value: 'own' }])
    const before = lab.store.position
    const { key } = await client.createKey({ name: 'acme', tenant: 'acme' })
    const seen: string[] = []
    for (const operation of operations) {
      for (const scope of [...others, undefined]) {
        for (const name of ['shared', `${MARK}-key`]) {
          const all: Record<string, string | undefined> = {
            scope,
            key: name,
            name,
            peer: 'ceo',
            prefix: '',
            q: MARK,
            limit: '5',
          }
          // A search and a list are one call: each is asked for.
          for (const q of [undefined, MARK]) {
            const given = Object.entries({ ...all, q }).filter(
              (pair): pair is [string, string] => pair[1] !== undefined,
            )
            const values = Object.fromEntries(given)
            if (operation.path.includes('{scope}') && scope === undefined) continue
            const body = operation.body && {
              scope,
              key: name,
              name,
              value: 1,
              content: '1',
              query: MARK,
              q: MARK,
              puts,
            }
            const { path, call } = requestOf(operation, values, body)
            const answer = await send(path, {
              ...call,
              headers: { ...call.headers, authorization: `Bearer ${key}` },
            })
            const what = `${call.method} ${path} ${answer.status}`
            // What it asked for itself may come back to it in an error.
            const told = answer.text.replaceAll(name, '').replaceAll(MARK, answer.status === 200 ? MARK : '')
            expect(told, what).not.toContain(MARK)
            expect(answer.status, what).toBeLessThan(500)
            seen.push(what)
          }
        }
      }
    }
    expect(seen.length).toBeGreaterThan(300)
    for (const scope of others) {
      expect((await client.getMemory(scope, 'shared')).value).toBe(MARK)
      expect((await client.getSkill('shared', scope)).content).toBe(MARK)
    }
    const changed = await Array.fromAsync(lab.store.feed(before))
    expect(changed.filter(({ id }) => !['tenant:acme'].includes(id.scope)).map(({ id }) => id)).toEqual([])
  })

  test('watches what is its own', async () => {
    const { key } = await client.createKey({ name: 'acme-3', tenant: 'acme' })
    const own = createClient({ home: lab.layout.home, url: lab.url, token: key })
    await client.putMemory({ scope: 'mesh', key: `${MARK}-last`, value: MARK })
    await own.putMemory({ scope: 'tenant:acme', key: 'last', value: 1 })
    const heard: string[] = []
    for await (const event of own.watch({ since: 0 })) {
      heard.push(JSON.stringify(event))
      if ('key' in event && event.key === 'last') break
    }
    own.close()
    expect(heard.length).toBeGreaterThan(1)
    expect(heard.join()).not.toContain(MARK)
  })

  test('lists what is its own', async () => {
    const { key } = await client.createKey({ name: 'acme-2', tenant: 'acme' })
    await client.putMemory({ scope: 'user:acme:bob', key: 'own', value: 1 })
    const { json } = await lab.tcp('/mesh/memory', { headers: { authorization: `Bearer ${key}` } })
    expect(new Set((json as { scope: string }[]).map(({ scope }) => scope))).toEqual(
      new Set(['tenant:acme', 'user:acme:bob']),
    )
  })
})

describe('S-16, S-21, S-22, S-23: whatever is sent', () => {
  // These end or leave what the other tests stand on, or take long by their nature.
  const spared = ['/leave', '/join', '/sync', '/token/rotate', '/doctor']
  const runs = LONG ? 100_000 : 1_500

  test(
    `${runs} requests of every kind are answered, none with a fault of ours`,
    async () => {
      const fuzzed = operations.filter(({ path }) => !spared.includes(path))
      const request = fc.constantFrom(...fuzzed).chain(requestsOf)
      const statuses = new Map<number, number>()
      await fc.assert(
        fc.asyncProperty(request, async ({ path, call }) => {
          const headers = { ...call.headers, ...bearer }
          const answer = await send(path, { ...call, headers })
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
          expect(answer.status, answer.text).toBeLessThan(500)
          if (answer.status < 400) return
          expect(answer.json).toMatchObject({
            code: expect.stringMatching(/^[A-Z_]+$/),
            error: expect.stringMatching(/\S/),
            status: answer.status,
          })
        }),
        { numRuns: runs, endOnFailure: true },
      )
      // It came to the routes, and not only to what refuses nonsense before them.
      expect(statuses.get(200)).toBeGreaterThan(runs / 50)
      expect(statuses.get(400)).toBeGreaterThan(runs / 20)
      expect((await lab.tcp('/health')).status).toBe(200)
    },
    LONG ? 3_600_000 : 60_000,
  )
})
