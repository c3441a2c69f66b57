import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LONG } from '../support/long.ts'
import { byFetch, byHttp, ERROR, useStore } from './store.ts'

const RUNS = LONG ? 2_000 : 30

const store = useStore()

interface Row {
  readonly key: string
  readonly value: unknown
  readonly updated_at: number
}

const put = (scope: string, key: string, value: unknown, more: object = {}) =>
  store.put('/mesh/memory', { scope, key, value, node_id: 'old', ...more })

const pathOf = (scope: string, key: string) => `/mesh/memory/${encodeURIComponent(scope)}/${encodeURIComponent(key)}`

const keysIn = async (path: string) => ((await store.get(path)).body as Row[]).map(({ key }) => key).sort()

test('without a scope all are listed, with one its own, and of an unused one none', async () => {
  const scopes = ['node', 'mesh', 'federation', 'user:ann', 'user:acme:ann', 'tenant:acme']
  for (const scope of scopes) await put(scope, `in ${scope}`, 1)
  expect(await keysIn('/mesh/memory')).toEqual(scopes.map((scope) => `in ${scope}`).sort())
  for (const scope of scopes) {
    // A colon may stand in a query as it is.
    for (const written of [scope, encodeURIComponent(scope)]) {
      expect(await keysIn(`/mesh/memory?scope=${written}`), written).toEqual([`in ${scope}`])
    }
    for (const written of [scope, encodeURIComponent(scope)]) {
      const path = `/mesh/memory/${written}/${encodeURIComponent(`in ${scope}`)}`
      expect(await store.get(path), path).toMatchObject({ status: 200, body: { scope, value: 1 } })
    }
  }
  expect(await store.get('/mesh/memory?scope=user:nobody')).toMatchObject({ status: 200, body: [] })
  // Left empty it says nothing.
  expect(await keysIn('/mesh/memory?scope=')).toHaveLength(scopes.length)
})

test('a row has these fields and no other, in a list as alone', async () => {
  const fields = ['key', 'node_id', 'scope', 'updated_at', 'value']
  const { body } = await put('mesh', 'fields', { a: 1 })
  const listed = (await store.get('/mesh/memory')).body as object[]
  for (const row of [body, (await store.get('/mesh/memory/mesh/fields')).body, ...listed]) {
    expect(Object.keys(row as object).sort()).toEqual(fields)
  }
})

test('the time is in whole seconds and the store’s, whatever the caller says', async () => {
  for (const said of [1, 4_102_444_800, 'soon']) {
    const before = Math.floor(Date.now() / 1_000)
    const { status, body } = await put('mesh', 'time', said, { updated_at: said, ts: said })
    const after = Math.ceil(Date.now() / 1_000)
    const { updated_at } = body as Row
    expect({ status, whole: Number.isInteger(updated_at) }).toEqual({ status: 200, whole: true })
    expect(updated_at).toBeGreaterThanOrEqual(before)
    expect(updated_at).toBeLessThanOrEqual(after)
  }
})

test('node_id is kept as the last writer said it, and may be missing', async () => {
  await put('mesh', 'author', 1, { node_id: 'first' })
  expect(await put('mesh', 'author', 1, { node_id: 'external:acme:second' })).toMatchObject({
    status: 200,
    body: { node_id: 'external:acme:second' },
  })
  expect(await store.put('/mesh/memory', { scope: 'mesh', key: 'author', value: 2 })).toMatchObject({
    status: 200,
    body: { value: 2, node_id: expect.any(String) },
  })
})

test('a row can be put back as it was got', async () => {
  const { body } = await put('mesh', 'again', { a: [1] })
  const row = body as Row
  expect(await store.put('/mesh/memory', row)).toMatchObject({
    status: 200,
    body: { ...row, updated_at: expect.any(Number) },
  })
})

test('fields that the store does not know are passed over', async () => {
  const { status, body } = await put('mesh', 'more', 'kept', {
    type: 'memory',
    nodeId: 'x',
    id: 7,
    extra: { deep: [] },
  })
  expect(status).toBe(200)
  expect(body).toEqual({ scope: 'mesh', key: 'more', value: 'kept', node_id: 'old', updated_at: expect.any(Number) })
})

const KEYS = [
  'plain',
  'a/b/c',
  'a//b',
  '/lead',
  'trail/',
  '/',
  'mesh:plan',
  'a b',
  ' edges ',
  'a+b',
  '100%',
  '%2F',
  '%25',
  '50%zz',
  'a?b=c&d#e',
  'für 日本 🦊',
  'e\u0301',
  '..',
  'a/../../b',
  './a',
  '"quoted" \'k\'',
  'back\\slash',
  '[x]{y}<z>|^`~!@$*();,=',
  'history',
  'x'.repeat(1_000),
]

test.each(KEYS)('key %j, encoded in the address', async (key) => {
  const { status, body } = await put('mesh', key, `at ${key}`)
  expect({ status, body }).toMatchObject({ status: 200, body: { scope: 'mesh', key, value: `at ${key}` } })
  expect(await store.get(pathOf('mesh', key))).toMatchObject({ status: 200, body })
  expect((await store.get('/mesh/memory?scope=mesh')).body).toContainEqual(body)
  // `fetch` takes dots alone for a folder before it sends anything.
  if (key === '..') return
  expect(await store.call('GET', pathOf('mesh', key), { by: byFetch })).toMatchObject({ status: 200, body })
})

test('a key’s slashes may stand in the address as they are', async () => {
  const keys = ['raw/b/c', 'raw//b', 'raw/trail/', 'raw/a b/c%d/日本', 'raw/mesh:x/y']
  for (const key of keys) {
    const { body } = await put('mesh', key, key)
    const path = `/mesh/memory/mesh/${key.split('/').map(encodeURIComponent).join('/')}`
    for (const by of [byHttp, byFetch]) {
      expect(await store.call('GET', path, { by }), path).toMatchObject({ status: 200, body })
    }
  }
})

test('keys that differ in a slash, an escape or case are different keys', async () => {
  const keys = ['d/a/b', 'd/a%2Fb', 'd/a/b/', 'd/A/b', 'd//a/b', 'd:a:b']
  for (const key of keys) await put('federation', key, key)
  for (const key of keys)
    expect(await store.get(pathOf('federation', key))).toMatchObject({ body: { key, value: key } })
})

test('an address that is no proper escape is refused with {error}', async () => {
  for (const path of ['/mesh/memory/mesh/100%', '/mesh/memory/mesh/%zz', '/mesh/memory/%/plan', '/mesh/skills/%f']) {
    const { status, body } = await store.get(path)
    expect([400, 404], path).toContain(status)
    expect(body).toMatchObject(ERROR)
  }
})

const VALUES = [
  null,
  false,
  true,
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  '',
  'text',
  'line\nbreak\ttab "quotes" \\ 🦊',
  '{"json":"in a text"}',
  [],
  {},
  [[], {}, null, [1, ['x']]],
  { '': 0, 'a/b': { '~1': [] }, 'a.b': null, empty: {}, 日本: '語' },
]

test.each(VALUES)('value %j comes back as it was put, and replaces the one before', async (value) => {
  const { status, body } = await put('mesh', 'value', value)
  expect(status).toBe(200)
  expect((body as Row).value).toEqual(value)
  expect(await store.get('/mesh/memory/mesh/value')).toMatchObject({ status: 200, body: body as object })
})

test('any JSON comes back as it was put, over any other', async () => {
  // Ours refuses `__proto__` as a field, which no tool has a use for.
  const json = fc
    .jsonValue({ maxDepth: 4, stringUnit: 'binary' })
    .filter((v) => !JSON.stringify(v).includes('__proto__'))
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      const { status, body } = await put('mesh', 'any', value)
      // As JSON says it: it knows no negative zero.
      const sent = JSON.parse(JSON.stringify(value))
      expect({ status, value: (body as Row).value }).toEqual({ status: 200, value: sent })
      expect((await store.get('/mesh/memory/mesh/any')).body).toEqual(body)
    }),
    { numRuns: RUNS },
  )
})

test('what an object no longer has is gone after the next put', async () => {
  await put('mesh', 'shrinks', { a: 1, b: { c: 2, d: 3 }, e: [1, 2, 3] })
  const { body } = await put('mesh', 'shrinks', { b: { d: 3 }, e: [2] })
  expect((body as Row).value).toEqual({ b: { d: 3 }, e: [2] })
  expect((await store.get('/mesh/memory/mesh/shrinks')).body).toEqual(body)
})

test('puts at once are all taken, and of those on one key one stands', async () => {
  const many = Array.from({ length: 40 }, (_, i) => i)
  const answers = await Promise.all(many.map((i) => put('user:bob', i % 2 === 0 ? 'same' : `own/${i}`, i)))
  expect(answers.map(({ status }) => status)).toEqual(many.map(() => 200))
  expect(await keysIn('/mesh/memory?scope=user:bob')).toHaveLength(21)
  const { value } = (await store.get('/mesh/memory/user:bob/same')).body as Row
  expect(many.filter((i) => i % 2 === 0)).toContain(value)
})

const MALFORMED: readonly [what: string, body: unknown][] = [
  ['no scope', { key: 'k', value: 1, node_id: 'old' }],
  ['no key', { scope: 'mesh', value: 1, node_id: 'old' }],
  ['no value', { scope: 'mesh', key: 'k', node_id: 'old' }],
  ['an empty scope', { scope: '', key: 'k', value: 1 }],
  ['an empty key', { scope: 'mesh', key: '', value: 1 }],
  ['nothing', {}],
  ['no body', undefined],
  ['half of JSON', '{"scope":"mesh","key":"k","value":'],
  ['no JSON', 'scope=mesh&key=k&value=1'],
  ['an array', [{ scope: 'mesh', key: 'k', value: 1 }]],
  ['null', 'null'],
  ['a number', '7'],
]

test.each(MALFORMED)('PUT with %s is 400 with {error}, and nothing is stored', async (_, body) => {
  expect(await store.put('/mesh/memory', body)).toMatchObject({ status: 400, body: ERROR })
  expect(await store.get('/mesh/memory/mesh/k')).toMatchObject({ status: 404, body: ERROR })
})
