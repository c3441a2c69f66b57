import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../entry/index.ts'
import { createReplica, replicaExists } from './index.ts'
import {
  collect,
  feedOf,
  hex,
  MESH,
  memory,
  openTestReplica,
  rowsOf,
  scopeOf,
  sharedWorkers,
  skill,
  tempFolder,
} from './lab-suite.ts'

const workers = sharedWorkers()
const open = (name = 'ceo', path?: string) =>
  openTestReplica(name, { workers, ...(path === undefined ? {} : { path }) })

describe('a replica', () => {
  it('gives back what was put, with who said it and when', async () => {
    const ceo = await openTestReplica('ceo', { workers, now: () => 1_700_000_000_999 })
    const { row, seq } = await ceo.put('plan', { a: [1, { b: null }] })
    const wanted = {
      scope: 'mesh',
      key: 'plan',
      value: { a: [1, { b: null }] },
      node_id: 'ceo',
      updated_at: 1_700_000_000,
    }
    expect(row).toEqual(wanted)
    expect(seq).toBe(1)
    expect(await ceo.get(memory('plan'))).toMatchObject({ row: wanted, conflicts: 0, seq: 1 })
    expect(await ceo.get(memory('plan', 'user:ann'))).toBeUndefined()
    expect(await ceo.get(skill('plan'))).toBeUndefined()
  })

  it('keeps a skill byte for byte, also one that is only a path', async () => {
    const ceo = await open()
    const content = '---\nname: x\r\n---\n\u{1f600} \ufeff\tno newline at the end'
    const { row } = await ceo.putText('deploy', content)
    expect(row).toMatchObject({ name: 'deploy', source_node: 'ceo', content, path: null, scope: 'mesh' })
    await ceo.putSkill({ scope: scopeOf('mesh'), name: 'there', nodeId: 'ceo', path: '/x/y' })
    expect((await ceo.get(skill('there')))?.row).toMatchObject({ content: null, path: '/x/y' })
  })

  it('forgets the row of what is deleted, and shows it again when it is put again', async () => {
    const ceo = await open()
    await ceo.put('plan', 1)
    expect(await ceo.drop(memory('plan'))).toBe(true)
    expect((await ceo.get(memory('plan')))?.row).toBeUndefined()
    expect(await rowsOf(ceo, 'memory')).toEqual([])
    expect(ceo.counts()).toEqual({ memory: 0, skills: 0, deleted: 1, expired: 0, conflicts: 0 })
    await ceo.put('plan', 2)
    expect(ceo.counts()).toEqual({ memory: 1, skills: 0, deleted: 0, expired: 0, conflicts: 0 })
    expect((await ceo.history(memory('plan'))).map(({ action }) => action)).toEqual(['put', 'delete', 'put'])
  })

  it('writes nothing for a delete of what is not there', async () => {
    const ceo = await open()
    await ceo.put('plan', 1)
    await ceo.drop(memory('plan'))
    expect(await ceo.drop(memory('plan'))).toBe(false)
    expect(await ceo.drop(memory('never'))).toBe(false)
    expect(await ceo.get(memory('never'))).toBeUndefined()
    expect(ceo.position).toBe(2)
  })

  it('has neither history nor conflicts of what was never written, and does not make it so by asking', async () => {
    const ceo = await open()
    expect(await ceo.history(memory('never'))).toEqual([])
    expect(await ceo.conflicts(skill('never'))).toEqual([])
    expect(await ceo.get(memory('never'))).toBeUndefined()
    expect(ceo.digest().items).toBe(0)
  })

  it('keeps all after it was closed and opened again, its ids and side records too', async () => {
    const ceo = await open()
    await ceo.put('plan', { a: 1 })
    await ceo.putText('deploy', 'text')
    await ceo.drop(memory('plan'))
    await ceo.side.write([{ namespace: 'peers', key: '\ufeffsec', value: Buffer.from('here') }])
    const before = { feed: await feedOf(ceo), id: ceo.databaseId, digest: ceo.digest(), counts: ceo.counts() }
    await ceo.close()
    await ceo.close()
    const again = await open('ceo', ceo.path)
    expect({
      feed: await feedOf(again),
      id: again.databaseId,
      digest: again.digest(),
      counts: again.counts(),
    }).toEqual(before)
    expect(again.meshId).toBe(MESH)
    expect((await again.history(memory('plan'))).map(({ action }) => action)).toEqual(['delete', 'put'])
    expect(hex(await again.side.get('peers', '\ufeffsec'))).toBe(Buffer.from('here').toString('hex'))
  })

  it('says that it is closed to whoever comes later', async () => {
    const ceo = await open()
    await ceo.put('plan', 1)
    await ceo.close()
    const closed = { code: 'REPLICA_CLOSED' }
    await expect(ceo.get(memory('plan'))).rejects.toMatchObject(closed)
    await expect(ceo.put('plan', 2)).rejects.toMatchObject(closed)
    await expect(ceo.drop(memory('plan'))).rejects.toMatchObject(closed)
    await expect(collect(ceo.list('memory'))).rejects.toMatchObject(closed)
    await expect(
      ceo.apply([{ id: memory('x'), chunks: [], signatures: new Uint8Array() }], 'sec'),
    ).rejects.toMatchObject(closed)
  })

  it('waits for the writes that are on their way when it is closed', async () => {
    const ceo = await open()
    const puts = Promise.all(Array.from({ length: 50 }, (_, i) => ceo.put(`key-${i}`, i)))
    await Promise.all([puts, ceo.close()])
    expect(await rowsOf(await open('ceo', ceo.path), 'memory')).toHaveLength(50)
  })
})

describe('what no replica takes', () => {
  const refused: readonly [what: string, key: string, value: JsonValue, scope: string, code: string][] = [
    ['an empty key', '', 1, 'mesh', 'KEY_INVALID'],
    ['a key with NUL', 'a\0b', 1, 'mesh', 'KEY_INVALID'],
    ['a key with a lone surrogate', '\ud800', 1, 'mesh', 'KEY_INVALID'],
    ['a key of 1,025 bytes', 'k'.repeat(1_025), 1, 'mesh', 'KEY_TOO_LARGE'],
    ['a value of more than 256 KiB', 'k', 'v'.repeat(256 * 1024), 'mesh', 'VALUE_TOO_LARGE'],
    ['no number', 'k', Number.NaN, 'mesh', 'VALUE_INVALID'],
    ['a name with a lone surrogate', 'k', { '\ud800': 1 }, 'mesh', 'VALUE_INVALID'],
    ['__proto__ as a name', 'k', JSON.parse('{"__proto__":1}'), 'mesh', 'VALUE_INVALID'],
    ['an unknown scope', 'k', 1, 'galaxy', 'SCOPE_INVALID'],
    ['a scope without its id', 'k', 1, 'user:', 'SCOPE_INVALID'],
    ['a scope with NUL', 'k', 1, 'mesh\0x', 'SCOPE_INVALID'],
  ]

  it.each(refused)('%s', async (_, key, value, scope, code) => {
    const ceo = await open()
    await expect(ceo.put(key, value, scope)).rejects.toMatchObject({ code })
    expect(ceo.position).toBe(0)
  })

  it('a skill without content and path, or too large, or of a name that is no file name', async () => {
    const ceo = await open()
    const put = { scope: scopeOf('mesh'), name: 'x', nodeId: 'ceo' }
    await expect(ceo.putSkill(put)).rejects.toMatchObject({ code: 'SKILL_INVALID' })
    await expect(ceo.putSkill({ ...put, path: '\udc00' })).rejects.toMatchObject({ code: 'SKILL_INVALID' })
    await expect(ceo.putText('x', 'é'.repeat(512 * 1024 + 1))).rejects.toMatchObject({ code: 'SKILL_TOO_LARGE' })
    await expect(ceo.putText('../x', 'text')).rejects.toMatchObject({ code: 'NAME_INVALID' })
    await expect(ceo.importSkill({ ...put, name: 'a/b', content: '' }, 1)).rejects.toMatchObject({
      code: 'NAME_INVALID',
    })
    expect(ceo.position).toBe(0)
  })

  it('a node id that is no name, for puts, deletes and imports alike', async () => {
    const ceo = await open()
    const put = { scope: scopeOf('mesh'), key: 'k', value: 1, nodeId: '\u001b[31m' }
    const invalid = { code: 'NODE_ID_INVALID' }
    await expect(ceo.putMemory(put)).rejects.toMatchObject(invalid)
    await expect(ceo.importMemory(put, 1)).rejects.toMatchObject(invalid)
    await expect(ceo.remove(memory('k'), '')).rejects.toMatchObject(invalid)
    expect(ceo.position).toBe(0)
  })
})

describe('a folder', () => {
  it('that holds a database already is not made another one of', async () => {
    const ceo = await open()
    await ceo.put('plan', 1)
    await ceo.close()
    await expect(createReplica(ceo.path, { meshId: 'b'.repeat(32), records: [] })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    expect(await rowsOf(await open('ceo', ceo.path), 'memory')).toHaveLength(1)
  })

  it('holds a replica, or not', async () => {
    const folder = await tempFolder()
    expect(replicaExists(folder)).toBe(false)
    await createReplica(folder, { meshId: MESH, records: [] })
    expect(replicaExists(folder)).toBe(true)
  })
})
