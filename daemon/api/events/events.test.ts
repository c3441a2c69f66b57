import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { LONG } from '../../../test/support/long.ts'
import { createClient, type MeshClient, type MeshEvent } from '../client.ts'
import { type Lab, openLab } from '../lab-suite.ts'

/** Far more than what any test reads from behind, and soon exceeded. */
const FEED_KEPT = 3_500

let lab: Lab
let client: MeshClient
beforeAll(async () => {
  lab = await openLab({ limits: { heartbeatMs: 100 }, feedKept: FEED_KEPT })
  client = createClient({ home: lab.layout.home })
})
afterAll(async () => {
  client.close()
  await lab.close()
})
let round = 0
let scope: string
beforeEach(() => {
  scope = `user:events-${round++}`
})

const put = (key: string, value: unknown, more: object = {}) =>
  client.putMemory({ scope, key, value: value as never, ...more })

/** Reads events until there are so many beside `ready`, and gives these. */
async function read(events: AsyncIterable<MeshEvent>, count: number): Promise<MeshEvent[]> {
  const found: MeshEvent[] = []
  for await (const event of events) {
    if (event.type !== 'ready') found.push(event)
    if (found.length >= count) break
  }
  return found
}

/** A watch that has begun: what is written from now on comes. */
async function watching(query: Parameters<MeshClient['watch']>[0] = { scope }) {
  const events = client.watch(query)[Symbol.asyncIterator]()
  const first = (await events.next()).value as MeshEvent
  const rest = { [Symbol.asyncIterator]: () => events }
  return { first, rest }
}

test.each(['key', 'agent token', 'operator token'])(
  'a watcher by a %s is cut when that ends, and told so',
  async (by) => {
    const made = by === 'key' ? (await client.createKey({ name: 'leaked', read: ['*'] })).key : undefined
    const path = by === 'agent token' ? lab.layout.agentTokenPath : lab.layout.tokenPath
    const token = made ?? (await readFile(path, 'utf8')).trim()
    const theirs = createClient({ home: lab.layout.home, url: lab.url, token })
    onTestFinished(() => theirs.close())
    const events = theirs.watch({ scope })[Symbol.asyncIterator]()
    expect((await events.next()).value).toMatchObject({ type: 'ready' })
    const next = events.next()
    if (made !== undefined) await client.revokeKey('leaked')
    else await client.rotateToken({ token: by === 'agent token' ? 'agent' : 'operator' })
    await put('after', 1)
    await expect(next).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  },
)

describe('a watcher', () => {
  test('hears of puts, deletes and what expires, with the row as it is', async () => {
    const { first, rest } = await watching()
    expect(first).toMatchObject({ type: 'ready', position: lab.store.position })
    const row = await put('a', { n: 1 })
    await client.deleteMemory(scope, 'a')
    await client.putSkill({ name: 'deploy', content: 'x', scope })
    const until = Math.floor(Date.now() / 1000) + 2
    await put('brief', 1, { expires_at: until })
    const events = await read(rest, 5)
    const { etag, ...plain } = row
    expect(events.slice(0, 4)).toMatchObject([
      { type: 'put', kind: 'memory', scope, key: 'a' },
      { type: 'delete', key: 'a', row: null, etag: null },
      { type: 'put', kind: 'skill', key: 'deploy', row: { content: 'x' } },
      { type: 'put', key: 'brief', row: { expires_at: until } },
    ])
    expect(events[4]).toMatchObject({ type: 'expire', key: 'brief', row: null })
    const [put_] = events
    if (put_?.type === 'put' && put_.row !== null) expect([put_.row, put_.etag]).toEqual([plain, etag])
    const seqs = events.map((event) => ('seq' in event ? event.seq : 0))
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
  })

  test('reads from any position, and goes on behind the last event', async () => {
    const start = lab.store.position
    for (let n = 0; n < 5; n++) await put(`k${n}`, n)
    const all = await read(client.watch({ scope, since: start }), 5)
    expect(all.map((event) => 'key' in event && event.key)).toEqual(['k0', 'k1', 'k2', 'k3', 'k4'])
    const rest = await read(client.watch({ scope, lastEventId: all[1]?.id }), 3)
    expect(rest).toEqual(all.slice(2))
    expect(await read(client.watch({ scope, since: 0 }), 5)).toEqual(all)
  })

  test('misses nothing while very many are committed', async () => {
    const { rest } = await watching()
    const reading = read(rest, 3_000)
    for (let from = 0; from < 3_000; from += 500) {
      const puts = Array.from({ length: 500 }, (_, n) => ({ scope, key: `k${from + n}`, value: n }))
      await client.bulk(puts)
    }
    const keys = (await reading).map((event) => 'key' in event && event.key)
    expect(new Set(keys).size).toBe(3_000)
  })

  test('hears only of what it asks for, and what it may read', async () => {
    const { key } = await client.createKey({ name: `watcher-${round}`, read: ['user:*'] })
    const limited = createClient({ home: lab.layout.home, url: lab.url, token: key })
    onTestFinished(() => limited.close())
    const start = lab.store.position
    await client.putMemory({ scope: 'mesh', key: 'other', value: 1 })
    await put('plan/a', 1)
    await put('note', 1)
    await client.putSkill({ name: 'plan', content: 'x', scope })
    const keysOf = async (from: MeshClient, query: object, count: number) =>
      (await read(from.watch({ since: start, ...query }), count)).map((event) => 'key' in event && event.key)
    expect(await keysOf(client, {}, 4)).toEqual(['other', 'plan/a', 'note', 'plan'])
    expect(await keysOf(limited, {}, 3)).toEqual(['plan/a', 'note', 'plan'])
    expect(await keysOf(client, { prefix: 'plan' }, 2)).toEqual(['plan/a', 'plan'])
    expect(await keysOf(client, { kind: 'skill' }, 1)).toEqual(['plan'])
    await expect(read(limited.watch({ scope: 'mesh' }), 1)).rejects.toMatchObject({ code: 'FORBIDDEN', status: 403 })
  })

  test('is told to start over where its place is one of another database, or ahead of this one', async () => {
    for (const query of [{ lastEventId: '1-ffffffff' }, { since: 1_000_000_000 }]) {
      const { first, rest } = await watching({ scope, ...query })
      expect(first).toMatchObject({ type: 'reset', reason: 'database', position: lab.store.position })
      await put('after', 1)
      expect(await read(rest, 1)).toMatchObject([{ key: 'after' }])
    }
    for (const id of ['x', '1', '-1-ffffffff', '1-fff']) {
      await expect(read(client.watch({ lastEventId: id }), 1)).rejects.toMatchObject({
        field: 'last-event-id',
        status: 400,
      })
    }
  })
})

test('a watcher whose place the feed does not reach back to is told to start over, also where it read too slowly', async () => {
  const { call, response } = await open()
  response.pause()
  const start = lab.store.position
  const large = 'x'.repeat(200_000)
  for (let n = 0; n < 20; n++) await put(`large-${n}`, large)
  // Twice as many as are kept, for a feed that is longer gets shorter by and by.
  for (let done = 0; done < 2 * FEED_KEPT; done += 500) {
    await client.bulk(Array.from({ length: 500 }, (_, n) => ({ scope, key: `hot-${n % 10}`, value: done + n })))
  }
  expect(lab.store.horizon).toBeGreaterThan(start + 20)
  const { first, rest } = await watching({ scope, since: start })
  expect(first).toMatchObject({ type: 'reset', reason: 'behind', position: lab.store.position })
  await put('after', 1)
  expect(await read(rest, 1)).toMatchObject([{ key: 'after' }])

  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text = (text + chunk).slice(-100_000)
    if (text.includes('"key":"after"') || text.includes('event: reset')) break
  }
  call.destroy()
  expect(text).toContain('event: reset\ndata: {"reason":"behind"')
}, 60_000)

/** Opens a watcher by hand, over TCP. */
async function open(): Promise<{ status: number; response: IncomingMessage; call: ClientRequest }> {
  const headers = { authorization: `Bearer ${await lab.token()}` }
  const call = request({ host: '127.0.0.1', port: lab.port, path: `/events?scope=${scope}`, headers, agent: false })
  call.on('error', () => {})
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, response, call }
}

test('while nothing happens it is said that the daemon is still there', async () => {
  const { response, call } = await open()
  expect(response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  })
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk
    if (/(: still here\n\n){2}/.test(text)) break
  }
  call.destroy()
  expect(text).toMatch(/^id: \d+-[0-9a-f]{8}\nevent: ready\ndata: \{"position":\d+\}\n\n: still here/)
})

test('a watcher that does not read keeps nothing, and no other waiting', async () => {
  const { call, response } = await open()
  response.pause()
  const { rest } = await watching()
  const reading = read(rest, 40)
  for (let n = 0; n < 40; n++) await put(`large-${n}`, 'x'.repeat(200_000))
  expect(await reading).toHaveLength(40)
  call.destroy()
})

test('each of many watchers hears everything once and in order, also what is committed while they are left alone', async () => {
  const opened = await Promise.all(Array.from({ length: 60 }, open))
  const heard = opened.map(async ({ response, call }) => {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      if (text.split('\nevent: put\n').length > 300 && text.endsWith('\n\n')) break
    }
    call.destroy()
    return text.matchAll(/^id: (\d+)-.*\nevent: put$/gm).map((match) => Number(match[1]))
  })
  await Promise.all(Array.from({ length: 300 }, (_, n) => put(`k${n}`, n)))
  for (const seqs of await Promise.all(heard)) {
    const all = [...seqs]
    expect(all).toHaveLength(300)
    expect(all).toEqual(all.toSorted((a, b) => a - b))
  }
})

test('S-26: watchers beyond the cap are refused, and those that are dropped leave nothing', async () => {
  const all = LONG ? 10_000 : 400
  const opened = await Promise.all(Array.from({ length: 128 }, open))
  expect(opened.every(({ status }) => status === 200)).toBe(true)
  const more = await open()
  expect([more.status, more.response.headers['retry-after']]).toEqual([429, '5'])
  // Others are served meanwhile.
  expect((await lab.tcp('/health')).status).toBe(200)
  await put('seen', 1)
  for (const { call } of [...opened, more]) call.destroy()
  await vi.waitFor(async () => {
    const again = await open()
    again.call.destroy()
    expect(again.status).toBe(200)
  })
  global.gc?.()
  const before = process.memoryUsage.rss()
  for (let done = 0; done < all; done += 50) {
    const some = await Promise.all(Array.from({ length: 50 }, open))
    for (const { call } of some) call.destroy()
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024)
})

test('however much one client watches, its calls are answered', async () => {
  const watches = await Promise.all(Array.from({ length: 40 }, () => watching()))
  await put('seen', 1)
  for (const { rest } of watches) expect(await read(rest, 1)).toMatchObject([{ key: 'seen' }])
})

test('a watch goes on by itself when the connection breaks', async () => {
  const { rest } = await watching()
  await put('before', 1)
  const seen: unknown[] = []
  for await (const event of rest) {
    if ('key' in event) seen.push(event.key)
    if ('key' in event && event.key === 'before') {
      await lab.api.stop()
      await put('unseen', 1).catch(() => {})
      await lab.store.putMemory({ scope: scope as never, key: 'meanwhile', value: 1, nodeId: 'ceo' })
      const again = await lab.another()
      await again.start()
      onTestFinished(() => again.stop())
    }
    if (seen.length === 2) break
  }
  expect(seen).toEqual(['before', 'meanwhile'])
})
