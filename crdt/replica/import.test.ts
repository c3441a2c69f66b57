import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../entry/index.ts'
import { audit } from './audit-suite.ts'
import {
  authorsOf,
  digestOf,
  exchange,
  memory,
  openTestReplica,
  scopeOf,
  sharedWorkers,
  skill,
  type TestReplica,
} from './lab-suite.ts'

const workers = sharedWorkers()
const NOW = 1_800_000_000
const open = (name: string) => openTestReplica(name, { workers, now: () => NOW * 1000 })

const take = (replica: TestReplica, key: string, value: JsonValue, at?: number) =>
  replica.importMemory({ scope: scopeOf('mesh'), key, value, nodeId: 'older' }, at)
const takeSkill = (replica: TestReplica, name: string, content: string, at?: number) =>
  replica.importSkill({ scope: scopeOf('mesh'), name, content, nodeId: 'older' }, at)

describe('what earlier tools said', () => {
  it('is the same change on every node that takes it in at the same version', async () => {
    const [ceo, sec] = [await open('ceo'), await open('sec')]
    for (const replica of [ceo, sec]) {
      expect(await take(replica, 'plan', { a: 1, b: [2] }, NOW - 9)).toBe('taken')
      expect(await take(replica, 'plan', { a: 2 }, NOW - 8)).toBe('taken')
      expect(await takeSkill(replica, 'deploy', 'one\ntwo\n', NOW - 9)).toBe('taken')
      expect(await takeSkill(replica, 'deploy', 'one\n2\n', NOW - 8)).toBe('taken')
    }
    expect(digestOf(ceo)).toBe(digestOf(sec))
    await exchange(ceo, sec)
    expect(digestOf(ceo)).toBe(digestOf(sec))
    expect(await ceo.history(memory('plan'))).toHaveLength(2)
    expect((await sec.get(skill('deploy')))?.row).toMatchObject({ content: 'one\n2\n', source_node: 'older' })
    for (const replica of [ceo, sec]) await replica.close()
    // Each has the word of both now, and one is enough.
    for (const replica of [ceo, sec]) expect((await audit(replica.path, authorsOf(['ceo']))).faults).toEqual([])
    expect((await audit(ceo.path, authorsOf(['sec']))).faults).toEqual([])
  })

  it('is taken once: what is live and equal writes nothing, with any time or none', async () => {
    const ceo = await open('ceo')
    await take(ceo, 'plan', { a: 1, b: 2 }, NOW - 9)
    const { position } = ceo
    for (const at of [NOW - 99, NOW, NOW + 9_999, undefined])
      expect(await take(ceo, 'plan', { b: 2, a: 1 }, at)).toBe('equal')
    await takeSkill(ceo, 'deploy', 'text', undefined)
    expect(await takeSkill(ceo, 'deploy', 'text', undefined)).toBe('equal')
    expect(ceo.position).toBe(position + 1)
  })

  it('never undoes what is later: neither a put nor a delete', async () => {
    const ceo = await open('ceo')
    await ceo.put('plan', 'ours')
    await ceo.put('gone', 'ours')
    await ceo.drop(memory('gone'))
    expect(await take(ceo, 'plan', 'theirs', NOW - 1)).toBe('older')
    expect(await take(ceo, 'plan', 'theirs', NOW)).toBe('older')
    expect(await take(ceo, 'gone', 'theirs', NOW)).toBe('older')
    expect((await ceo.get(memory('gone')))?.row).toBeUndefined()
    expect(await take(ceo, 'gone', 'theirs', NOW + 1)).toBe('taken')
    expect((await ceo.get(memory('gone')))?.row).toMatchObject({ value: 'theirs' })
  })

  it('is refused like any other write, before anything is done', async () => {
    const ceo = await open('ceo')
    await expect(take(ceo, '', 1, NOW)).rejects.toMatchObject({ code: 'KEY_INVALID' })
    await expect(take(ceo, 'x', Number.POSITIVE_INFINITY, NOW)).rejects.toMatchObject({ code: 'VALUE_INVALID' })
    await expect(takeSkill(ceo, 'x/y', '', NOW)).rejects.toMatchObject({ code: 'NAME_INVALID' })
    expect(ceo.position).toBe(0)
  })

  it('may say when it ends: the same change on every node, and none where it has ended', async () => {
    const [ceo, sec] = [await open('ceo'), await open('sec')]
    const put = (expiresAt: number) => ({ ...plan, value: 1, nodeId: 'older', expiresAt })
    const plan = { scope: scopeOf('mesh'), key: 'plan' }
    for (const replica of [ceo, sec]) expect(await replica.importMemory(put(NOW + 60), NOW - 9)).toBe('taken')
    expect(digestOf(ceo)).toBe(digestOf(sec))
    const { position } = ceo
    expect(await ceo.importMemory(put(NOW + 60), NOW)).toBe('equal')
    // What knows no ends has nothing against the one that is here.
    expect(await take(ceo, 'plan', 1, NOW)).toBe('equal')
    for (const over of [NOW, 0, -1.5]) expect(await ceo.importMemory(put(over), NOW)).toBe('expired')
    await expect(ceo.importMemory(put(NOW + 1.5), NOW)).rejects.toMatchObject({ code: 'EXPIRY_INVALID' })
    expect(ceo.position).toBe(position)
    expect(await ceo.importMemory(put(NOW + 90), NOW - 9)).toBe('older')
    expect(await ceo.importMemory(put(NOW + 90), NOW - 8)).toBe('taken')
    expect((await ceo.get(memory('plan')))?.row).toMatchObject({ expires_at: NOW + 90, updated_at: NOW - 8 })
    const linked = { scope: scopeOf('mesh'), name: 'linked', nodeId: 'older', path: '/srv/x', expiresAt: NOW + 60 }
    expect(await ceo.importSkill(linked, NOW - 9)).toBe('taken')
    expect((await ceo.get(skill('linked')))?.row).toMatchObject({ path: '/srv/x', content: null, expires_at: NOW + 60 })
  })

  it('many at once, some of them twice, are taken in order', async () => {
    const ceo = await open('ceo')
    const outcomes = await Promise.all([0, 1, 2, 3, 4, 4, 3].map((n) => take(ceo, 'plan', n, NOW - 10 + n)))
    expect(outcomes).toEqual(['taken', 'taken', 'taken', 'taken', 'taken', 'equal', 'older'])
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(['ceo']))).faults).toEqual([])
  })
})
