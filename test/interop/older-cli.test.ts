import { expect, test } from 'vitest'
import { startChild } from '../support/child.ts'
import { until } from '../support/until.ts'
import { useStore } from './store.ts'

/** A day with the command line of an earlier mesh, which knows nothing of ours but its address. */

const store = useStore()

/** What it printed; where it failed, what it said about it. */
async function older(...args: readonly string[]): Promise<unknown> {
  const env = { MESH_STORE_URL: store.url(), MESH_STORE_KEY: store.key(), MESH_NODE: 'older' }
  const { code, stdout, stderr } = await startChild('test/interop/older-cli.mjs', args, { env, timeoutMs: 20_000 })
    .ended
  return code === 0 ? JSON.parse(stdout) : { code, stderr: stderr.trim() }
}

test('memory is put, got, listed and found', async () => {
  expect(await older('health')).toBe('up')
  const value = { short: 'ship the ibex', days: [1, 2] }
  expect(await older('put', 'mesh', 'plan/für morgen', JSON.stringify(value))).toEqual({
    scope: 'mesh',
    key: 'plan/für morgen',
    value,
    node_id: 'older',
    updated_at: expect.any(Number),
  })
  await older('put', 'user:ann', 'likes', '"tea"')
  expect(await older('get', 'mesh', 'plan/für morgen')).toEqual(value)
  expect(await older('get', 'user:ann', 'likes')).toBe('tea')
  const year = new Date().getFullYear()
  expect(await older('list', 'user:ann')).toEqual([`user:ann:likes older ${year}`])
  const listed = (await older('list')) as string[]
  expect(listed.sort()).toEqual([`mesh:plan/für morgen older ${year}`, `user:ann:likes older ${year}`])
  const hits = await until('it is found', async () => {
    const found = (await older('search', 'ibex')) as string[]
    return found.length > 0 && found
  })
  expect(hits).toEqual([expect.stringMatching(/^mesh:plan\/für morgen .*ibex/)])
})

test('skills are put by text and by path, got and listed', async () => {
  await older('skill-put', 'greet', '# Greet\n')
  await older('skill-link', 'walk', '/srv/skills/walk.md')
  expect(await older('skill', 'greet')).toBe('# Greet\n')
  expect(await older('skill', 'walk')).toBe('see /srv/skills/walk.md')
  expect(((await older('skills')) as string[]).sort()).toEqual(['greet older', 'walk older'])
})

test('what fails tells why', async () => {
  expect(await older('get', 'mesh', 'nothing')).toEqual({ code: 1, stderr: expect.stringMatching(/^404 \S/) })
  expect(await older('skill', 'nothing')).toEqual({ code: 1, stderr: expect.stringMatching(/^404 \S/) })
  expect(await older('put', 'mesh', '', '1')).toEqual({ code: 1, stderr: expect.stringMatching(/^400 \S/) })
})
