import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createClient } from './client.ts'
import { type Lab, openLab, put } from './lab-suite.ts'

let lab: Lab
afterEach(() => lab.close())

const ROWS = 200

async function fill(): Promise<{ read: number; ended: Promise<void> }> {
  lab = await openLab()
  const value = 'v'.repeat(100_000)
  await Promise.all(
    Array.from({ length: ROWS }, (_, i) => lab.local('/mesh/memory', put({ scope: 'mesh', key: `k${i}`, value }))),
  )
  // Counts what is read from the real list.
  const ended = Promise.withResolvers<void>()
  const counted = { read: 0, ended: ended.promise }
  const list = lab.store.list.bind(lab.store)
  lab.store.list = async function* (...options) {
    try {
      for await (const entry of list(...options)) {
        counted.read++
        yield entry
      }
    } finally {
      ended.resolve()
    }
  }
  return counted
}

test('a caller that reads gets all of it', async () => {
  const counted = await fill()
  const answer = await lab.local('/mesh/memory')
  expect((answer.json as unknown[]).length).toBe(ROWS)
  expect(answer.headers['transfer-encoding']).toBe('chunked')
  await counted.ended
})

test('a caller that does not read holds the list back, and ends it by going away', async () => {
  const counted = await fill()
  const socket = connect(lab.layout.socketPath)
  socket.write('GET /mesh/memory HTTP/1.1\r\nHost: x\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  socket.destroy()
  await counted.ended
  expect(counted.read).toBeLessThan(ROWS / 2)
})

test('a list that fails half-way is never taken for a whole one', async () => {
  await fill()
  const list = lab.store.list.bind(lab.store)
  lab.store.list = async function* (...options) {
    let left = 50
    for await (const entry of list(...options)) {
      if (left-- === 0) throw new Error('the disk went away')
      yield entry
    }
  }
  const client = createClient({ home: lab.layout.home })
  let rows = 0
  const failure = await (async () => {
    for await (const _row of client.eachMemory()) rows++
  })().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ANSWER_INVALID' })
  expect(rows).toBeLessThan(ROWS)
  expect(JSON.stringify(lab.logged)).toContain('the disk went away')
})
