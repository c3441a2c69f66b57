import { cp } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Machine } from '../support/machine.ts'
import { until } from '../support/until.ts'
import { allEqual, arrives, lastingFindings, pair, sameDigest, tell, useFleet } from './fleet.ts'

const fleet = useFleet()

describe('members come and go', () => {
  let ceo: Machine
  let sec: Machine
  let lab: Machine

  beforeAll(async () => {
    ;[ceo, sec, lab] = await fleet.start('ceo', 'sec', 'lab')
    await pair(ceo, sec)
    await pair(sec, lab)
    await allEqual(ceo, sec, lab)
    await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 1 })
    await arrives(lab, 'plan', 1)
  })

  test('mesh peers remove cuts the removed off, from all, and says whom it removed', async () => {
    const { peerId } = await lab.client.status()
    const removed = await ceo.json(['peers', 'remove', 'lab', '--yes'])
    expect(removed).toMatchObject({ exit: 0, ok: true, nodeId: 'lab', peerId })
    for (const { client } of [ceo, sec]) {
      await until('only two are left', async () => (await client.peers()).length === 1)
    }
    await until('lab is connected to nobody', async () => (await lab.client.peers()).every((peer) => !peer.connected))

    await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 2 })
    await lab.client.putMemory({ scope: 'mesh', key: 'by-lab', value: 'alone' })
    await arrives(sec, 'plan', 2)
    expect((await lab.client.getMemory('mesh', 'plan')).value).toBe(1)
    expect((await ceo.client.listMemory({ prefix: 'by-lab' })).length).toBe(0)
  })

  test('the removed one is told, and says so', async () => {
    const { exit, ok, findings } = await lab.json(['doctor'])
    expect({ exit, ok }).toEqual({ exit: 1, ok: false })
    expect(findings).toMatchObject([{ checkId: 'node.removed', severity: 'error' }])
    for (const args of [['sync'], ['invite']]) {
      expect(await lab.json(args)).toMatchObject({ ok: false, exit: 6, error: { type: 'NOT_IN_A_MESH' } })
    }
    expect((await lab.mesh(['doctor'])).stdout).toContain('mesh leave')
  })

  test('the removed one comes back with a ticket, and with what it wrote meanwhile', async () => {
    const { ticket } = await sec.client.invite()
    expect(await lab.json(['join', ticket])).toMatchObject({ exit: 0, members: ['ceo', 'lab', 'sec'] })
    await allEqual(ceo, sec, lab)
    await arrives(ceo, 'by-lab', 'alone')
    await arrives(lab, 'plan', 2)
    expect((await lab.json(['doctor'])).findings).toEqual([])
  })

  test('mesh leave: the others are told, each keeps what it knows, and the one is alone', async () => {
    const { meshId } = await sec.client.status()
    const { memory } = await ceo.client.status()
    const left = await sec.json(['leave', '--yes'])
    expect(left).toMatchObject({ exit: 0, ok: true, told: 2 })
    for (const { client } of [ceo, lab]) {
      await until('they know', async () => (await client.peers()).every(({ nodeId }) => nodeId !== 'sec'))
      expect(await client.status()).toMatchObject({ memory })
    }
    const alone = await sec.client.status()
    expect(alone).toMatchObject({ memory, peers: [], meshId: left['meshId'] })
    expect(alone.meshId).not.toBe(meshId)
    expect(await sec.json(['leave', '--yes'])).toMatchObject({ exit: 6, error: { type: 'NOT_IN_A_MESH' } })
    expect(await sec.mesh(['leave'])).toMatchObject({ exit: 2, stdout: '' })
  })

  test('who left may come back; what either side deleted meanwhile stays deleted', async () => {
    await sec.client.deleteMemory('mesh', 'plan')
    await ceo.client.deleteMemory('mesh', 'by-lab')
    await sec.client.putMemory({ scope: 'mesh', key: 'by-sec', value: 'away' })
    await pair(lab, sec)
    await allEqual(ceo, sec, lab)
    for (const { client } of [ceo, sec, lab]) {
      expect((await client.listMemory({ scope: 'mesh' })).map(({ key }) => key)).toEqual(['by-sec'])
    }
  })

  test('peers remove knows no stranger, not itself, and asks for consent', async () => {
    const removing = (peer: string) => ceo.json(['peers', 'remove', peer, '--yes'])
    expect(await removing('nobody')).toMatchObject({ exit: 5, error: { type: 'PEER_UNKNOWN' } })
    expect(await removing('ceo')).toMatchObject({ exit: 6, error: { type: 'PEER_IS_SELF' } })
    expect(await ceo.json(['peers', 'remove', 'sec'])).toMatchObject({ exit: 2, error: { type: 'USAGE' } })
    expect(await ceo.client.peers()).toHaveLength(2)
  })
})

describe('what should not be is noticed and said', () => {
  test('two machines of one name, that two members let in while they could not see each other', async () => {
    const [ceo, lab, one] = await fleet.start('ceo', 'lab', 'sec')
    await pair(ceo, lab)
    await allEqual(ceo, lab)
    await lab.stop()
    await pair(ceo, one)
    await Promise.all([ceo.stop(), one.stop()])
    const two = await fleet.make('sec')
    await Promise.all([lab.start(), two.start()])
    await pair(lab, two)
    await Promise.all([ceo.start(), one.start()])

    for (const machine of [ceo, lab, one, two]) {
      const finding = await until(`${machine.name} notices`, async () => {
        const { findings } = await machine.client.doctor()
        return findings.find(({ checkId }) => checkId === 'roster.same-name')
      })
      expect(finding).toMatchObject({ severity: 'warning', message: expect.stringContaining('"sec"') })
      for (const { client } of [one, two]) expect(finding.message).toContain((await client.status()).peerId)
    }
    // Both are members all the same, and the name alone says no longer which is meant.
    await sameDigest(ceo, lab, one, two)
    expect(await ceo.json(['peers', 'remove', 'sec', '--yes'])).toMatchObject({
      exit: 6,
      error: { type: 'PEER_AMBIGUOUS' },
    })
    // The way out that is named.
    await two.stop()
    await two.start({ MESH_NODE_ID: 'sec2' })
    for (const { name, client } of [ceo, lab, one, two]) {
      await until(`${name} finds nothing any more`, async () => (await client.doctor()).findings.length === 0)
    }
  })

  test('S-30: a cloned machine, by the others and by both copies', async () => {
    // Often enough that a test can wait for it.
    const env = { MESH_SYNC_INTERVAL_SECONDS: '1' }
    const [ceo, sec, clone] = await Promise.all(['ceo', 'sec', 'sec'].map((name) => fleet.make(name, { env })))
    if (ceo === undefined || sec === undefined || clone === undefined) throw new Error('impossible')
    await Promise.all([ceo.start(), sec.start()])
    await pair(ceo, sec)
    await ceo.client.putMemory({ scope: 'mesh', key: 'plan', value: 1 })
    await arrives(sec, 'plan', 1)
    await sec.stop()
    await cp(sec.home, clone.home, { recursive: true })
    await sec.start()
    await allEqual(ceo, sec)
    expect(await lastingFindings(ceo)).toEqual([])

    const began = performance.now()
    await clone.start()
    const findings = [
      [ceo, 'peer.cloned'],
      [sec, 'node.cloned'],
      [clone, 'node.cloned'],
    ] as const
    for (const [{ name, client }, checkId] of findings) {
      await until(`${name} notices the clone`, async () => {
        const found = (await client.doctor()).findings.find((finding) => finding.checkId === checkId)
        return found?.severity === 'error' && found.fixHint?.includes('meshd')
      })
      tell(`${name} notices the clone after ${Math.round(performance.now() - began)} ms`)
    }

    // Neither copy loses what it wrote, and nothing diverges.
    await sec.client.putMemory({ scope: 'mesh', key: 'by-sec', value: 1 })
    await clone.client.putMemory({ scope: 'mesh', key: 'by-clone', value: 2 })
    for (const machine of [ceo, sec, clone]) {
      await arrives(machine, 'by-sec', 1)
      await arrives(machine, 'by-clone', 2)
    }
    await sameDigest(ceo, sec, clone)
  })
})
