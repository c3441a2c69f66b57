import { readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { PATIENTLY, startTrial, type Trial } from './view-suite.ts'

const FILE = 'mesh-memory.json'

let trial: Trial

afterEach(() => trial.stop())

async function parsed(): Promise<Record<string, { value: unknown; nodeId: string; ts: number }>> {
  return JSON.parse(await readFile(join(trial.home, FILE), 'utf8'))
}

function older(entries: Record<string, unknown>): (home: string) => Promise<void> {
  const old = Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, { value, nodeId: 'old', ts: 1 }]))
  return (home) => writeFile(join(home, FILE), JSON.stringify(old, null, 2))
}

describe('mesh-memory.json', () => {
  test('is one object of scope:key, as older tools read it, without what is of this node alone', async () => {
    trial = await startTrial()
    await trial.put('plan', { a: [1, 'two'] })
    await trial.put('a:b/c', 'text', 'user:alice')
    await trial.put('__proto__', 1)
    await trial.put('secret', 'mine', 'node')
    await trial.settled()
    const rows = await Array.fromAsync(trial.store.list('memory'))
    const ts = (key: string) => rows.find(({ id }) => id.key === key)?.row?.updated_at
    const file = await parsed()
    expect(Object.keys(file).sort()).toEqual(['mesh:__proto__', 'mesh:plan', 'user:alice:a:b/c'])
    expect(file['mesh:plan']).toEqual({ value: { a: [1, 'two'] }, nodeId: 'ceo', ts: ts('plan') })
    await trial.remove('memory', 'plan')
    await trial.settled()
    expect(Object.keys(await parsed()).sort()).toEqual(['mesh:__proto__', 'user:alice:a:b/c'])
    expect(trial.findings()).toEqual([])
  })

  test('is there from the start, and not where it is switched off', async () => {
    trial = await startTrial()
    await trial.settled()
    expect(await trial.read(FILE)).toBe('{}\n')
    await trial.restart({ memoryJson: false }, () => unlink(join(trial.home, FILE)))
    await trial.put('plan', 1)
    await trial.settled()
    expect(await trial.read(FILE)).toBeUndefined()
  })

  test('of an older mesh is left until all of it is in the mesh, then kept', async () => {
    trial = await startTrial({}, older({ 'mesh:plan': 'old', 'mesh:other': 2 }))
    const before = await trial.read(FILE)
    await trial.put('new', 1)
    await trial.put('plan', 'old')
    await trial.settled()
    expect(await trial.read(FILE)).toBe(before)
    expect(trial.findings()).toEqual([`files.edited ${FILE}`])
    await trial.put('other', 2)
    await trial.settled()
    expect(Object.keys(await parsed()).sort()).toEqual(['mesh:new', 'mesh:other', 'mesh:plan'])
    expect(trial.findings()).toEqual([])
  })

  test.each([
    ['a value that differs', JSON.stringify({ 'mesh:plan': { value: 'theirs', nodeId: 'old', ts: 1 } })],
    ['a key of its own', JSON.stringify({ 'mesh:theirs': { value: 1, nodeId: 'old', ts: 1 } })],
    ['a field of its own', JSON.stringify({ 'mesh:plan': { value: 'ours', nodeId: 'old', ts: 1, note: 'theirs' } })],
    ['no object', JSON.stringify(['mesh:plan'])],
    ['no entry', JSON.stringify({ 'mesh:plan': null })],
    ['no JSON', '{"mesh:plan":'],
  ])('with %s is left', async (_, text) => {
    trial = await startTrial({}, (home) => writeFile(join(home, FILE), text))
    await trial.put('plan', 'ours')
    await trial.settled()
    await trial.view.check()
    expect(await trial.read(FILE)).toBe(text)
    expect(trial.findings()).toEqual([`files.edited ${FILE}`])
    await unlink(join(trial.home, FILE))
    await trial.view.check()
    expect(trial.findings()).toEqual([])
    expect(await parsed()).toMatchObject({ 'mesh:plan': { value: 'ours' } })
  })

  test('that an older tool rewrites from what it read earlier deletes nothing and is taken back', async () => {
    trial = await startTrial()
    await trial.put('plan', 'first')
    await trial.settled()
    const stale = await trial.read(FILE)
    await trial.put('other', 2)
    await trial.settled()
    await writeFile(join(trial.home, FILE), stale as string)
    await trial.view.check()
    expect(Object.keys(await parsed()).sort()).toEqual(['mesh:other', 'mesh:plan'])
    expect(trial.store.counts().memory).toBe(2)
    const file = { ...(await parsed()), 'mesh:theirs': { value: 1, nodeId: 'old', ts: 5 } }
    await writeFile(join(trial.home, FILE), JSON.stringify(file))
    await trial.put('plan', 'second')
    await trial.settled()
    expect(await parsed()).toEqual(file)
    expect(trial.findings()).toEqual([`files.edited ${FILE}`])
  })

  test('is switched off where it grows too large, and on again when it is small', async () => {
    trial = await startTrial({ timing: { memoryJsonMs: 600_000, maxMemoryJsonMs: 600_000 } })
    await trial.put('plan', 'first')
    await trial.settled()
    const before = await trial.read(FILE)
    for (let i = 0; i < 16; i++) await trial.put(`large-${i}`, 'x'.repeat(255_000))
    await trial.settled()
    expect(await trial.read(FILE)).toBe(before)
    expect(trial.findings()).toEqual([`files.memory-json-too-large ${FILE}`])
    await trial.restart()
    expect(trial.findings()).toEqual([`files.memory-json-too-large ${FILE}`])
    await trial.remove('memory', 'large-0')
    await trial.settled()
    expect(Object.keys(await parsed())).toHaveLength(16)
    expect(trial.findings()).toEqual([])
  })

  test('keys that read alike in it do not hide each other silently', async () => {
    trial = await startTrial()
    await trial.put('b:c', 'one', 'user:a')
    await trial.put('c', 'two', 'user:a:b')
    await trial.settled()
    expect(Object.keys(await parsed())).toEqual(['user:a:b:c'])
    expect(trial.findings()).toEqual([`files.memory-json-ambiguous ${FILE}`])
  })

  test('is not written for every commit of a burst', async () => {
    trial = await startTrial({ timing: { memoryJsonMs: 100, maxMemoryJsonMs: 1_000 } })
    await trial.settled()
    const start = performance.now()
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => trial.put(`key-${i}-${j}`, i)))
    }
    await expect.poll(async () => Object.keys(await parsed()).length, PATIENTLY).toBe(1000)
    const elapsed = performance.now() - start
    const written = trial.lines.filter(({ msg }) => msg === 'mesh-memory.json was written').length
    expect(written).toBeLessThanOrEqual(3 + elapsed / 100)
    expect(written).toBeLessThan(40)
  })
})
