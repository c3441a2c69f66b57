import { describe, expect, it } from 'vitest'
import { MeshError } from '../errors.ts'
import { digestOf, exchange, memory, openTestReplica, sharedWorkers, skill, transferOf, verdicts } from './lab-suite.ts'

const workers = sharedWorkers()
const ON = { workers, secrets: { allowed: [] } }
/** Made here, so that nobody takes this file for one that holds a secret. */
const SECRET = ['ghp', 'x7Kd92LmQpZr4TvWyB1nCs8EfGhJ3aUoRi5e'].join('_')

const refusal = (write: Promise<unknown>) => write.then(() => undefined).catch((error: unknown) => error as MeshError)

describe('S-24: a secret', () => {
  it.each([
    ['in a value', (ceo: Writer) => ceo.put('k', { deep: [SECRET] }), 'value/deep/0'],
    ['in a key', (ceo: Writer) => ceo.put(`k-${SECRET}`, 1), 'key'],
    ['in a skill', (ceo: Writer) => ceo.putText('deploy', `# Deploy\n\nuse ${SECRET}\n`), 'content'],
    [
      'in what is imported',
      (ceo: Writer) => ceo.importMemory({ ...memory('k'), value: SECRET, nodeId: 'lab' }, 1),
      'value',
    ],
  ])('%s is refused before it is stored, and not told', async (_, write, field) => {
    const ceo = await openTestReplica('ceo', ON)
    const error = await refusal(write(ceo))
    expect(error).toBeInstanceOf(MeshError)
    expect(error).toMatchObject({ code: 'SECRET_REFUSED', field })
    expect(JSON.stringify({ ...error, message: error?.message })).not.toContain(SECRET.slice(4, 12))
    expect(ceo.position).toBe(0)
  })

  it('is let in where only this machine reads, and where its fingerprint is on the list', async () => {
    const ceo = await openTestReplica('ceo', ON)
    await ceo.put('k', SECRET, 'node')
    const error = await refusal(ceo.put('k', SECRET))
    const [fingerprint = ''] = /[0-9a-f]{20}/.exec(error?.hint ?? '') ?? []
    await ceo.close()
    const again = await openTestReplica('ceo', { workers, secrets: { allowed: [fingerprint] }, path: ceo.path })
    await again.put('k', SECRET)
    expect((await again.get(memory('k')))?.row).toMatchObject({ value: SECRET })
    await expect(again.put('k', SECRET.replace('x7', 'y8'))).rejects.toMatchObject({ code: 'SECRET_REFUSED' })
  })

  it('that another node lets in is refused here by rule, and nothing of it is stored', async () => {
    const sec = await openTestReplica('sec', { workers })
    const ceo = await openTestReplica('ceo', ON)
    await sec.put('k', SECRET)
    await sec.putText('deploy', SECRET)
    await sec.put('fine', 1)
    const transfers = await Promise.all([memory('k'), skill('deploy'), memory('fine')].map((id) => transferOf(sec, id)))
    expect(await verdicts(ceo, transfers)).toEqual(['refused SECRET_REFUSED', 'refused SECRET_REFUSED', 'applied'])
    expect(ceo.counts()).toMatchObject({ memory: 1, skills: 0 })
  })

  it('is found in the past of an entry, and where a concurrent write hides it', async () => {
    const sec = await openTestReplica('sec', { workers })
    const ceo = await openTestReplica('ceo', ON)
    await sec.put('past', { token: SECRET, list: ['a', SECRET] })
    await sec.put('past', { fine: true })
    await sec.putText('past', `one\n${SECRET}\n`)
    await sec.putText('past', 'one\n')
    expect(await verdicts(ceo, [await transferOf(sec, memory('past')), await transferOf(sec, skill('past'))])).toEqual([
      'refused SECRET_REFUSED',
      'refused SECRET_REFUSED',
    ])

    await sec.put('both', { x: 0 })
    await exchange(sec, ceo)
    const before = digestOf(ceo)
    await sec.put('both', { x: SECRET })
    await ceo.put('both', { x: 1 })
    await sec.apply([await transferOf(ceo, memory('both'))], 'ceo')
    expect(await verdicts(ceo, [await transferOf(sec, memory('both'))])).toEqual(['refused SECRET_REFUSED'])
    expect(digestOf(ceo)).not.toBe(before)
    expect((await ceo.get(memory('both')))?.row).toMatchObject({ value: { x: 1 } })
  })

  it('is no way to end a conflict', async () => {
    const [ceo, sec] = [await openTestReplica('ceo', ON), await openTestReplica('sec', { workers })]
    await Promise.all([ceo.put('plan', 1), sec.put('plan', 2)])
    await exchange(ceo, sec)
    expect(await refusal(ceo.resolve(memory('plan'), [{ path: '', value: SECRET }], 'ceo'))).toMatchObject({
      code: 'SECRET_REFUSED',
    })
    await ceo.resolve(memory('plan'), [{ path: '', value: 'fine' }], 'ceo')
  })
})

type Writer = Awaited<ReturnType<typeof openTestReplica>>
