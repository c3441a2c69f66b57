import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type MeshClient } from './client.ts'
import { type Lab, openLab } from './lab-suite.ts'
import type { Conflicted } from './overview-schemas.ts'

/** What both wrote before they met is in conflict when they have met. */
let ceo: Lab
let sec: Lab
let client: MeshClient

const SCOPES = ['mesh', 'user:acme:bob', 'tenant:acme'] as const
const PER_SCOPE = 5

beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([openLab({ name: 'ceo' }), openLab({ name: 'sec' })])
  for (const lab of [ceo, sec]) {
    const one = createClient({ home: lab.layout.home })
    const { nodeId } = await one.status()
    for (const scope of SCOPES) {
      for (let i = 0; i < PER_SCOPE; i++) {
        await one.putMemory({ scope, key: `limits/${i}`, value: { cpu: nodeId, memory: `${nodeId}G`, same: 1 } })
      }
      await one.putMemory({ scope, key: 'equal', value: 1 })
      await one.putMemory({ scope, key: `own of ${nodeId}`, value: 1 })
      await one.putSkill({ scope, name: 'weather', content: `# by ${nodeId}\n` })
    }
    one.close()
  }
  client = createClient({ home: ceo.layout.home })
  await client.putMemory({ scope: 'node', key: 'here', value: 1 })
  await client.putMemory({ scope: 'federation', key: 'gone', value: 1 })
  await client.deleteMemory('federation', 'gone')
  const { ticket } = await client.invite()
  await sec.mesh.join(ticket)
  expect((await ceo.mesh.sync()).equal).toBe(true)
})
afterAll(async () => {
  client.close()
  await Promise.all([ceo.close(), sec.close()])
})

const list = (query?: Parameters<MeshClient['eachConflicted']>[0]) => Array.fromAsync(client.eachConflicted(query))
const names = (entries: readonly Conflicted[]) => entries.map(({ kind, scope, key }) => `${kind} ${scope} ${key}`)

const EXPECTED = [
  ...['mesh', 'tenant:acme', 'user:acme:bob'].flatMap((scope) =>
    Array.from({ length: PER_SCOPE }, (_, i) => `memory ${scope} limits/${i}`),
  ),
  ...['mesh', 'tenant:acme', 'user:acme:bob'].map((scope) => `skill ${scope} weather`),
]

describe('entries in conflict', () => {
  test('are all listed, and no others: memory first, each kind by scope and key', async () => {
    const entries = await list()
    expect(names(entries)).toEqual(EXPECTED)
    const [first] = entries
    const { etag, updated_at } = await client.getMemory('mesh', 'limits/0')
    expect(first).toEqual({ kind: 'memory', scope: 'mesh', key: 'limits/0', conflicts: 2, updated_at, etag })
    expect(entries.at(-1)).toMatchObject({ kind: 'skill', conflicts: 1 })
    const { conflicts } = await client.status()
    expect(entries.reduce((sum, entry) => sum + entry.conflicts, 0)).toBe(conflicts)
  })

  test('narrowed by kind, scope, prefix and number', async () => {
    expect(names(await list({ kind: 'skill' }))).toEqual(EXPECTED.slice(-3))
    expect(names(await list({ scope: 'tenant:acme', kind: 'memory' }))).toEqual(EXPECTED.slice(5, 10))
    expect(names(await list({ prefix: 'limits/3' }))).toEqual(EXPECTED.filter((name) => name.endsWith('/3')))
    expect(names(await list({ limit: 2 }))).toEqual(EXPECTED.slice(0, 2))
    expect(await list({ scope: 'federation' })).toEqual([])
    await expect(list({ scope: 'nowhere' })).rejects.toMatchObject({ code: 'SCOPE_INVALID' })
  })

  test.each([1, 4, 7, 15, 16, 1_000])(
    'come in pages of %i: each once, over the border between the kinds',
    async (limit) => {
      const found: Conflicted[] = []
      let pages = 0
      for (let path: string | undefined = `/conflicts?limit=${limit}`; path !== undefined; pages++) {
        const { json, headers } = await ceo.local(path)
        const page = json as Conflicted[]
        expect(page.length).toBeLessThanOrEqual(limit)
        found.push(...page)
        path = /^<(.+)>; rel="next"$/.exec(String(headers.link ?? ''))?.[1]
      }
      expect(names(found)).toEqual(EXPECTED)
      expect(pages).toBe(Math.ceil(EXPECTED.length / limit))
    },
  )

  test('without a limit, or with a large one, are streamed', async () => {
    for (const path of ['/conflicts', '/conflicts?limit=5000', '/conflicts?limit=']) {
      expect(names((await ceo.local(path)).json as Conflicted[]), path).toEqual(EXPECTED)
    }
    expect((await ceo.local('/conflicts?limit=0')).json).toMatchObject({ code: 'REQUEST_INVALID', field: 'limit' })
    expect((await ceo.local('/conflicts?cursor=x')).json).toMatchObject({ code: 'CURSOR_INVALID' })
    expect((await ceo.local('/conflicts?kind=x')).json).toMatchObject({ code: 'REQUEST_INVALID', field: 'kind' })
  })

  test('of a tenant are its own, on every page', async () => {
    const { key } = await client.createKey({ name: 'acme', tenant: 'acme' })
    const headers = { authorization: `Bearer ${key}` }
    const own = EXPECTED.filter((name) => name.includes('acme'))
    expect(names((await ceo.tcp('/conflicts', { headers })).json as Conflicted[])).toEqual(own)
    // A cursor leads nowhere else: it only says where to begin.
    const { headers: told } = await ceo.local('/conflicts?limit=2')
    const cursor = /cursor=([\w%-]+)/.exec(String(told.link))?.[1]
    const behind = await ceo.tcp(`/conflicts?limit=100&cursor=${cursor}`, { headers })
    expect(names(behind.json as Conflicted[])).toEqual(own)
    expect((await ceo.tcp('/conflicts?scope=mesh', { headers })).json).toMatchObject({ code: 'FORBIDDEN' })
    expect((await ceo.tcp('/scopes', { headers })).json).toMatchObject({
      scopes: [{ scope: 'tenant:acme' }, { scope: 'user:acme:bob' }],
    })
  })

  test('are listed no more once they are ended, deleted or hidden by their time', async () => {
    await client.resolve({ kind: 'memory', scope: 'mesh', key: 'limits/0' })
    await client.deleteMemory('mesh', 'limits/1')
    await client.resolve({ kind: 'skill', key: 'weather' })
    expect(names(await list({ scope: 'mesh' }))).toEqual([2, 3, 4].map((i) => `memory mesh limits/${i}`))
  })
})

test('scopes that hold something are counted, those that are empty are left out', async () => {
  expect(await client.scopes()).toEqual([
    { scope: 'mesh', memory: 7, skills: 1, conflicts: 3 },
    { scope: 'node', memory: 1, skills: 0, conflicts: 0 },
    { scope: 'tenant:acme', memory: 8, skills: 1, conflicts: 6 },
    { scope: 'user:acme:bob', memory: 8, skills: 1, conflicts: 6 },
  ])
  const { memory, skills } = await client.status()
  const sums = [0, 0]
  for (const scope of await client.scopes()) {
    sums[0] = (sums[0] ?? 0) + scope.memory
    sums[1] = (sums[1] ?? 0) + scope.skills
  }
  expect(sums).toEqual([memory, skills])
})
