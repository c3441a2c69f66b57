import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Machine } from '../support/machine.ts'
import { until } from '../support/until.ts'
import { allEqual, arrives, pair, sameDigest, tell, useFleet } from './fleet.ts'

/** For what is put here to be there, beside other tests. On a quiet machine it takes some 20 ms. */
const THERE_MS = 2_000
const PUTS = 30

const fleet = useFleet()
let ceo: Machine
let sec: Machine

beforeAll(async () => {
  ;[ceo, sec] = await fleet.start('ceo', 'sec')
  await pair(ceo, sec)
  await allEqual(ceo, sec)
})

describe('what is put here is read there', () => {
  test('a memory, new and changed, either way', async () => {
    const times: number[] = []
    for (let i = 0; i < PUTS; i++) {
      const [here, there] = i % 2 === 0 ? [ceo, sec] : [sec, ceo]
      const value = { round: i, text: 'größer 🦀', list: [i, null, true] }
      await here.client.putMemory({ scope: 'mesh', key: `plan/${i % 3}`, value })
      times.push(await arrives(there, `plan/${i % 3}`, value))
    }
    times.sort((a, b) => a - b)
    const [p50 = 0, worst = 0] = [times[PUTS / 2], times.at(-1)]
    tell(`put here, read there: p50 ${p50.toFixed(0)} ms, worst ${worst.toFixed(0)} ms of ${PUTS}`)
    expect(worst).toBeLessThan(THERE_MS)
  })

  test('by the command line, as a person does it', async () => {
    expect((await ceo.mesh(['put', 'ship', 'on Friday'])).exit).toBe(0)
    await arrives(sec, 'ship', 'on Friday')
    expect(await sec.mesh(['get', 'ship'])).toMatchObject({ exit: 0, stdout: 'on Friday\n' })
    expect(await sec.json(['get', 'ship'])).toMatchObject({ scope: 'mesh', key: 'ship', node_id: 'ceo' })
    expect((await sec.mesh(['rm', 'ship'])).exit).toBe(0)
    await until('it is gone on ceo', async () => (await ceo.mesh(['get', 'ship'])).exit === 5)
  })

  test('a skill, its edit and its end', async () => {
    const skill = (text: string) => `---\nname: greet\ndescription: Greets.\n---\n\n# Greet\n\n${text}\n`
    await ceo.client.putSkill({ name: 'greet', content: skill('Say hello.') })
    await until('it is there', async () => (await sec.client.getSkill('greet')).content === skill('Say hello.'))
    await sec.client.putSkill({ name: 'greet', content: skill('Say hello twice.') })
    await until('so is the edit', async () => (await ceo.client.getSkill('greet')).content?.includes('twice'))
    // Agents read files.
    const path = join(ceo.home, 'mesh/skills/greet/SKILL.md')
    await until('so is the file', async () => (await readFile(path, 'utf8')) === skill('Say hello twice.'))
    await ceo.client.deleteSkill('greet')
    await until('its end is there', async () => (await sec.client.listSkills()).length === 0)
    await until('the file is gone', async () => (await readdir(join(sec.home, 'mesh/skills'))).length === 0)
  })

  test('a delete, and that it stays one', async () => {
    await ceo.client.putMemory({ scope: 'mesh', key: 'secret', value: 1 })
    await arrives(sec, 'secret', 1)
    await sec.client.deleteMemory('mesh', 'secret')
    const isGone = async () => (await ceo.client.listMemory({ prefix: 'secret' })).length === 0
    await until('it is gone there', isGone)
    await sec.stop()
    await sec.start()
    await allEqual(ceo, sec)
    expect(await isGone()).toBe(true)
    expect(await sec.client.listMemory({ prefix: 'secret' })).toEqual([])
  })

  test('every shared scope', async () => {
    const scopes = ['mesh', 'federation', 'user:alice', 'user:acme:alice', 'tenant:acme', 'user:🦀']
    for (const scope of scopes) await ceo.client.putMemory({ scope, key: 'k', value: scope })
    for (const scope of scopes) {
      await until(scope, async () => (await sec.client.getMemory(scope, 'k')).value === scope)
    }
    await sameDigest(ceo, sec)
  })
})

describe('scope node', () => {
  // Random, so that no compression makes them into something else.
  const marks = { key: 'f3a9c17be20d4865', value: '90bd6e4fa1c37528', skill: 'd18e5b0a7c92f364' }

  test('never leaves its machine: neither its database nor any of its files holds a byte of it', async () => {
    await sec.client.putMemory({ scope: 'node', key: `own/${marks.key}`, value: { pin: marks.value } })
    await sec.client.putSkill({ name: 'own', scope: 'node', content: `---\nname: own\n---\n${marks.skill}\n` })
    await sec.client.putMemory({ scope: 'mesh', key: 'shared', value: 'goes over' })
    await arrives(ceo, 'shared', 'goes over')
    expect((await sec.json(['sync'])).equal).toBe(true)
    // By every way that there is: pushed, reconciled, and reconciled anew after a restart.
    await sec.stop()
    await sec.start()
    await allEqual(ceo, sec)

    for (const [what, mark] of Object.entries(marks)) {
      // That it is found where it belongs proves that it would be found elsewhere.
      expect(await filesWith(sec.home, mark), what).not.toEqual([])
      expect(await filesWith(ceo.home, mark), what).toEqual([])
    }
    expect(await ceo.client.listMemory({ scope: 'node' })).toEqual([])
  })

  test('is not in the digest', async () => {
    const { digest, entries } = await sec.client.status()
    await sec.client.putMemory({ scope: 'node', key: 'more', value: 1 })
    expect(await sec.client.status()).toMatchObject({ digest, entries: entries + 1 })
  })
})

describe('mesh sync', () => {
  test('names each peer, and ends with 0 when all are proven equal', async () => {
    await ceo.client.putMemory({ scope: 'mesh', key: 'last', value: 1 })
    const report = await ceo.json(['sync'])
    expect(report).toMatchObject({ exit: 0, ok: true, equal: true, peers: [{ nodeId: 'sec', equal: true }] })
    const { exit, stdout, stderr } = await ceo.mesh(['sync'])
    expect({ exit, stdout, stderr }).toEqual({
      exit: 0,
      stdout: expect.stringMatching(/^✓ sec {2}equal {2}.*\d+ ms\n$/),
      stderr: 'all equal\n',
    })
    expect((await sec.client.getMemory('mesh', 'last')).value).toBe(1)
  })

  test('ends with 8 when one is down, and names it', async () => {
    await sec.stop()
    const report = await ceo.json(['sync'])
    expect(report).toMatchObject({
      exit: 8,
      ok: false,
      error: { type: 'SYNC_INCOMPLETE', message: expect.stringContaining('sec') },
      peers: [{ nodeId: 'sec', equal: false, error: { code: 'PEER_UNREACHABLE' } }],
    })
    const { exit, stdout, stderr } = await ceo.mesh(['sync'])
    expect(exit).toBe(8)
    expect(stdout).toContain('✗ sec')
    expect(stderr).toBe('error: not proven equal: sec\n')
    expect(await ceo.json(['peers'])).toMatchObject({ peers: [{ nodeId: 'sec', connected: false, equal: false }] })
    await sec.start()
    await allEqual(ceo, sec)
  })

  test('of a machine that is alone has nothing to do', async () => {
    const [lab] = await fleet.start('lab')
    expect(await lab.json(['sync'])).toMatchObject({ exit: 0, equal: true, peers: [] })
  })
})

/** Files below a folder that hold these bytes, in their names or in themselves. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = []
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    if (path.includes(text)) found.push(path)
    else if (file.isFile() && (await readFile(path)).includes(text)) found.push(path)
  }
  return found
}
