import { describe, expect, it } from 'vitest'
import type { MemoryRow } from '../entry/index.ts'
import { exchange, hex, memory, openTestReplica, sharedWorkers, signerOf, skill } from './lab-suite.ts'

const workers = sharedWorkers()
const keyOf = (name: string) => hex(signerOf(name).publicKey)

describe('the history of an entry', () => {
  it('tells who changed what, latest first, with the value at each point and who signed it', async () => {
    const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await ceo.put('plan', { a: 1 })
    await exchange(ceo, sec)
    await sec.put('plan', { a: 1, b: 2 })
    await exchange(ceo, sec)
    await ceo.drop(memory('plan'))
    const history = await ceo.history(memory('plan'))
    expect(
      history.map(({ action, nodeId, row, signers }) => [
        action,
        nodeId,
        (row as MemoryRow | undefined)?.value,
        signers.map(hex),
      ]),
    ).toEqual([
      ['delete', 'ceo', undefined, [keyOf('ceo')]],
      ['put', 'sec', { a: 1, b: 2 }, [keyOf('sec')]],
      ['put', 'ceo', { a: 1 }, [keyOf('ceo')]],
    ])
  })

  it('is given page by page', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    for (let n = 0; n < 25; n++) await ceo.put('plan', n)
    const pages: unknown[] = []
    let before: string | undefined
    for (;;) {
      const page = await ceo.history(memory('plan'), { before, limit: 10 })
      if (page.length === 0) break
      pages.push(page.map(({ row }) => (row as MemoryRow).value))
      before = page.at(-1)?.hash
    }
    expect(pages).toEqual([
      [24, 23, 22, 21, 20, 19, 18, 17, 16, 15],
      [14, 13, 12, 11, 10, 9, 8, 7, 6, 5],
      [4, 3, 2, 1, 0],
    ])
    await expect(ceo.history(memory('plan'), { before: 'f'.repeat(64) })).rejects.toMatchObject({
      code: 'REVISION_UNKNOWN',
      field: 'before',
    })
  })

  it('names those who vouched for a change beside its author', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.put('plan', 1)
    await ceo.adopt({ meshId: 'b'.repeat(32), forget: [], records: [] })
    expect((await ceo.history(memory('plan'))).map(({ signers }) => signers.map(hex))).toEqual([[keyOf('ceo')]])
    expect(await ceo.history(memory('never'))).toEqual([])
  })
})

describe('conflicts of an entry', () => {
  const apart = async () => {
    const [ceo, sec] = [await openTestReplica('ceo', { workers }), await openTestReplica('sec', { workers })]
    await ceo.put('plan', { x: 0, y: 0 })
    await exchange(ceo, sec)
    await Promise.all([ceo.put('plan', { x: 1, y: 1 }), sec.put('plan', { x: 2, y: 2 })])
    await exchange(ceo, sec)
    return { ceo, sec }
  }

  it('are ended all at once with what is shown, for every node', async () => {
    const { ceo, sec } = await apart()
    const shown = (await ceo.get(memory('plan')))?.row as MemoryRow
    expect(ceo.counts().conflicts).toBe(2)
    const done = await ceo.resolve(memory('plan'), undefined, 'lab')
    expect(done?.row).toMatchObject({ value: shown.value, node_id: 'lab' })
    await exchange(ceo, sec)
    expect([ceo.counts().conflicts, sec.counts().conflicts]).toEqual([0, 0])
    expect((await sec.rowJson(memory('plan')))?.version).toBe(done?.version)
  })

  it('are ended one by one with what is given', async () => {
    const { ceo } = await apart()
    await ceo.resolve(memory('plan'), [{ path: '/x', value: 'both' }], 'ceo')
    expect((await ceo.conflicts(memory('plan'))).map(({ path }) => path)).toEqual(['/y'])
  })

  it.each([
    ['a path that is in none', [{ path: '/z', value: 1 }], 'CONFLICT_UNKNOWN'],
    [
      'one that is and one that is not',
      [
        { path: '/x', value: 1 },
        { path: '/z', value: 1 },
      ],
      'CONFLICT_UNKNOWN',
    ],
    ['a value that is no JSON', [{ path: '/x', value: Number.NaN }], 'VALUE_INVALID'],
  ])('are left as they are by %s', async (_, resolutions, code) => {
    const { ceo } = await apart()
    const before = ceo.position
    await expect(ceo.resolve(memory('plan'), resolutions, 'ceo')).rejects.toMatchObject({ code })
    expect([ceo.position, ceo.counts().conflicts]).toEqual([before, 2])
    await ceo.put('plan', { x: 5, y: 5 })
    expect(ceo.counts().conflicts).toBe(0)
  })

  it('that are none cannot be ended, and what is not there has none', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    await ceo.putText('deploy', 'one\n')
    await expect(ceo.resolve(skill('deploy'), undefined, 'ceo')).rejects.toMatchObject({ code: 'CONFLICT_UNKNOWN' })
    expect(await ceo.resolve(memory('never'), undefined, 'ceo')).toBeUndefined()
    expect(await ceo.conflicts(memory('never'))).toEqual([])
  })
})
