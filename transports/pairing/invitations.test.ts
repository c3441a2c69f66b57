import { describe, expect, it } from 'vitest'
import { INVITATIONS_NAMESPACE, Invitations } from './invitations.ts'
import { beginMesh, person } from './lab-suite.ts'
import { SECRET_BYTES } from './ticket.ts'

const [ceo, sec, lab] = [person('ceo'), person('sec'), person('lab')]
const NOW = 1_800_000_000

async function openInvitations() {
  const { store } = await beginMesh(ceo)
  const clock = { now: NOW }
  const load = () => Invitations.load(store.side, () => clock.now)
  return { invitations: await load(), clock, load, side: store.side }
}

const code = (name: string) => expect.objectContaining({ code: name, field: 'ticket', hint: expect.any(String) })

describe('an invitation', () => {
  it('is good for one machine, which may come again with it', async () => {
    const { invitations, side } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    expect(invitations.check(secret, sec.peer)).toEqual({ again: false })
    expect(invitations.check(secret, lab.peer)).toEqual({ again: false })
    await side.write([invitations.use(secret, sec.peer)])
    expect(invitations.check(secret, sec.peer)).toEqual({ again: true })
    expect(() => invitations.check(secret, lab.peer)).toThrow(code('TICKET_USED'))
  })

  it('of two machines that come at one moment takes the first', async () => {
    const { invitations } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    const write = invitations.use(secret, sec.peer)
    // Before the first is durable.
    expect(() => invitations.check(secret, lab.peer)).toThrow(code('TICKET_USED'))
    expect(write.value).toBeDefined()
  })

  it('expires at its second, also when the clock goes back afterwards it is what the clock says', async () => {
    const { invitations, clock } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    clock.now = NOW + 59
    expect(invitations.check(secret, sec.peer)).toEqual({ again: false })
    expect(invitations.isOpen).toBe(true)
    clock.now = NOW + 60
    expect(() => invitations.check(secret, sec.peer)).toThrow(code('TICKET_EXPIRED'))
    expect(invitations.isOpen).toBe(false)
    clock.now = NOW
    expect(invitations.isOpen).toBe(true)
  })

  it('that was used lets its machine come again after its time, and nobody else', async () => {
    const { invitations, clock, side } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    await side.write([invitations.use(secret, sec.peer)])
    clock.now = NOW + 61
    expect(invitations.check(secret, sec.peer)).toEqual({ again: true })
    expect(() => invitations.check(secret, lab.peer)).toThrow(code('TICKET_USED'))
  })

  it('that nobody gave out is unknown, however near its bytes are', async () => {
    const { invitations } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    const near = secret.slice()
    near[0] = (near[0] as number) ^ 1
    for (const other of [near, new Uint8Array(), secret.subarray(1), Buffer.concat([secret, Buffer.of(0)])]) {
      expect(() => invitations.check(other, sec.peer)).toThrow(code('TICKET_UNKNOWN'))
    }
  })

  it('is another secret each time, of which the database holds nothing', async () => {
    const { invitations, side } = await openInvitations()
    const secrets = await Promise.all([1, 2, 3].map(() => invitations.open(NOW + 60)))
    const texts = secrets.map((secret) => Buffer.from(secret).toString('hex'))
    expect(new Set(texts).size).toBe(3)
    expect(secrets.every(({ length }) => length === SECRET_BYTES)).toBe(true)
    const stored = await side.list(INVITATIONS_NAMESPACE)
    expect(stored).toHaveLength(3)
    const all = stored.map(({ key, value }) => `${key}${Buffer.from(value).toString('hex')}`).join()
    for (const text of texts) expect(all).not.toContain(text)
  })

  it('is what it was after a restart: open, used or expired', async () => {
    const { invitations, clock, load, side } = await openInvitations()
    const [open, used, expired] = await Promise.all([NOW + 60, NOW + 60, NOW + 1].map((at) => invitations.open(at)))
    await side.write([invitations.use(used as Uint8Array, sec.peer)])
    clock.now = NOW + 2
    const again = await load()
    expect(again.check(open as Uint8Array, lab.peer)).toEqual({ again: false })
    expect(again.check(used as Uint8Array, sec.peer)).toEqual({ again: true })
    expect(() => again.check(used as Uint8Array, lab.peer)).toThrow(code('TICKET_USED'))
    expect(() => again.check(expired as Uint8Array, lab.peer)).toThrow(code('TICKET_EXPIRED'))
  })

  it('is forgotten a week after its time, when the next one is given out', async () => {
    const { invitations, clock, load, side } = await openInvitations()
    const secret = await invitations.open(NOW + 60)
    clock.now = NOW + 60 + 7 * 24 * 3600 + 1
    await invitations.open(clock.now + 60)
    expect(() => invitations.check(secret, sec.peer)).toThrow(code('TICKET_UNKNOWN'))
    expect(await side.list(INVITATIONS_NAMESPACE)).toHaveLength(1)
    expect((await load()).isOpen).toBe(true)
  })

  it('is one of a hundred at most that are open; used and expired ones do not count', async () => {
    const { invitations, clock, side } = await openInvitations()
    const secrets: Uint8Array[] = []
    for (let i = 0; i < 100; i++) secrets.push(await invitations.open(NOW + (i === 0 ? 10 : 60)))
    await expect(invitations.open(NOW + 60)).rejects.toMatchObject({ code: 'TOO_MANY_TICKETS' })
    await side.write([invitations.use(secrets[1] as Uint8Array, sec.peer)])
    await invitations.open(NOW + 60)
    await expect(invitations.open(NOW + 60)).rejects.toMatchObject({ code: 'TOO_MANY_TICKETS' })
    clock.now = NOW + 11
    await invitations.open(NOW + 60)
  })

  it('is one of a hundred also when all are asked for at once', async () => {
    const { invitations } = await openInvitations()
    const given = await Promise.allSettled(Array.from({ length: 120 }, () => invitations.open(NOW + 60)))
    expect(given.filter(({ status }) => status === 'fulfilled')).toHaveLength(100)
  })
})
