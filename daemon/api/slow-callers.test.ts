import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { createClient } from './client.ts'
import { interfere, type Lab, type LabInit, openLab } from './lab-suite.ts'

/** How many do it at once, far more than there are places for connections. */
const CROWD = LONG ? 2_000 : 200
/** In waves, for the system lets only some hundred wait to be accepted. */
const WAVE = 100
/** Between two pieces of what comes slowly, in milliseconds: no pause is ever long. */
const DRIP_MS = 20
/** A healthy caller is answered within so long, in milliseconds, on a machine that is busy. */
const SOON_MS = 3_000

let lab: Lab
afterEach(() => lab.close())

async function open(init?: LabInit): Promise<Lab> {
  lab = await openLab(init)
  return lab
}

/** A caller that has its own idea of HTTP. */
interface Caller {
  readonly socket: Socket
  /** What it was told, when it was cut or has hung up. */
  readonly over: Promise<string>
}

/** @param drip what is sent after the beginning, again and again for as long as the connection lasts */
function call(beginning: string, { drip, reads = true }: { drip?: string; reads?: boolean } = {}): Caller {
  const socket = connect(lab.port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  let text = ''
  if (reads) socket.on('data', (chunk) => (text += String(chunk)))
  else socket.pause()
  socket.write(beginning)
  const timer = drip === undefined ? undefined : setInterval(() => socket.write(drip), DRIP_MS)
  const over = closed(socket).then(() => {
    clearInterval(timer)
    return text
  })
  return { socket, over }
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))
const connected = (socket: Socket) =>
  Promise.race([socket.connecting && new Promise((resolve) => socket.once('connect', resolve)), closed(socket)])

/** Sends something now and then: who does not read does not notice otherwise that the connection is gone. */
function asking({ socket, over }: Caller, text: string): Promise<string> {
  const asks = setInterval(() => socket.write(text), DRIP_MS)
  return over.finally(() => clearInterval(asks))
}

async function crowd(count: number, make: (index: number) => Caller): Promise<Caller[]> {
  const all: Caller[] = []
  while (all.length < count) {
    const wave = Array.from({ length: Math.min(WAVE, count - all.length) }, (_, i) => make(all.length + i))
    all.push(...wave)
    await Promise.all(wave.map(({ socket }) => connected(socket)))
    await healthy()
  }
  return all
}

/** Others are served as if nothing were, through both doors. */
async function healthy(): Promise<void> {
  const began = performance.now()
  const answers = await Promise.all([lab.tcp('/health'), lab.local('/status')])
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(performance.now() - began).toBeLessThan(SOON_MS)
}

const head = (line: string, ...more: string[]) => [line, `Host: 127.0.0.1:${lab.port}`, ...more, '', ''].join('\r\n')

describe('S-18: on the port of the API', () => {
  test(`${CROWD} that send their headers byte by byte are cut, and keep nobody out`, async () => {
    await open({ limits: { maxConnections: 50, headersMs: 500 } })
    const began = performance.now()
    const callers = await crowd(CROWD, () => call('GET /health HTTP/1.1\r\nX-Slow: ', { drip: 'x' }))
    // Those that were not cut for room are cut by the time, however busy they look.
    for (const text of await Promise.all(callers.map(({ over }) => over))) {
      if (text !== '') expect(text).toContain('REQUEST_TOO_SLOW')
    }
    expect(performance.now() - began).toBeLessThan(LONG ? 120_000 : 15_000)
    await healthy()
  })

  test('bodies that come byte by byte are cut when their time is over; without a token they are refused before', async () => {
    await open({ limits: { headersMs: 300, requestMs: 300 } })
    const put = (...more: string[]) => head('PUT /mesh/memory HTTP/1.1', 'Content-Length: 1000000', ...more)
    const strangers = await crowd(20, () => call(put(), { drip: ' ' }))
    const token = await lab.token()
    const members = await crowd(20, () => call(put(`X-API-Key: ${token}`), { drip: ' ' }))
    await healthy()
    for (const text of await Promise.all(strangers.map(({ over }) => over))) expect(text).toContain('UNAUTHORIZED')
    for (const text of await Promise.all(members.map(({ over }) => over))) expect(text).toContain('REQUEST_TOO_SLOW')
    expect(lab.store.position).toBe(0)
  })

  test('a list that nobody reads is read no further than it is sent, and cut when that takes too long', async () => {
    await open({ limits: { unreadMs: 1_000 } })
    const client = createClient({ home: lab.layout.home })
    const value = 'x'.repeat(200_000)
    for (let i = 0; i < 40; i++) await client.putMemory({ scope: 'mesh', key: `k${i}`, value })
    client.close()
    const { list } = lab.store
    let rows = 0
    let reading = 0
    using _ = interfere(lab.store, 'list', async function* (kind, options) {
      reading++
      try {
        for await (const entry of list.call(lab.store, kind, options)) {
          rows++
          yield entry
        }
      } finally {
        reading--
      }
    })
    const token = await lab.token()
    const asked = head('GET /mesh/memory HTTP/1.1', `X-API-Key: ${token}`)
    const readers = await crowd(10, () => call(asked, { reads: false }))
    await vi.waitFor(() => expect(reading).toBe(10))
    await healthy()
    await vi.waitFor(() => expect(reading).toBe(0), { timeout: 10_000 })
    expect(rows).toBeLessThan(10 * 40)
    // Who does not read does not notice that the connection is gone.
    for (const { socket } of readers) socket.resume()
    await Promise.all(readers.map(({ over }) => over))
    await healthy()
  })

  test('what one key leaves unread leaves room for all others', async () => {
    await open({ limits: { maxRequests: 12, maxRequestsOfKey: 4 } })
    const client = createClient({ home: lab.layout.home })
    const { key } = await client.createKey({ name: 'greedy', read: ['mesh'] })
    const other = await client.createKey({ name: 'other', read: ['mesh'] })
    client.close()
    const began = Promise.withResolvers<void>()
    const hold = Promise.withResolvers<void>()
    let held = 0
    // biome-ignore lint/correctness/useYield: it goes on until it is told.
    using _ = interfere(lab.store, 'list', async function* () {
      if (++held === 4) began.resolve()
      await hold.promise
    })
    const bearer = (one: string) => ({ headers: { authorization: `Bearer ${one}` } })
    const answers = Array.from({ length: 4 }, () => lab.tcp('/mesh/memory', bearer(key)))
    await began.promise
    const refused = await lab.tcp('/mesh/skills?limit=1', bearer(key))
    expect([refused.status, refused.json]).toMatchObject([429, { code: 'TOO_MANY_REQUESTS' }])
    expect(refused.text).toContain('greedy')
    expect((await lab.tcp('/mesh/memory/mesh/x', bearer(other.key))).status).toBe(404)
    await healthy()
    hold.resolve()
    for (const answer of answers) expect((await answer).status).toBe(200)
    expect((await lab.tcp('/mesh/memory/mesh/x', bearer(key))).status).toBe(404)
  })

  test('who asks and asks on one connection, and reads nothing, is cut', async () => {
    await open()
    const asked = head('GET /docs HTTP/1.1').repeat(1_000)
    const flood = await crowd(20, () => call(asked, { reads: false }))
    await Promise.all(flood.map((caller) => asking(caller, asked)))
    await healthy()
  })

  test('a few requests sent ahead are answered, in their order', async () => {
    await open()
    const paths = ['/health', '/nothing', '/openapi.json', '/health']
    const { over } = call(
      paths.map((path, i) => head(`GET ${path} HTTP/1.1`, ...(i === 3 ? ['Connection: close'] : []))).join(''),
    )
    expect((await over).match(/HTTP\/1\.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 401',
      'HTTP/1.1 200',
      'HTTP/1.1 200',
    ])
  })
})
