import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MeshError } from '../../crdt/errors.ts'
import { type Lab, openLab, post, SteeredMesh } from './lab-suite.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})
afterAll(() => lab.close())

describe('mesh', () => {
  test('members are listed and removed', async () => {
    expect((await lab.local('/peers')).json).toEqual({ peers: [lab.mesh.sec] })
    const asked: string[] = []
    lab.mesh.removePeer = async (peer) => {
      asked.push(peer)
      return { nodeId: 'sec', peerId: lab.mesh.sec.peerId }
    }
    const answer = await lab.local('/peers/my%20sec', { method: 'DELETE' })
    expect([answer.status, answer.json, asked]).toEqual([200, { nodeId: 'sec', peerId: '12D3KooWSec' }, ['my sec']])
    lab.mesh.removePeer = async () => {
      throw new MeshError('PEER_UNKNOWN', 'peer: nobody is called that', { field: 'peer', hint: 'see `mesh peers`' })
    }
    expect(await lab.local('/peers/x', { method: 'DELETE' })).toMatchObject({
      status: 404,
      json: { error: 'peer: nobody is called that', code: 'PEER_UNKNOWN', field: 'peer', hint: 'see `mesh peers`' },
    })
  })

  test('a ticket lives 15 minutes unless said otherwise', async () => {
    for (const [body, seconds] of [
      [{}, 900],
      [{ ttl_seconds: 60 }, 60],
      ['', 900],
    ] as const) {
      const answer = await lab.local('/invite', post(body))
      expect(answer.json).toEqual({
        ticket: 'mesh-ticket-1.test',
        expires_at: seconds,
        addresses: ['/ip4/10.0.0.1/tcp/4079'],
      })
    }
  })

  test('findings of any weight make the node not ok, mere news do not', async () => {
    expect((await lab.local('/doctor')).json).toEqual({ ok: true, findings: [] })
    lab.findings.push({ checkId: 'news', severity: 'info', message: 'news' })
    expect((await lab.local('/doctor')).json).toMatchObject({ ok: true })
    lab.findings.push({ checkId: 'files.x', severity: 'warning', message: 'x', path: '/p', fixHint: 'mend it' })
    expect((await lab.local('/doctor')).json).toEqual({ ok: false, findings: lab.findings })
    lab.findings.length = 0
  })
})

describe('long work', () => {
  const ndjson = { accept: 'application/x-ndjson' }
  const report = { equal: true, peers: [] }
  afterEach(() => {
    lab.mesh.sync = new SteeredMesh().sync
    lab.mesh.join = new SteeredMesh().join
  })

  test('is one document for those who do not ask for more', async () => {
    for (const call of [post({}), { method: 'POST' }]) {
      const answer = await lab.local('/sync', call)
      expect(answer.headers['content-type']).toMatch(/^application\/json/)
      expect(answer.json).toEqual(report)
    }
    expect((await lab.local('/join', post({ ticket: 't' }))).json).toEqual({
      meshId: lab.mesh.meshId,
      members: ['ceo', 'sec'],
      vouched: 3,
    })
    expect((await lab.local('/leave', post({}))).json).toEqual({ meshId: lab.mesh.meshId, told: 1 })
  })

  test('tells its progress line by line', async () => {
    lab.mesh.sync = async (options) => {
      options?.onProgress?.({ phase: 'compare', peer: 'sec', done: 0 })
      options?.onProgress?.({ phase: 'fetch', peer: 'sec', done: 5, total: 10 })
      return report
    }
    const answer = await lab.local('/sync', post({}, ndjson))
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    expect(answer.text).toBe(
      '{"progress":{"phase":"compare","peer":"sec","done":0}}\n' +
        '{"progress":{"phase":"fetch","peer":"sec","done":5,"total":10}}\n' +
        '{"result":{"equal":true,"peers":[]}}\n',
    )
  })

  test('ends with its error, by line or by status', async () => {
    lab.mesh.join = async (_ticket, options) => {
      options?.onProgress?.({ phase: 'dial', done: 0 })
      throw new MeshError('TICKET_EXPIRED', 'ticket: it expired', { field: 'ticket', hint: 'ask for a new one' })
    }
    const lines = (await lab.local('/join', post({ ticket: 't' }, ndjson))).text.trim().split('\n')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[1] ?? '')).toEqual({
      error: { type: 'TICKET_EXPIRED', message: 'ticket: it expired', field: 'ticket', hint: 'ask for a new one' },
    })
    expect(await lab.local('/join', post({ ticket: 't' }))).toMatchObject({
      status: 410,
      json: { code: 'TICKET_EXPIRED' },
    })
    // What is wrong with the request itself is told by status in either form.
    expect((await lab.local('/join', post({}, ndjson))).status).toBe(400)
  })

  test('what nobody foresaw is told without its insides, and logged with them', async () => {
    lab.mesh.sync = async () => {
      throw new Error('secret insides at /root/x')
    }
    for (const answer of [await lab.local('/sync', post({})), await lab.local('/sync', post({}, ndjson))]) {
      expect(answer.text).toContain('INTERNAL')
      expect(answer.text).not.toContain('insides')
    }
    expect(JSON.stringify(lab.logged)).toContain('secret insides')
  })
})
