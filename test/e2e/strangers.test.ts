import { connect, type Socket } from 'node:net'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { Machine } from '../support/machine.ts'
import { until } from '../support/until.ts'
import { allEqual, arrives, pair, tell, useFleet } from './fleet.ts'

/** For an answer of a daemon that strangers press hard, beside other tests; in milliseconds. */
const ANSWER_MS = 2_000

const fleet = useFleet()
let ceo: Machine
let sec: Machine
const sockets: Socket[] = []

beforeAll(async () => {
  ;[ceo, sec] = await fleet.start('ceo', 'sec')
  await pair(ceo, sec)
  await allEqual(ceo, sec)
})

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** Connections that say the same and then wait. Resolves when each was taken or refused. */
async function press(port: number, count: number, bytes: Uint8Array): Promise<void> {
  const opened = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    return new Promise<void>((resolve) => {
      socket.once('connect', () => socket.write(bytes, () => resolve()))
      socket.on('error', () => resolve())
      socket.once('close', () => resolve())
    })
  })
  await Promise.all(opened)
}

/** How long the slowest of some calls takes, one after the other, while strangers are there. */
async function slowest(url: string): Promise<number> {
  let worst = 0
  for (let i = 0; i < 10; i++) {
    const began = performance.now()
    const answer = await fetch(`${url}/health`)
    expect(answer.status).toBe(200)
    worst = Math.max(worst, performance.now() - began)
  }
  return worst
}

test('S-18: a thousand idle connections on the API keep no healthy client out', async () => {
  const url = (await ceo.client.status()).api.url ?? ''
  await press(Number(new URL(url).port), 1_000, Buffer.from('GET /mesh/memory HTTP/1.1\r\nHost: '))
  const worst = await slowest(url)
  tell(`slowest answer beside 1,000 idle connections: ${Math.round(worst)} ms`)
  expect(worst).toBeLessThan(ANSWER_MS)
  expect((await ceo.json(['status', '--url', url])).exit).toBe(0)
})

test.each([
  ['length bytes without end', Buffer.alloc(100_000, 0xff)],
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a beginning and nothing more', Buffer.from('\x13/multistream/1.0.0\n')],
])('S-16: strangers that send %s to the port for peers stop neither the API nor the members', async (_, bytes) => {
  const { api, addresses } = await ceo.client.status()
  const port = Number(/\/tcp\/(\d+)/.exec(addresses[0] ?? '')?.[1])
  await press(port, 100, bytes)
  const worst = await slowest(api.url ?? '')
  tell(`slowest answer beside 100 strangers: ${Math.round(worst)} ms`)
  expect(worst).toBeLessThan(ANSWER_MS)
  const value = bytes.length
  await sec.client.putMemory({ scope: 'mesh', key: 'still', value })
  await arrives(ceo, 'still', value)
  await until('all are cut', () => sockets.every(({ destroyed }) => destroyed))
  expect((await sec.json(['sync'])).equal).toBe(true)
})
