import { beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { type Answer, ERROR, useStore } from './store.ts'

/** How soon what was put is found, in milliseconds, on a machine that is busy. */
const SOON_MS = 5_000

const store = useStore()

interface Hit {
  readonly scope: string
  readonly key: string
  readonly snippet: string
}

const put = (scope: string, key: string, value: unknown) =>
  store.put('/mesh/memory', { scope, key, value, node_id: 'old' })

interface Wanted {
  readonly scope?: string
  readonly limit?: number
  readonly mode?: string
}

/** The same question, asked in each of the ways that there are. */
const WAYS: readonly [name: string, ask: (words: string, wanted?: Wanted) => Promise<Answer>][] = [
  [
    'GET /mesh/memory?q=',
    (q, { limit, ...wanted } = {}) => {
      const query = new URLSearchParams({ q, ...wanted, ...(limit === undefined ? {} : { limit: String(limit) }) })
      return store.get(`/mesh/memory?${query}`)
    },
  ],
  ['POST /mesh/query {query}', (query, wanted) => store.call('POST', '/mesh/query', { body: { query, ...wanted } })],
  ['POST /mesh/query {q}', (q, wanted) => store.call('POST', '/mesh/query', { body: { q, ...wanted } })],
]

/** Waits until so many are found, and no other number. */
function found(words: string, count: number): Promise<Hit[]> {
  return until(
    `${count} with ${words}`,
    async () => {
      const { body } = await store.get(`/mesh/memory?q=${encodeURIComponent(words)}&limit=100`)
      return (body as Hit[]).length === count && (body as Hit[])
    },
    { ms: SOON_MS },
  )
}

beforeAll(async () => {
  await Promise.all(Array.from({ length: 30 }, (_, i) => put('mesh', `herd/${i}`, `number ${i} of the alpacas`)))
  await put('federation', 'fair', 'two alpacas for sale')
  await put('federation', 'words/ä b:c', { note: { lines: ['nothing', 'the okapi is shy'] } })
  await found('alpacas', 31)
  await found('okapi', 1)
})

describe.each(WAYS)('%s', (_, ask) => {
  const hits = async (words: string, wanted?: Wanted) => {
    const { status, body } = await ask(words, wanted)
    expect({ status, isArray: Array.isArray(body) }).toEqual({ status: 200, isArray: true })
    return body as Hit[]
  }

  test('a hit is scope, key and a snippet that shows the word, and nothing else', async () => {
    expect(await hits('okapi')).toEqual([
      { scope: 'federation', key: 'words/ä b:c', snippet: expect.stringContaining('okapi') },
    ])
    for (const hit of await hits('alpacas')) {
      expect(hit).toEqual({
        scope: expect.any(String),
        key: expect.any(String),
        snippet: expect.stringContaining('alpacas'),
      })
    }
  })

  test('there are at most 25, or as many as are asked for', async () => {
    expect(await hits('alpacas')).toHaveLength(25)
    expect(await hits('alpacas', { limit: 3 })).toHaveLength(3)
    expect(await hits('alpacas', { limit: 1 })).toHaveLength(1)
    const all = await hits('alpacas', { limit: 100 })
    expect(new Set(all.map(({ scope, key }) => `${scope} ${key}`)).size).toBe(31)
  })

  test('a scope keeps to itself', async () => {
    expect((await hits('alpacas', { scope: 'federation' })).map(({ key }) => key)).toEqual(['fair'])
    const inside = await hits('alpacas', { scope: 'mesh', limit: 100 })
    expect(inside).toHaveLength(30)
    expect(new Set(inside.map(({ scope }) => scope))).toEqual(new Set(['mesh']))
    expect(await hits('okapi', { scope: 'mesh' })).toEqual([])
    expect(await hits('okapi', { scope: 'user:nobody' })).toEqual([])
  })

  test('mode fts is what is meant where none is said', async () => {
    expect(await hits('okapi', { mode: 'fts' })).toEqual(await hits('okapi'))
  })

  test('of several words all count; of a word that nobody wrote nothing is found', async () => {
    expect((await hits('alpacas sale')).map(({ key }) => key)).toEqual(['fair'])
    expect(await hits('unwritten')).toEqual([])
  })

  test('signs that mean something to a search engine are taken as text or refused, never a fault', async () => {
    for (const words of [
      '"okapi',
      'okapi"',
      'okapi AND',
      '(okapi',
      '-okapi',
      'o*',
      '*',
      'key:okapi',
      "o'k",
      '%',
      '日本',
    ]) {
      const { status, body } = await ask(words)
      if (status === 200) expect(Array.isArray(body), words).toBe(true)
      else expect({ status, body }, words).toMatchObject({ status: 400, body: ERROR })
    }
  })

  test('semantic search, where none is set up, is refused with {error}', async () => {
    const { status, body } = await ask('okapi', { mode: 'semantic' })
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(body).toMatchObject(ERROR)
  })
})

test('what is put anew is found by its new words and no longer by the old', async () => {
  await put('mesh', 'changes', 'first it was a wombat')
  await found('wombat', 1)
  await put('mesh', 'changes', 'then it was a numbat')
  await found('wombat', 0)
  expect(await found('numbat', 1)).toMatchObject([{ scope: 'mesh', key: 'changes' }])
})

test('a query without words, or that is no JSON, is refused with {error}', async () => {
  for (const body of [{}, { scope: 'mesh' }, undefined, '{"query":', []]) {
    expect(await store.call('POST', '/mesh/query', { body })).toMatchObject({ status: 400, body: ERROR })
  }
})
