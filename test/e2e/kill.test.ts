import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LONG } from '../support/long.ts'
import { until } from '../support/until.ts'
import { lastingFindings, tell, useFleet } from './fleet.ts'

/** What a first start makes, in this order. */
const MADE = [
  'meshd',
  'meshd/node.key',
  'meshd/db.new',
  'meshd/db',
  'meshd/token',
  'meshd/agent-token',
  'mesh/skills',
  'meshd/api.sock',
]
/** Homes that are made under kills. */
const HOMES = LONG ? 20 : 1
/** Kills while clients write. */
const KILLS = LONG ? 100 : 3
/** Clients that write, each one thing at a time. */
const WRITERS = 8

const fleet = useFleet()

test('killed as soon as each of the things that a first start makes is there, it goes on at the next start', async () => {
  for (let home = 0; home < HOMES; home++) {
    const ceo = await fleet.make('ceo')
    const left: string[] = []
    for (const path of MADE) {
      const child = ceo.launch()
      const isDone = () => existsSync(join(ceo.home, path)) || child.stdout().includes('\nready\n')
      // A timer would come too late: some of these are there for a millisecond.
      while (!isDone() && child.isRunning()) await new Promise((resolve) => setImmediate(resolve))
      expect(child.isRunning(), `at ${path} it had ended by itself: ${child.said()}`).toBe(true)
      await ceo.kill()
      left.push(`${path}: ${(await readdir(join(ceo.home, 'meshd'))).sort().join(' ')}`)
    }
    await ceo.start()
    await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 1 })
    expect(await ceo.client.status()).toMatchObject({ nodeId: 'ceo', entries: 1, peers: [] })
    expect(await lastingFindings(ceo), left.join('; ')).toEqual([])
    const meshd = join(ceo.home, 'meshd')
    expect((await stat(meshd)).mode & 0o777).toBe(0o700)
    // Nothing half made is left beside. The search index comes last, and by itself.
    const made = async () => (await readdir(meshd)).sort().filter((name) => !/^search\.sqlite-(wal|shm)$/.test(name))
    const all = ['agent-token', 'api.sock', 'db', 'files-index', 'node.key', 'search.sqlite', 'token']
    await expect.poll(made, { timeout: 10_000 }).toEqual(all)
    await ceo.remove()
  }
})

test('S-01: killed while clients write, it loses nothing that was acknowledged, and tears nothing', async () => {
  const ceo = await fleet.make('ceo')
  const { client } = ceo
  /** What each writer was told is durable; a delete may be under way for the last of `kept`. */
  const writers = Array.from({ length: WRITERS }, () => ({ count: 0, kept: [] as number[], deleted: [] as number[] }))
  const key = (writer: number, count: number) => `w${writer}/${count}`
  const pad = (count: number) => 'x'.repeat(count % 500)

  async function write(writer: number): Promise<never> {
    const told = writers[writer]
    if (told === undefined) throw new Error('impossible')
    for (;;) {
      const count = told.count + 1
      await client.putMemory({ scope: 'mesh', key: key(writer, count), value: { count, pad: pad(count) } })
      // Others may have been put before, unheard: numbers are used once.
      told.count = count
      await client.putMemory({ scope: 'mesh', key: `w${writer}`, value: count })
      told.kept.push(count)
      if (count % 5 !== 0) continue
      await client.deleteMemory('mesh', key(writer, count))
      told.kept.pop()
      told.deleted.push(count)
    }
  }

  for (let round = 0; round < KILLS; round++) {
    await ceo.start()
    const rows = new Map((await client.listMemory({ scope: 'mesh' })).map((row) => [row.key, row.value]))
    for (const [writer, { kept, deleted, count }] of writers.entries()) {
      const torn = kept.filter((one) => {
        const value = rows.get(key(writer, one)) as { count: number; pad: string } | undefined
        // The delete of the last one may have been done though nobody was told.
        if (value === undefined) return !(one === kept.at(-1) && one % 5 === 0)
        return value.count !== one || value.pad !== pad(one)
      })
      expect(torn, `puts of ${writer} that are lost or torn`).toEqual([])
      expect(
        deleted.filter((one) => rows.has(key(writer, one))),
        `deletes of ${writer} that are lost`,
      ).toEqual([])
      if (kept.length > 0) expect(rows.get(`w${writer}`)).toBeGreaterThanOrEqual(kept.at(-1) ?? 0)
      // What was put before the kill, unheard, is not put again.
      writers[writer] = { kept: kept.filter((one) => rows.has(key(writer, one))), deleted, count: count + 1 }
    }
    const before = sum(writers.map(({ count }) => count))
    const ended = Promise.allSettled(writers.map((_, writer) => write(writer)))
    await until('some were acknowledged', () => sum(writers.map(({ count }) => count)) >= before + 10 * WRITERS)
    await ceo.kill()
    await ended
  }
  await ceo.start()
  expect(await lastingFindings(ceo)).toEqual([])
  const { memory, deleted } = await client.status()
  expect(memory).toBe((await client.listMemory({ scope: 'mesh' })).length)
  tell(`${KILLS} kills while ${WRITERS} clients wrote: ${memory} memories, ${deleted} deleted`)
})

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)
