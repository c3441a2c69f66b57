import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MeshError } from '../../crdt/errors.ts'
import { createClient, type Progress } from './client.ts'
import { interfere, type Lab, openLab, post } from './lab-suite.ts'

/** Under load a neighbour may take a while. */
const SOON = { timeout: 10_000 }
const ndjson = { accept: 'application/x-ndjson' }
let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

test('two nodes are paired, reconciled and parted, each steered through its own API', async () => {
  const other = await openLab({ name: 'sec' })
  try {
    const ceo = createClient({ home: lab.layout.home })
    const sec = createClient({ home: other.layout.home, url: other.url })
    await ceo.putMemory({ scope: 'mesh', key: 'plan', value: 1 })
    await sec.putMemory({ scope: 'mesh', key: 'own', value: 2 })

    const { ticket, expires_at, addresses } = await ceo.invite({ ttl_seconds: 60 })
    expect(addresses).toEqual(lab.mesh.addresses())
    expect(Math.abs(expires_at - Date.now() / 1000 - 60)).toBeLessThan(5)
    const phases = new Set<string>()
    const onProgress = ({ phase }: Progress) => phases.add(phase)
    const joined = await sec.join(ticket, { onProgress })
    expect(joined).toEqual({ meshId: lab.mesh.meshId, members: ['ceo', 'sec'], vouched: 1 })
    expect(phases.size).toBeGreaterThan(0)

    const report = await ceo.sync({ onProgress })
    expect(report).toMatchObject({ equal: true, peers: [{ nodeId: 'sec', equal: true }] })
    expect(await sec.getMemory('mesh', 'plan')).toMatchObject({ value: 1, node_id: 'ceo' })
    expect(await ceo.getMemory('mesh', 'own')).toMatchObject({ value: 2, node_id: 'sec' })
    const [one, two] = [await ceo.status(), await sec.status()]
    expect(one.digest).toBe(two.digest)
    expect(one.meshId).toBe(two.meshId)
    expect(one.peers).toMatchObject([{ nodeId: 'sec', peerId: two.peerId }])
    const told = [{ nodeId: 'sec', peerId: two.peerId, connected: true, equal: true, lastSync: expect.any(Number) }]
    // Whichever side began a session last, both come to know that they are equal.
    await vi.waitFor(async () => expect(await ceo.peers()).toMatchObject(told), SOON)

    expect(await ceo.removePeer('sec')).toEqual({ nodeId: 'sec', peerId: two.peerId })
    expect(await ceo.peers()).toEqual([])
    await vi.waitFor(
      async () => expect(await sec.leave()).toMatchObject({ meshId: expect.not.stringContaining(one.meshId) }),
      SOON,
    )
  } finally {
    await other.close()
  }
})

describe('the mesh’s errors have their status', () => {
  test.each([
    ['DELETE', '/peers/no%20body', '', 404, 'PEER_UNKNOWN'],
    ['DELETE', '/peers/ceo', '', 409, 'PEER_IS_SELF'],
    ['POST', '/join', '{"ticket":"nonsense"}', 400, 'TICKET_MALFORMED'],
    ['POST', '/leave', '', 409, 'NOT_IN_A_MESH'],
  ])('%s %s', async (method, path, body, status, code) => {
    const answer = await lab.local(path, { ...post(body), method })
    expect([answer.status, answer.json]).toMatchObject([status, { code, error: expect.stringMatching(/\w/) }])
  })

  test('a node’s own ticket', async () => {
    const { ticket } = (await lab.local('/invite', post({}))).json as { ticket: string }
    expect(await lab.local('/join', post({ ticket }))).toMatchObject({
      status: 409,
      json: { code: 'TICKET_OWN', field: 'ticket' },
    })
  })
})

test('a ticket lives 15 minutes unless said otherwise', async () => {
  for (const [body, seconds] of [
    ['{}', 900],
    ['', 900],
    ['{"ttl_seconds":604800}', 604_800],
  ] as const) {
    const { expires_at } = (await lab.local('/invite', post(body))).json as { expires_at: number }
    expect(Math.abs(expires_at - Date.now() / 1000 - seconds)).toBeLessThan(5)
  }
})

test('an error among the findings makes the node not ok, warnings and news do not', async () => {
  expect((await lab.local('/doctor')).json).toEqual({ ok: true, findings: [] })
  lab.findings.push({ checkId: 'news', severity: 'info', message: 'news' })
  lab.findings.push({ checkId: 'files.x', severity: 'warning', message: 'x', path: '/p', fixHint: 'mend it' })
  expect((await lab.local('/doctor')).json).toEqual({ ok: true, findings: lab.findings })
  lab.findings.push({ checkId: 'files.y', severity: 'error', message: 'y' })
  expect((await lab.local('/doctor')).json).toMatchObject({ ok: false })
})

describe('long work', () => {
  const report = { equal: true, peers: [] }

  test('is one document for those who do not ask for more', async () => {
    for (const call of [post({}), { method: 'POST' }]) {
      const answer = await lab.local('/sync', call)
      expect(answer.headers['content-type']).toMatch(/^application\/json/)
      expect(answer.json).toEqual(report)
    }
  })

  test('tells its progress line by line', async () => {
    using _ = interfere(lab.mesh, 'sync', async (options) => {
      options?.onProgress?.({ phase: 'compare', peer: 'sec', done: 0 })
      options?.onProgress?.({ phase: 'fetch', peer: 'sec', done: 5, total: 10 })
      return report
    })
    const answer = await lab.local('/sync', post({}, ndjson))
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    expect(answer.text).toBe(
      '{"progress":{"phase":"compare","peer":"sec","done":0}}\n' +
        '{"progress":{"phase":"fetch","peer":"sec","done":5,"total":10}}\n' +
        '{"result":{"equal":true,"peers":[]}}\n',
    )
  })

  test('progress that nobody reads is not heaped up', async () => {
    using _ = interfere(lab.mesh, 'sync', async (options) => {
      for (let done = 0; done < 1_000_000; done++) options?.onProgress?.({ phase: 'fetch', done })
      return report
    })
    const answer = await lab.local('/sync', post({}, ndjson))
    expect(answer.text.length).toBeLessThan(200_000)
    expect(answer.text.endsWith('{"result":{"equal":true,"peers":[]}}\n')).toBe(true)
  })

  test('ends with its error, by line or by status', async () => {
    const answer = await lab.local('/join', post({ ticket: 'nonsense' }, ndjson))
    expect([answer.status, JSON.parse(answer.text)]).toEqual([
      200,
      { error: { type: 'TICKET_MALFORMED', message: expect.any(String), field: 'ticket', hint: expect.any(String) } },
    ])
    // What is wrong with the request itself is told by status in either form.
    expect((await lab.local('/join', post({}, ndjson))).status).toBe(400)
    using _ = interfere(lab.mesh, 'sync', () => Promise.reject(new MeshError('STORAGE_FAILED', 'the disk is full')))
    expect(await lab.local('/sync', post({}))).toMatchObject({ status: 507, json: { code: 'STORAGE_FAILED' } })
  })

  test('what nobody foresaw is told without its insides, and logged with them', async () => {
    using _ = interfere(lab.mesh, 'sync', () => Promise.reject(new Error('secret insides')))
    for (const answer of [await lab.local('/sync', post({})), await lab.local('/sync', post({}, ndjson))]) {
      expect(answer.text).toContain('INTERNAL')
      expect(answer.text).not.toContain('insides')
    }
    expect(JSON.stringify(lab.logged)).toContain('secret insides')
  })
})
