import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from './client.ts'
import { interfere, type Lab, openLab } from './lab-suite.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

const head = (path: string, headers: Record<string, string> = {}) => lab.local(path, { method: 'HEAD', headers })

test('of a list reads nothing of what would be streamed', async () => {
  let reads = 0
  // biome-ignore lint/correctness/useYield: it is there to be begun by nobody.
  using _ = interfere(lab.store, 'list', async function* () {
    reads++
  })
  for (const path of ['/mesh/memory', '/mesh/skills', '/mesh/memory?limit=2000']) {
    const { status, headers } = await head(path)
    expect([status, headers['content-type'], headers['content-length']]).toEqual([
      200,
      'application/json; charset=utf-8',
      undefined,
    ])
  }
  expect(reads).toBe(0)
})

test('of a page says where the next is', async () => {
  const client = createClient({ home: lab.layout.home })
  for (const key of ['a', 'b', 'c']) await client.putMemory({ scope: 'mesh', key, value: 1 })
  client.close()
  const { headers } = await lab.local('/mesh/memory?limit=2')
  expect(headers.link).toContain('rel="next"')
  expect((await head('/mesh/memory?limit=2')).headers).toMatchObject({
    link: headers.link,
    'content-length': headers['content-length'],
  })
})

test('there is none of what goes on for as long as somebody reads', async () => {
  for (const path of ['/events', '/backup']) expect((await head(path)).status).toBe(404)
})

test('needs the right that GET needs', async () => {
  const client = createClient({ home: lab.layout.home })
  const { key } = await client.createKey({ name: 'reader', read: ['mesh'] })
  client.close()
  const authorization = `Bearer ${key}`
  expect((await head('/mesh/memory', { authorization })).status).toBe(200)
  for (const path of ['/mesh/memory?scope=federation', '/status', '/keys', '/metrics', '/doctor']) {
    expect((await head(path, { authorization })).status, path).toBe(403)
  }
})

test('is counted with GET, and not described as a call of its own', async () => {
  const { text } = await lab.local('/metrics')
  expect(text).toContain('GET /mesh/memory')
  expect(text).not.toContain('HEAD')
  expect((await lab.local('/openapi.json')).text).not.toContain('"head"')
})
