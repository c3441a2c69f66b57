import { connect } from 'node:net'
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from './access/index.ts'
import { createGuard, type Guard } from './guard.ts'
import { type Lab, openLab, post, put } from './lab-suite.ts'

let lab: Lab
let bearer: Record<string, string>

beforeAll(async () => {
  lab = await openLab()
  bearer = { authorization: `Bearer ${await lab.token()}` }
})
afterAll(() => lab.close())

const entry = { scope: 'mesh', key: 'k', value: 1 }

describe('S-25: web pages are kept out', () => {
  test('DNS rebinding: every Host but this address is refused', async () => {
    const { port } = lab
    const foreign = ['evil.example', `evil.example:${port}`, '127.0.0.1', 'localhost', `127.0.0.1:${port + 1}`]
    const odd = [`localhost.evil.example:${port}`, `127.0.0.1.evil.example:${port}`, `localhost:${port}:${port}`]
    const other = [
      `[::2]:${port}`,
      `10.0.0.1:${port}`,
      `0.0.0.0:${port}`,
      `ceo@127.0.0.1:${port}`,
      `127.0.0.1:${port}/x`,
    ]
    for (const host of [...foreign, ...odd, ...other]) {
      for (const path of ['/health', '/mesh/memory', '/none']) {
        const answer = await lab.tcp(path, { headers: { host, ...bearer } })
        expect([host, answer.status]).toEqual([host, 403])
        const hint = expect.stringMatching(new RegExp(`^use http://127\\.0\\.0\\.1:${port}, .*api\\.allowedHosts`))
        expect(answer.json).toMatchObject({ code: 'HOST_REFUSED', field: 'host', hint })
      }
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
      expect((await lab.tcp('/mesh/memory', { headers: { host, ...bearer } })).status).toBe(200)
    }
  })

  test('a request without Host is refused on TCP', async () => {
    for (const version of ['1.0', '1.1']) {
      const socket = connect(lab.port, '127.0.0.1')
      socket.write(`GET /health HTTP/${version}\r\nConnection: close\r\n\r\n`)
      const text = (await Array.fromAsync(socket)).join('')
      expect(text).toContain('HOST_REFUSED')
    }
  })

  test('through the socket, which no page reaches, any Host will do', async () => {
    expect((await lab.local('/mesh/memory', { headers: { host: 'whatever' } })).status).toBe(200)
  })

  test('every Origin is refused through both doors, also a local one', async () => {
    for (const origin of ['https://evil.example', 'null', lab.url, '', 'file://']) {
      for (const send of [lab.local, lab.tcp]) {
        const answer = await send('/mesh/memory', put(entry, { origin, ...bearer }))
        expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([403, undefined])
        expect(answer.json).toMatchObject({ code: 'ORIGIN_REFUSED' })
      }
    }
    const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' }
    expect((await lab.tcp('/mesh/memory', { method: 'OPTIONS', headers: preflight })).status).toBe(403)
  })

  test('a page that asks without Origin is known by Sec-Fetch-Site', async () => {
    for (const site of ['cross-site', 'same-site']) {
      expect((await lab.tcp('/status', { headers: { 'sec-fetch-site': site, ...bearer } })).status).toBe(403)
    }
    expect((await lab.tcp('/status', { headers: { 'sec-fetch-site': 'none', ...bearer } })).status).toBe(200)
  })

  test('what forms send is refused, and nothing is stored', async () => {
    const before = lab.store.position
    const types = [
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain',
      'Text/Plain;charset=utf-8',
    ]
    for (const type of types) {
      for (const send of [lab.local, lab.tcp]) {
        const answer = await send('/mesh/memory', put(entry, { 'content-type': type, ...bearer }))
        expect([type, answer.status]).toEqual([type, 403])
        expect(answer.json).toMatchObject({ code: 'CONTENT_TYPE_REFUSED', field: 'content-type' })
      }
    }
    const xml = await lab.tcp('/mesh/memory', put(entry, { 'content-type': 'application/xml', ...bearer }))
    expect([xml.status, xml.json]).toMatchObject([415, { code: 'CONTENT_TYPE_UNSUPPORTED' }])
    expect(lab.store.position).toBe(before)
  })
})

describe('the token', () => {
  test('TCP needs it everywhere but for /health', async () => {
    expect((await lab.tcp('/health')).status).toBe(200)
    expect((await lab.tcp('/health?verbose')).status).toBe(200)
    for (const path of ['/mesh/memory', '/status', '/none', '/health/', '/mesh/memory/mesh/%ff']) {
      const answer = await lab.tcp(path)
      if (path.endsWith('%ff')) expect(answer.status).toBe(400)
      else expect([path, answer.status, answer.headers['www-authenticate']]).toEqual([path, 401, 'Bearer'])
    }
    expect((await lab.tcp('/mesh/memory', put(entry))).json).toMatchObject({
      error: 'authorization: no token was given',
      code: 'UNAUTHORIZED',
      field: 'authorization',
      hint: expect.stringMatching(/^(?!.*meshd).*`mesh token show`/),
    })
  })

  test('it comes as bearer or as X-API-Key, whole', async () => {
    const token = await lab.token()
    const status = async (headers: Record<string, string>) => (await lab.tcp('/status', { headers })).status
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { authorization: `bearer  ${token} ` },
      { 'x-api-key': token },
    ]) {
      expect(await status(headers as Record<string, string>)).toBe(200)
    }
    const wrong = [
      token,
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Bearer`,
      `Bearer ${token} ${token}`,
    ]
    for (const authorization of wrong) expect(await status({ authorization })).toBe(401)
    expect(await status({ 'x-api-key': `${token}x` })).toBe(401)
    expect((await lab.tcp(`/status?token=${token}`)).status).toBe(401)
  })

  test('a caller without it gets its answer, however much it sends', async () => {
    const body = 'x'.repeat(8 * 1024 * 1024)
    for (let i = 0; i < 10; i++) expect((await lab.tcp('/mesh/memory', put(body))).status).toBe(401)
    for (let i = 0; i < 10; i++) expect((await lab.tcp('/mesh/memory', put(body, bearer))).status).toBe(413)
    const chunked = { ...bearer, 'transfer-encoding': 'chunked' }
    for (let i = 0; i < 10; i++) expect((await lab.tcp('/mesh/memory', put(body, chunked))).status).toBe(413)
  })

  test('rotating it kills the old one at once, and shows neither', async () => {
    const old = await lab.token()
    const answer = await lab.tcp('/token/rotate', post({}, { authorization: `Bearer ${old}` }))
    const now = await lab.token()
    expect(answer.json).toEqual({ path: lab.layout.tokenPath })
    expect(now).not.toBe(old)
    expect((await lab.tcp('/status', { headers: { 'x-api-key': old } })).status).toBe(401)
    expect((await lab.tcp('/status', { headers: { 'x-api-key': now } })).status).toBe(200)
    bearer = { authorization: `Bearer ${now}` }
    for (const token of [old, now]) expect(JSON.stringify(lab.logged)).not.toContain(token)
  })
})

test('with auth off, loopback needs no token, and pages are kept out all the same', async () => {
  const open = await openLab({ env: { MESH_API_AUTH: 'false' } })
  try {
    expect((await open.tcp('/mesh/memory', put(entry))).status).toBe(200)
    expect((await open.tcp('/status')).json).toMatchObject({ api: { auth: false } })
    expect((await open.tcp('/status', { headers: { origin: open.url } })).status).toBe(403)
    expect((await open.tcp('/status', { headers: { host: 'evil.example' } })).status).toBe(403)
  } finally {
    await open.close()
  }
})

describe('listening elsewhere than on loopback', () => {
  test('one address is reached by that address', () => {
    expect(admits('10.0.0.1', '10.0.0.1:4078')).toBe(true)
    expect(admits('fd00::1', '[FD00::1]:4078')).toBe(true)
    expect(admits('10.0.0.1', '10.0.0.2:4078')).toBe(false)
    expect(admits('10.0.0.1', `${hostname()}:4078`)).toBe(false)
  })

  test('all addresses are reached by any address or the machine’s name, but by no other name', () => {
    for (const host of ['10.0.0.1:4078', '[fd00::1]:4078', `${hostname()}:4078`])
      expect(admits('0.0.0.0', host)).toBe(true)
    expect(admits('::', 'evil.example:4078')).toBe(false)
  })
})

describe('a Host that the config lets in', () => {
  const allowed = ['localhost:14078', 'NAS.local', '[fd00::2]:80']

  test.each([
    ['localhost:14078', true],
    ['LocalHost:14078', true],
    ['localhost:14079', false],
    ['127.0.0.1:14078', false],
    ['nas.local', true],
    ['nas.local:1', true],
    ['nas.local.evil.example', false],
    ['[fd00::2]', true],
    ['[fd00::2]:81', false],
    ['', false],
    [undefined, false],
  ])('%j: %j', (host, is) => {
    expect(admits('127.0.0.1', host, allowed)).toBe(is)
  })

  test('comes from api.allowedHosts', async () => {
    const mapped = await openLab({ env: { MESH_API_ALLOWED_HOSTS: 'localhost:14078' } })
    try {
      const status = async (host: string) => (await mapped.tcp('/health', { headers: { host } })).status
      expect([await status('localhost:14078'), await status('localhost:14079')]).toEqual([200, 403])
    } finally {
      await mapped.close()
    }
  })
})

test('that one Host was let in lets no other in', () => {
  const guard = guardOf('127.0.0.1', [])
  const hosts = [undefined, '', 'evil.example:4078', 'localhost:4078']
  for (const host of [...hosts, ...hosts, 'localhost:4078']) {
    expect([host, isLetIn(guard, host)]).toEqual([host, host === 'localhost:4078'])
  }
})

/** A guard of an API on port 4078; whoever asks for what is public needs no credentials. */
function guardOf(host: string, allowedHosts: readonly string[]): Guard {
  return createGuard({} as Credentials, { host, port: () => 4078, auth: true, allowedHosts })
}

function isLetIn(guard: Guard, host: string | undefined): boolean {
  try {
    guard({ url: '/health', headers: { host } } as Parameters<Guard>[0], false)
    return true
  } catch {
    return false
  }
}

function admits(listensOn: string, host: string | undefined, allowedHosts: readonly string[] = []): boolean {
  return isLetIn(guardOf(listensOn, allowedHosts), host)
}
