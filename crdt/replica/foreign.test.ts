import { decodeChange } from '@automerge/automerge'
import { describe, expect, it } from 'vitest'
import { LONG } from '../../test/support/long.ts'
import type { Handle } from '../entry/automerge.ts'
import { audit } from './audit-suite.ts'
import { FIRST, forge, leaf, mendChecksum, signAll, signHash } from './forge-suite.ts'
import { packOffered, type Transfer, unpackOffered } from './index.ts'
import {
  authorsOf,
  collect,
  digestOf,
  exchange,
  MEMBERS,
  memory,
  openTestReplica,
  sharedWorkers,
  skill,
  type TestReplica,
  transferInChanges,
  transferOf,
  verdicts,
} from './lab-suite.ts'

const workers = sharedWorkers()
const open = (name: string) => openTestReplica(name, { workers })

/** An entry that `sec` wrote, twice, as a peer gets it. */
async function written(): Promise<{ sec: TestReplica; transfer: Transfer }> {
  const sec = await open('sec')
  await sec.put('plan', { a: 1 })
  await sec.put('plan', { a: 2 })
  return { sec, transfer: await transferInChanges(sec, memory('plan')) }
}

/** That a transfer is refused with a code, and leaves nothing behind. */
async function expectRefused(transfer: Transfer, code: string): Promise<void> {
  const ceo = await open('ceo')
  expect(await verdicts(ceo, [transfer])).toEqual([code])
  expect(ceo.position).toBe(0)
  expect(await ceo.get(transfer.id)).toBeUndefined()
}

const flip = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

describe('what a member signed', () => {
  it('is taken, once, and equals what the member has', async () => {
    const { sec, transfer } = await written()
    const ceo = await open('ceo')
    expect(await verdicts(ceo, [transfer])).toEqual(['applied'])
    expect(await verdicts(ceo, [transfer])).toEqual(['known'])
    expect(ceo.position).toBe(1)
    expect(digestOf(ceo)).toBe(digestOf(sec))
    expect((await ceo.get(memory('plan')))?.row).toEqual((await sec.get(memory('plan')))?.row)
    expect(await transferInChanges(ceo, memory('plan'))).toEqual(transfer)
  })

  it('is taken with its changes doubled, reordered, or in two parts of which the second came first', async () => {
    const { sec, transfer } = await written()
    const { id, chunks, signatures } = transfer
    const ceo = await open('ceo')
    const [first, one, two] = chunks as [Uint8Array, Uint8Array, Uint8Array]
    expect(await verdicts(ceo, [{ id, chunks: [two], signatures }])).toEqual(['incomplete CHANGE_INCOMPLETE'])
    expect(ceo.position).toBe(0)
    expect(await verdicts(ceo, [{ id, chunks: [one, first, one], signatures }])).toEqual(['applied'])
    expect(await verdicts(ceo, [{ id, chunks: [two, two], signatures }])).toEqual(['applied'])
    expect(digestOf(ceo)).toBe(digestOf(sec))
  })

  it('is taken when it comes twice in one batch, and when the entry was written here too', async () => {
    const { sec, transfer } = await written()
    const ceo = await open('ceo')
    await ceo.put('plan', { b: 1 })
    expect(await verdicts(ceo, [transfer, transfer])).toEqual(['applied', 'known'])
    await exchange(ceo, sec)
    expect(digestOf(ceo)).toBe(digestOf(sec))
    expect((await ceo.get(memory('plan')))?.row).toMatchObject({ value: { a: 2, b: 1 } })
  })

  it('two different parts of one entry in one batch are both taken', async () => {
    const { sec } = await written()
    const lab = await open('lab')
    await lab.put('plan', { c: 3 })
    const transfers = [await transferOf(sec, memory('plan')), await transferOf(lab, memory('plan'))]
    const ceo = await open('ceo')
    expect(await verdicts(ceo, transfers)).toEqual(['applied', 'applied'])
    expect((await ceo.get(memory('plan')))?.row).toMatchObject({ value: { a: 2, c: 3 } })
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(MEMBERS))).faults).toEqual([])
  })

  it('is a skill of the largest size, whole, and written anew', { timeout: 60_000 }, async () => {
    const sec = await open('sec')
    const ceo = await open('ceo')
    const lines = ['a usual line of a skill\n', ...(LONG ? ['a\n', '\u{1f600}é\n', 'another line\n'] : [])]
    for (const line of lines) {
      await sec.putText('large', line.repeat(Math.floor((1024 * 1024) / Buffer.byteLength(line))))
      expect(await verdicts(ceo, [await transferOf(sec, skill('large'))])).toEqual(['applied'])
    }
    expect(digestOf(ceo)).toBe(digestOf(sec))
  })
})

describe('what no member signed', () => {
  it('is refused without any signature', async () => {
    const { transfer } = await written()
    await expectRefused({ ...transfer, signatures: new Uint8Array() }, 'refused CHANGE_UNSIGNED')
  })

  it('is refused when one of its changes lacks its signature, and the rest with it', async () => {
    const { transfer } = await written()
    await expectRefused({ ...transfer, signatures: transfer.signatures.subarray(100) }, 'refused CHANGE_UNSIGNED')
    await expectRefused({ ...transfer, signatures: transfer.signatures.subarray(0, 199) }, 'refused CHANGE_UNSIGNED')
  })

  it('is refused with the signature of a stranger, of another mesh, or of another entry', async () => {
    const id = memory('plan')
    await expectRefused(forge(id, leaf('/x'), { by: 'stranger' }), 'refused CHANGE_UNSIGNED')
    await expectRefused(forge(id, leaf('/x'), { mesh: 'b'.repeat(32) }), 'refused CHANGE_UNSIGNED')
    const { chunks, signatures } = forge(memory('other'), leaf('/x'))
    await expectRefused({ id, chunks, signatures }, 'refused CHANGE_UNSIGNED')
    const elsewhere = forge(memory('plan', 'federation'), leaf('/x'))
    await expectRefused({ id, chunks: elsewhere.chunks, signatures: elsewhere.signatures }, 'refused CHANGE_UNSIGNED')
  })

  it('is refused with a torn signature, a changed key or a changed hash', async () => {
    const { transfer } = await written()
    for (const at of [0, 3, 4, 35, 36, 99]) {
      await expectRefused({ ...transfer, signatures: flip(transfer.signatures, at) }, 'refused CHANGE_UNSIGNED')
    }
  })

  it('is refused when a change was tampered with: its hash is not what was signed', async () => {
    const { transfer } = await written()
    const [first, one, two] = transfer.chunks as [Uint8Array, Uint8Array, Uint8Array]
    const text = Buffer.from(two)
    const at = text.indexOf('sec') // the author's name
    expect(at).toBeGreaterThan(0)
    const tampered = flip(two, at)
    await expectRefused({ ...transfer, chunks: [first, one, tampered] }, 'refused CHANGE_MALFORMED')
    await expectRefused({ ...transfer, chunks: [first, one, mendChecksum(tampered)] }, 'refused CHANGE_UNSIGNED')
  })
})

describe('a first change', () => {
  it('alone says nothing, and is refused, signed or not', async () => {
    const id = memory('plan')
    await expectRefused({ id, chunks: [FIRST], signatures: new Uint8Array() }, 'refused CHANGE_UNSIGNED')
    await expectRefused({ id, chunks: [FIRST], signatures: signAll(id, [FIRST], 'sec') }, 'refused CHANGE_UNSIGNED')
  })

  it('of one’s own making is refused beneath a signed change, also when it is signed', async () => {
    const id = memory('plan')
    const own = forge(id, leaf('/hidden', 'planted'), { base: [] })
    await expectRefused(own, 'refused CHANGE_UNSIGNED')
    const above = forge(id, leaf('/x'), { base: own.chunks, actor: '6f'.repeat(16) })
    const signatures = Buffer.concat([own.signatures, above.signatures])
    await expectRefused({ ...above, signatures }, 'refused CHANGE_UNSIGNED')
  })

  it('of another skill, or of other content, is refused beneath a signed change', async () => {
    const sec = await open('sec')
    await sec.putText('deploy', 'text')
    await sec.putText('other', 'text')
    const [mine, author] = (await transferInChanges(sec, skill('deploy'))).chunks as [Uint8Array, Uint8Array]
    const [theirs] = (await transferInChanges(sec, skill('other'))).chunks as [Uint8Array]
    const id = skill('other')
    await expectRefused(
      { id, chunks: [mine, author], signatures: signAll(id, [author], 'sec') },
      'refused CHANGE_UNSIGNED',
    )
    expect(Buffer.from(mine).equals(theirs)).toBe(false)
  })

  it('of a skill is taken beneath the signed change that came with it', async () => {
    const sec = await open('sec')
    await sec.putText('deploy', 'text')
    const ceo = await open('ceo')
    await ceo.putText('deploy', 'text')
    expect(await verdicts(ceo, [await transferOf(sec, skill('deploy'))])).toEqual(['applied'])
    expect(await ceo.get(skill('deploy'))).toMatchObject({ row: { content: 'text' }, conflicts: 0 })
  })
})

describe('signatures', () => {
  const keysOf = ({ signatures }: Transfer) =>
    unpackOffered(signatures).map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))

  it('of several members are kept as a set, and more of them change no item', async () => {
    const { sec, transfer } = await written()
    const ceo = await open('ceo')
    await verdicts(ceo, [transfer])
    const vouched = signAll(transfer.id, transfer.chunks.slice(1), 'lab')
    expect(await verdicts(ceo, [{ ...transfer, chunks: [], signatures: vouched }])).toEqual(['applied'])
    expect(await verdicts(ceo, [{ ...transfer, chunks: [], signatures: vouched }])).toEqual(['known'])
    expect(digestOf(ceo)).toBe(digestOf(sec))
    const all = await transferOf(ceo, transfer.id)
    expect(new Set(keysOf(all))).toEqual(
      new Set(authorsOf(['sec', 'lab']).map((key) => Buffer.from(key).toString('hex'))),
    )
    expect(keysOf(all)).toHaveLength(4)
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(['lab']))).faults).toEqual([])
  })

  it('by one member suffice for what a stranger wrote: who vouches brings it along', async () => {
    const id = memory('plan')
    const strange = forge(id, leaf('/x'), { by: 'stranger' })
    const vouched = signAll(id, strange.chunks.slice(1), 'lab')
    const ceo = await open('ceo')
    const signatures = Buffer.concat([strange.signatures, vouched])
    expect(await verdicts(ceo, [{ ...strange, signatures }])).toEqual(['applied'])
    expect(keysOf(await transferOf(ceo, id))).toHaveLength(1)
  })

  it('that are false stand in nobody’s way, and are not kept', async () => {
    const { transfer } = await written()
    const ceo = await open('ceo')
    const junk = Buffer.concat([Buffer.alloc(100), flip(transfer.signatures.subarray(0, 100), 99), transfer.signatures])
    expect(await verdicts(ceo, [{ ...transfer, signatures: junk }])).toEqual(['applied'])
    expect(await transferInChanges(ceo, transfer.id)).toEqual(transfer)
  })

  it('of changes that the entry does not hold are not kept', async () => {
    const { transfer } = await written()
    const ceo = await open('ceo')
    await verdicts(ceo, [transfer])
    const foreign = packOffered([signHash(transfer.id, 'ab'.repeat(32), 'lab')])
    expect(await verdicts(ceo, [{ ...transfer, chunks: [], signatures: foreign }])).toEqual(['known'])
    expect(await verdicts(ceo, [{ id: memory('none'), chunks: [], signatures: foreign }])).toEqual(['known'])
    expect(await ceo.get(memory('none'))).toBeUndefined()
    expect(keysOf(await transferOf(ceo, transfer.id))).toHaveLength(2)
  })

  it('for one change are kept up to a bound, the author’s among them', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `member-${i}`)
    const ceo = await openTestReplica('ceo', { workers, members: ['sec', ...names] })
    const { transfer } = await written()
    await verdicts(ceo, [transfer])
    const vouched = names.map((name) => signAll(transfer.id, transfer.chunks.slice(1), name))
    await verdicts(ceo, [{ ...transfer, signatures: Buffer.concat(vouched) }])
    const keys = keysOf(await transferOf(ceo, transfer.id))
    expect(keys).toHaveLength(2 * 8)
    expect(keys.filter((key) => key === Buffer.from(authorsOf(['sec'])[0] as Uint8Array).toString('hex'))).toHaveLength(
      2,
    )
  })
})

describe('a transfer', () => {
  it('of too large a change is refused before it is opened', async () => {
    const chunks = [FIRST, new Uint8Array(2 * 1024 * 1024 + 1)]
    await expectRefused({ id: memory('x'), chunks, signatures: new Uint8Array() }, 'refused CHANGE_TOO_LARGE')
  })

  it('of nothing, for an entry that is not here, is known and makes nothing', async () => {
    const ceo = await open('ceo')
    const nothing = { id: memory('x'), chunks: [], signatures: new Uint8Array() }
    expect(await verdicts(ceo, [nothing])).toEqual(['known'])
    expect(await ceo.get(memory('x'))).toBeUndefined()
    expect(await verdicts(ceo, [])).toEqual([])
  })

  it('under an id that no entry has is refused', async () => {
    const { chunks, signatures } = forge(memory('x'), leaf('/x'))
    const ids = [memory(''), memory('a\0b'), memory('k'.repeat(1_025)), memory('x', 'galaxy'), skill('../x')]
    const ceo = await open('ceo')
    const codes = ['KEY_INVALID', 'KEY_INVALID', 'KEY_TOO_LARGE', 'SCOPE_INVALID', 'NAME_INVALID']
    const transfers = ids.map((id) => ({ id, chunks, signatures }))
    expect(await verdicts(ceo, transfers)).toEqual(codes.map((code) => `refused ${code}`))
    expect(ceo.position).toBe(0)
  })

  it('whose value is nested deeper than any that is put never shows it, and overflows no stack', async () => {
    const ceo = await open('ceo')
    for (const levels of [65, 1_000, 20_000]) {
      const id = memory(`deep-${levels}`)
      const write = (handle: Handle) => {
        leaf('/a'.repeat(levels))(handle)
        handle.put('_root', '/b', Buffer.from('['.repeat(levels) + ']'.repeat(levels)), 'bytes')
      }
      expect(await verdicts(ceo, [forge(id, write)])).toEqual(['applied'])
      expect((await ceo.get(id))?.row).toMatchObject({ value: {} })
      await ceo.put(id.key, { c: 1 })
      expect((await ceo.get(id))?.row).toMatchObject({ value: { c: 1 } })
    }
    const array = (handle: Handle) =>
      handle.put('_root', '/a'.repeat(40), Buffer.from('['.repeat(40) + ']'.repeat(40)), 'bytes')
    expect(await verdicts(ceo, [forge(memory('deep'), array)])).toEqual(['refused CHANGE_TOO_LARGE'])
  })

  it('whose time no clock shows, or whose author no node can be called, is refused', async () => {
    for (const time of [-1, 9_000_000_000_000]) {
      await expectRefused(forge(memory('x'), leaf('/x'), { time }), 'refused CHANGE_MALFORMED')
    }
    for (const message of [null, '', '\u001b[2J', 'a\nb', 'x'.repeat(257)]) {
      await expectRefused(forge(memory('x'), leaf('/x'), { message }), 'refused CHANGE_MALFORMED')
    }
  })

  it('with names that are special in JavaScript is taken as what it says, and changes no object', async () => {
    const ceo = await open('ceo')
    const write = (handle: Handle) => {
      for (const path of ['/__proto__/polluted', '/constructor/prototype/polluted', '/toString']) leaf(path)(handle)
    }
    expect(await verdicts(ceo, [forge(memory('x'), write)])).toEqual(['applied'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(JSON.stringify((await ceo.get(memory('x')))?.row)).toContain('"__proto__":{"polluted":1}')
    await ceo.put('x', { toString: 2 })
    expect((await ceo.get(memory('x')))?.row).toMatchObject({ value: { toString: 2 } })
  })
})

describe('applying while the same entries are written here', () => {
  it('loses nothing on either side, and ends with equal heads', async () => {
    const [ceo, sec] = [await open('ceo'), await open('sec')]
    const keys = Array.from({ length: 5 }, (_, i) => `key-${i}`)
    for (const round of [1, 2, 3]) {
      const putAll = (replica: TestReplica) =>
        Promise.all(
          keys.flatMap((key) => [0, 1, 2].map((n) => replica.put(`${key}`, { [`${replica.name}-${round}-${n}`]: n }))),
        )
      await Promise.all([putAll(ceo), putAll(sec), exchange(ceo, sec)])
    }
    await exchange(ceo, sec)
    expect(digestOf(ceo)).toBe(digestOf(sec))
    for (const key of keys) expect(await ceo.history(memory(key))).toHaveLength(2 * 9)
    for (const replica of [ceo, sec]) {
      await replica.close()
      expect((await audit(replica.path, authorsOf(MEMBERS))).faults).toEqual([])
    }
  })

  it('a number of our own author’s sequence that another used makes one refusal, and nothing is lost', async () => {
    const ceo = await open('ceo')
    await ceo.put('plan', { a: 1 })
    const mine = await transferInChanges(ceo, memory('plan'))
    const { actor } = decodeChange(mine.chunks[1] as Uint8Array)
    const forged = forge(memory('plan'), leaf('/b', 'planted'), { actor, base: mine.chunks })
    const honest = forge(memory('other'), leaf('/x'))
    const [outcomes] = await Promise.all([
      verdicts(ceo, [{ ...forged, chunks: forged.chunks.slice(2) }, honest]),
      ceo.put('plan', { a: 2 }),
      ceo.put('plan', { a: 3 }),
    ])
    expect(outcomes[1]).toBe('applied')
    await ceo.put('plan', { a: 4 })
    expect((await ceo.history(memory('plan'))).filter(({ nodeId }) => nodeId === 'ceo')).toHaveLength(4)
    expect((await collect(ceo.list('memory'))).length).toBe(2)
    await ceo.close()
    expect((await audit(ceo.path, authorsOf(MEMBERS))).faults).toEqual([])
  })
})
