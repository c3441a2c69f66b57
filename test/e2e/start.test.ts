import { readdir, stat } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Child, UNCOMPILED } from '../support/child.ts'
import { LONG } from '../support/long.ts'
import { until } from '../support/until.ts'
import { lastingFindings, tell, useFleet } from './fleet.ts'

/** From spawn to the first answer, by requirement, on a machine that does nothing else. */
const USABLE_MS = 2_000
/** The same beside other tests. */
const USABLE_BUSY_MS = 12_000
/** From SIGTERM to the end: 2 s by requirement, and what a busy machine adds. */
const STOP_MS = 2_000 + 1_500

/** Homes on which two daemons start at once. */
const RACES = LONG ? 50 : 2

const fleet = useFleet()
const ceo = await fleet.make('ceo', { env: UNCOMPILED })

test('a first start makes the node and is usable at once', async () => {
  const ms = await ceo.start()
  tell(`start to usable, first: ${Math.round(ms)} ms (${USABLE_MS} ms on a quiet machine)`)
  expect(ms).toBeLessThan(USABLE_BUSY_MS)
  expect(await ceo.client.status()).toMatchObject({ nodeId: 'ceo', entries: 0, peers: [], home: ceo.home })
})

test('it tells a person what it is, and machines the rest', async () => {
  const { peerId, api, addresses } = await ceo.client.status()
  const stdout = await until('it says that it is ready', () => ceo.said().includes('\nready\n') && ceo.said())
  expect(stdout).toContain(`made node ceo (${peerId})`)
  for (const fact of [ceo.home, api.url, ...addresses]) expect(stdout).toContain(fact)
})

test('what it makes is open to its user alone', async () => {
  const meshd = join(ceo.home, 'meshd')
  const modes = await Promise.all(
    ['.', ...(await readdir(meshd))].map(async (name) => {
      const { mode } = await stat(join(meshd, name))
      return [name, (mode & 0o077).toString(8)]
    }),
  )
  expect(Object.fromEntries(modes)).toMatchObject({ '.': '0', token: '0', 'node.key': '0', 'api.sock': '0', db: '0' })
  expect((await ceo.json(['doctor'])).findings).toEqual([])
  // A gateway watches these from its own start on, whether or not anything is in them.
  expect((await readdir(join(ceo.home, 'mesh'))).sort()).toEqual(['memory', 'skills'])
})

test('a restart keeps everything', async () => {
  const { client } = ceo
  await client.putMemory({ scope: 'mesh', key: 'plan/für 日本', value: { short: 'ship', days: [1, 2.5, null] } })
  await client.putMemory({ scope: 'node', key: 'own', value: 'here' })
  await client.putMemory({ scope: 'mesh', key: 'gone', value: 1 })
  await client.deleteMemory('mesh', 'gone')
  await client.putSkill({ name: 'greet', content: '---\nname: greet\ndescription: d\n---\nSay hello.\n' })
  const before = { status: await client.status(), memory: await client.listMemory(), skills: await client.listSkills() }
  expect(before.status).toMatchObject({ memory: 2, skills: 1, entries: 3, deleted: 1 })

  expect((await ceo.stop()).code).toBe(0)
  const ms = await ceo.start()
  tell(`start to usable, again: ${Math.round(ms)} ms`)
  expect(ms).toBeLessThan(USABLE_BUSY_MS)

  expect(await client.listMemory()).toEqual(before.memory)
  expect(await client.listSkills()).toEqual(before.skills)
  const { nodeId, peerId, meshId, digest, entries, deleted, position } = before.status
  expect(await client.status()).toMatchObject({ nodeId, peerId, meshId, digest, entries, deleted, position })
  await until('it says that it was there before', () => ceo.said().includes(`started node ceo (${peerId})`))
})

test('SIGTERM ends it in good order though clients stream, wait or say nothing', async () => {
  const value = 'x'.repeat(200_000)
  await Promise.all(
    Array.from({ length: 40 }, (_, i) => ceo.client.putMemory({ scope: 'mesh', key: `big/${i}`, value })),
  )
  const streaming = await Promise.all([halfRead(), halfRead()])
  // It fails with the daemon, before anything else is waited for.
  const waiting = ceo.client.sync().catch(() => {})

  const { code, ms } = await ceo.stop()
  tell(`stop while clients stream: ${Math.round(ms)} ms`)
  expect({ code, tooLong: ms > STOP_MS && ms }).toEqual({ code: 0, tooLong: false })
  await waiting
  for (const response of streaming) response.destroy()

  await ceo.start()
  expect(await ceo.client.listMemory({ scope: 'mesh', prefix: 'big/' })).toHaveLength(40)
})

test('SIGINT ends it as SIGTERM does', async () => {
  await ceo.stop()
  const child = ceo.launch()
  await until('it is ready', () => child.stdout().includes('\nready\n'))
  child.signal('SIGINT')
  expect(await child.ended).toMatchObject({ code: 0, signal: null })
})

test('of two first starts at once on one home one runs, and the other says that it does', async () => {
  for (let round = 0; round < RACES; round++) {
    const one = await fleet.make('sec')
    const other = await fleet.make('sec', { home: one.home })
    const children = [one.launch(), other.launch()]
    const isSettled = (child: Child) => !child.isRunning() || child.stdout().includes('\nready\n')
    await until('both have settled', () => children.every(isSettled))
    const over = children.filter((child) => !child.isRunning())
    expect(over).toHaveLength(1)
    const { code, stderr } = (await over[0]?.ended) ?? {}
    expect({ code, stderr }).toEqual({ code: 11, stderr: expect.stringContaining(one.home) })
    await one.client.putMemory({ scope: 'mesh', key: 'plan', value: 1 })
    // What it made is one whole node.
    expect(await one.client.status()).toMatchObject({ entries: 1, peers: [] })
    expect(await lastingFindings(one)).toEqual([])
    await Promise.all([one.kill(), other.kill()])
  }
})

/** A list of 8 MB of which the caller takes the first bytes only. */
function halfRead(): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request({ socketPath: join(ceo.home, 'meshd/api.sock'), path: '/mesh/memory?prefix=big/' }, (response) => {
    response.once('readable', () => {
      response.read(1)
      resolve(response)
    })
    response.on('error', () => {})
  })
    .once('error', reject)
    .end()
  return promise
}
