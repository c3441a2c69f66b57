import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import { until } from '../../test/support/until.ts'
import type { EntryId } from '../entry/index.ts'
import { inspectChange } from '../entry/index.ts'
import { type Bomb, deflateBomb, operationBomb } from './bomb-suite.ts'
import { FIRST, forge, leaf, signHash } from './forge-suite.ts'
import { DocumentWorkers, packOffered, type Transfer } from './index.ts'
import { authorsOf, MESH, memory, openTestReplica, sharedWorkers, verdicts } from './lab-suite.ts'

const MB = 1024 * 1024
const workers = sharedWorkers({ growthBytes: 150 * MB })
const BASE = inspectChange(FIRST).hash

/** Signed by a member, as it must be to be opened at all. */
function armed(id: EntryId, { change, hash }: Bomb): Transfer {
  return { id, chunks: [FIRST, change], signatures: packOffered([signHash(id, hash, 'sec')]) }
}

/** The same in a whole document, made by a process of its own. */
async function documentBomb(id: EntryId, kind: 'operations' | 'text', count: number): Promise<Transfer> {
  const file = fileURLToPath(new URL('./bomb-child-suite.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file, kind, `${count}`], { maxBuffer: 64 * MB })
  const { hash, document } = JSON.parse(stdout) as { hash: string; document: string }
  const signatures = packOffered([signHash(id, hash, 'sec')])
  return { id, chunks: [Buffer.from(document, 'base64')], signatures }
}

const honest = (key: string) => forge(memory(key), leaf('/x'))

describe('S-17: a bomb', () => {
  it('of 200 bytes that is a million operations: its worker ends, what came with it is taken, memory comes back', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    expect(await verdicts(ceo, [honest('first')])).toEqual(['applied']) // a worker is up
    const before = process.memoryUsage.rss()
    const bomb = operationBomb(BASE, 1_000_000)
    expect(bomb.change.length).toBeLessThan(200)
    const transfers = [honest('a'), armed(memory('bomb'), bomb), honest('b'), armed(memory('bomb-2'), bomb)]
    const outcomes = await verdicts(ceo, transfers)
    expect(outcomes).toEqual(['applied', 'incomplete WORKER_LIMIT', 'applied', 'incomplete WORKER_LIMIT'])
    expect(await ceo.get(memory('bomb'))).toBeUndefined()
    await until('memory comes back', () => process.memoryUsage.rss() < before + 100 * MB)
    await ceo.put('local', 1)
    expect(await verdicts(ceo, [honest('c')])).toEqual(['applied'])
  }, 60_000)

  it('that takes time instead of memory is ended as well', async () => {
    const hasty = new DocumentWorkers({ jobMs: 400, growthBytes: 1_000_000 * MB })
    const ceo = await openTestReplica('ceo', { workers: hasty })
    const began = performance.now()
    const outcomes = await verdicts(ceo, [armed(memory('bomb'), operationBomb(BASE, 300_000_000))])
    expect(outcomes).toEqual(['incomplete WORKER_LIMIT'])
    expect(performance.now() - began).toBeLessThan(15_000)
    await hasty.close()
  }, 30_000)

  it('of 250 KB that inflates to 256 MB does no harm', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const outcomes = await verdicts(ceo, [armed(memory('bomb'), deflateBomb(256 * MB)), honest('a')])
    expect(['incomplete WORKER_LIMIT', 'refused CHANGE_MALFORMED']).toContain(outcomes[0])
    expect(outcomes[1]).toBe('applied')
  }, 60_000)

  it.runIf(LONG)(
    'in a whole document, of operations or of text, does no more harm',
    async () => {
      const ceo = await openTestReplica('ceo', { workers })
      const operations = await documentBomb(memory('operations'), 'operations', 1_000_000)
      const text = await documentBomb(memory('text'), 'text', 40_000_000)
      for (const { chunks } of [operations, text]) expect(chunks[0]?.length).toBeLessThan(200_000)
      expect(await verdicts(ceo, [honest('a'), operations, honest('b')])).toEqual([
        'applied',
        'incomplete WORKER_LIMIT',
        'applied',
      ])
      const [outcome, neighbour] = await verdicts(ceo, [text, honest('c')])
      expect(['incomplete WORKER_LIMIT', 'refused CHANGE_TOO_LARGE']).toContain(outcome)
      expect(neighbour).toBe('applied')
      // Far from any limit of memory, but no change of it could be sent on.
      const large = await documentBomb(memory('large'), 'text', 3_000_000)
      expect(large.chunks[0]?.length).toBeLessThan(10_000)
      expect(await verdicts(ceo, [large])).toEqual(['refused CHANGE_TOO_LARGE'])
      for (const { id } of [operations, text, large]) expect(await ceo.get(id)).toBeUndefined()
    },
    120_000,
  )

  it('is blamed alone, also when others are at work beside it', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    const bombs = [0, 1].map((n) => armed(memory(`bomb-${n}`), operationBomb(BASE, 1_000_000)))
    const many = Array.from({ length: 200 }, (_, n) => honest(`beside-${n}`))
    const outcomes = await verdicts(ceo, [bombs[0] as Transfer, ...many, bombs[1] as Transfer])
    expect(outcomes.flatMap((one, n) => (one === 'applied' ? [] : [n]))).toEqual([0, 201])
    expect(outcomes[0]).toBe('incomplete WORKER_LIMIT')
  }, 60_000)

  it('that is small enough is taken for what it is', async () => {
    const ceo = await openTestReplica('ceo', { workers })
    expect(await verdicts(ceo, [armed(memory('text'), operationBomb(BASE, 1_000))])).toEqual(['applied'])
    expect(await ceo.get(memory('text'))).toMatchObject({ row: undefined, conflicts: 0 }) // it is not live
  })
})

describe('document workers', () => {
  const rules = { meshId: MESH, authors: authorsOf(['sec']) }
  const task = (key: string) => {
    const { id, chunks, signatures } = honest(key)
    return { id, base: undefined, held: new Uint8Array(), chunks, offered: signatures }
  }

  it('replace one that dies of something that nobody foresaw', async () => {
    const own = new DocumentWorkers()
    const broken = { ...rules, authors: [undefined] as unknown as Uint8Array[] }
    expect(await own.vet([task('a'), task('b')], broken)).toMatchObject([
      { code: 'WORKER_LIMIT' },
      { code: 'WORKER_LIMIT' },
    ])
    expect(await own.vet([task('a')], rules)).toMatchObject([{ vetted: { added: [{}, {}] } }])
    await own.close()
  })

  it('keep the order of many tasks, more than one job holds, of several callers', async () => {
    const calls = [0, 1, 2].map((call) => Array.from({ length: 150 }, (_, i) => task(`key-${call}-${i}`)))
    const outcomes = await Promise.all(calls.map((tasks) => workers.vet(tasks, rules)))
    const keys = outcomes.map((some) =>
      some.map((one) => ('vetted' in one ? (one.vetted.view.row as { key: string }).key : one)),
    )
    expect(keys).toEqual(calls.map((tasks) => tasks.map(({ id }) => id.key)))
  })

  it('end at once when they are closed, also those at work, and say so to whoever waits', async () => {
    const own = new DocumentWorkers()
    const bomb = armed(memory('bomb'), operationBomb(BASE, 5_000_000))
    const slow = { ...task('a'), chunks: bomb.chunks, offered: bomb.signatures }
    const waiting = [own.vet([slow], rules), own.vet([task('b')], rules), own.vet([task('c')], rules)]
    const settled = Promise.allSettled(waiting)
    await own.close()
    const closed = { status: 'rejected', reason: { code: 'REPLICA_CLOSED' } }
    expect(await settled).toMatchObject([closed, closed, closed])
    await expect(own.vet([task('d')], rules)).rejects.toMatchObject({ code: 'REPLICA_CLOSED' })
  })
})
