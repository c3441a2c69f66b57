import { beforeAll, describe, expect, test } from 'vitest'
import { LONG } from '../support/long.ts'
import type { Machine } from '../support/machine.ts'
import { until } from '../support/until.ts'
import { allEqual, arrives, pair, tell, useFleet } from './fleet.ts'

/** Memories of a join and a sync that are long enough to be interrupted. */
const MANY = LONG ? 6_000 : 1_500

const fleet = useFleet()

describe('two that could not see each other', () => {
  let ceo: Machine
  let sec: Machine

  beforeAll(async () => {
    ;[ceo, sec] = await fleet.start('ceo', 'sec')
    await pair(ceo, sec)
    await ceo.client.putMemory({
      scope: 'mesh',
      key: 'both',
      value: { title: 'plan', prefs: { short: true, lang: 'de' } },
    })
    await ceo.client.putMemory({ scope: 'mesh', key: 'put-or-gone', value: 1 })
    await ceo.client.putMemory({ scope: 'mesh', key: 'overwritten', value: 'first' })
    await allEqual(ceo, sec)
  })

  test('each works alone, and afterwards both have it all; what clashed is counted in status', async () => {
    await sec.stop()
    const a = ceo.client
    await a.putMemory({ scope: 'mesh', key: 'by-ceo', value: 1 })
    await a.putMemory({ scope: 'mesh', key: 'both', value: { title: 'plan', prefs: { short: false, lang: 'de' } } })
    await a.deleteMemory('mesh', 'put-or-gone')
    await a.putMemory({ scope: 'mesh', key: 'overwritten', value: 'by ceo' })
    await a.putSkill({ name: 'greet', content: '# Greet\n\nSay hello.\n' })
    await ceo.stop()

    await sec.start()
    const b = sec.client
    await b.putMemory({ scope: 'mesh', key: 'by-sec', value: 2 })
    await b.putMemory({ scope: 'mesh', key: 'both', value: { title: 'plan B', prefs: { short: true, lang: 'de' } } })
    await b.putMemory({ scope: 'mesh', key: 'put-or-gone', value: 2 })
    await b.putMemory({ scope: 'mesh', key: 'overwritten', value: 'by sec' })
    await b.putSkill({ name: 'greet', content: '# Greet\n\nSay hello.\n' })
    expect(await b.status()).toMatchObject({ conflicts: 0 })

    const began = performance.now()
    await ceo.start()
    await allEqual(ceo, sec)
    tell(`start to equal after both wrote alone: ${Math.round(performance.now() - began)} ms`)

    const rows = await a.listMemory({ scope: 'mesh' })
    expect(await b.listMemory({ scope: 'mesh' })).toEqual(rows)
    const value = Object.fromEntries(rows.map((row) => [row.key, row.value]))
    expect(value).toMatchObject({
      'by-ceo': 1,
      'by-sec': 2,
      both: { title: 'plan B', prefs: { short: false, lang: 'de' } },
      // A put wins over a delete that did not know of it.
      'put-or-gone': 2,
    })
    expect(['by ceo', 'by sec']).toContain(value['overwritten'])
    expect((await b.getSkill('greet')).content).toBe('# Greet\n\nSay hello.\n')
    for (const machine of [ceo, sec]) {
      expect(await machine.json(['status'])).toMatchObject({ exit: 0, conflicts: 1 })
      expect((await machine.mesh(['status'])).stdout).toMatch(/conflicts +1/)
    }
  })

  test('a put that knows both ends the conflict everywhere', async () => {
    await sec.client.putMemory({ scope: 'mesh', key: 'overwritten', value: 'by both' })
    await arrives(ceo, 'overwritten', 'by both')
    for (const { client } of [ceo, sec]) expect(await client.status()).toMatchObject({ conflicts: 0 })
  })
})

test('who comes back at another port is found again through a third', async () => {
  const [ceo, sec, lab] = await fleet.start('ceo', 'sec', 'lab')
  await pair(ceo, sec)
  await pair(ceo, lab)
  await allEqual(ceo, sec, lab)
  // What sec and lab know of each other's address is worth nothing afterwards; only ceo is where it was.
  await Promise.all([sec.stop(), lab.stop()])
  const env = { MESH_P2P_PORT: '0' }
  await Promise.all([sec.start(env), lab.start(env)])
  await allEqual(ceo, sec, lab)
  await ceo.stop()
  await sec.client.putMemory({ scope: 'mesh', key: 'direct', value: 1 })
  await arrives(lab, 'direct', 1)
})

describe('kill -9 in the middle', () => {
  let ceo: Machine
  let sec: Machine

  beforeAll(async () => {
    ;[ceo, sec] = await fleet.start('ceo', 'sec')
    // As much as makes several batches and frames, of some 650 each.
    const value = { text: 'x'.repeat(100), flag: true }
    const all = Array.from({ length: MANY }, (_, i) => ({ scope: 'mesh', key: `brought/${i}`, value }))
    for (let i = 0; i < MANY; i += 500) await sec.client.import({ memory: all.slice(i, i + 500) })
  })

  test('of a join that takes entries along: it is finished behind the restart, or can be done again', async () => {
    const { ticket } = await ceo.client.invite()
    const killed = Promise.withResolvers<void>()
    const joining = sec.client.join(ticket, {
      onProgress: ({ phase, done, total = 0 }) => {
        if (phase === 'vouching' && done > 0 && done < total) sec.kill().then(killed.resolve, killed.reject)
      },
    })
    await expect(joining).rejects.toThrow()
    await killed.promise
    await sec.start()
    const { meshId } = await ceo.client.status()
    // The ticket was used by this very machine: it may come with it again.
    if ((await sec.client.status()).meshId !== meshId) await sec.client.join(ticket)
    expect(await sec.client.status()).toMatchObject({ meshId, memory: MANY })
  })

  test('of a first sync, first of the one who receives, then of the one who sends: it goes on', async () => {
    for (const victim of [ceo, sec]) {
      const partly = await until('a part is there, and not all', async () => {
        const { memory } = await ceo.client.status()
        if (memory === MANY) throw new Error('impossible: it went over faster than it can be asked about')
        return memory > 0 && memory
      })
      await victim.kill()
      tell(`${victim.name} killed when ${partly} of ${MANY} were there`)
      await victim.start()
    }
    const began = performance.now()
    await allEqual(ceo, sec)
    tell(`from the last restart to equal: ${Math.round(performance.now() - began)} ms`)
    expect(await ceo.client.status()).toMatchObject({ memory: MANY, conflicts: 0 })
    expect(await ceo.json(['sync'])).toMatchObject({ exit: 0, equal: true })
  })
})
