import { beforeAll, describe, expect, test } from 'vitest'
import { encodeTicket, parseTicket, type Ticket } from '../../transports/pairing/ticket.ts'
import type { Machine } from '../support/machine.ts'
import { until } from '../support/until.ts'
import { allEqual, arrives, tell, useFleet } from './fleet.ts'

const fleet = useFleet()
let ceo: Machine
let sec: Machine
let lab: Machine
/** The ticket that sec joins with. */
let ticket: string

beforeAll(async () => {
  ;[ceo, sec, lab] = await fleet.start('ceo', 'sec', 'lab')
})

describe('two machines', () => {
  test('mesh invite prints the ticket alone on stdout, and words about it on stderr', async () => {
    const { exit, stdout, stderr } = await ceo.mesh(['invite'])
    expect(exit).toBe(0)
    expect(stdout).toMatch(/^mesh-ticket-1\.[\w-]+\n$/)
    expect(stderr).toContain('mesh join')
    expect(stderr).not.toContain('mesh-ticket-')
    ticket = stdout.trim()
  })

  test('mesh join makes both members, connected and equal, and takes along what the new one knows', async () => {
    await ceo.client.putMemory({ scope: 'mesh', key: 'from/ceo', value: { by: 'ceo' } })
    await sec.client.putMemory({ scope: 'mesh', key: 'from/sec', value: { by: 'sec' } })
    await sec.client.putSkill({ name: 'greet', content: '---\nname: greet\ndescription: d\n---\n', scope: 'mesh' })
    await sec.client.putMemory({ scope: 'mesh', key: 'gone', value: 1 })
    await sec.client.deleteMemory('mesh', 'gone')

    const began = performance.now()
    // As a person pipes it from one machine into the other.
    const joined = await sec.json(['join', '-'], { input: `${ticket}\n` })
    const { meshId } = await ceo.client.status()
    expect(joined).toMatchObject({ exit: 0, ok: true, meshId, members: ['ceo', 'sec'] })
    await allEqual(ceo, sec)
    tell(`join to equal: ${Math.round(performance.now() - began)} ms`)

    for (const { client } of [ceo, sec]) {
      expect(await client.getMemory('mesh', 'from/sec')).toMatchObject({ value: { by: 'sec' }, node_id: 'sec' })
      expect(await client.getMemory('mesh', 'from/ceo')).toMatchObject({ value: { by: 'ceo' }, node_id: 'ceo' })
      expect(await client.getSkill('greet')).toMatchObject({ source_node: 'sec' })
      expect(await client.status()).toMatchObject({ meshId, memory: 2, skills: 1, deleted: 1 })
    }
  })

  test('mesh peers shows the other on either side', async () => {
    for (const [here, there] of [
      [ceo, sec],
      [sec, ceo],
    ] as const) {
      const { peerId } = await there.client.status()
      const { exit, peers } = await here.json(['peers'])
      expect({ exit, peers }).toMatchObject({ exit: 0, peers: [{ nodeId: there.name, peerId, connected: true }] })
      expect((await here.mesh(['peers'])).stdout).toContain(there.name)
    }
  })
})

describe('a third machine', () => {
  test('invited by the second is known to all, and connected to all directly', async () => {
    await lab.client.putMemory({ scope: 'mesh', key: 'from/lab', value: { by: 'lab' } })
    const { stdout } = await sec.mesh(['invite', '--ttl', '5m'])
    const joined = await lab.json(['join', stdout.trim()])
    expect(joined).toMatchObject({ exit: 0, members: ['ceo', 'lab', 'sec'], vouched: 1 })
    await allEqual(ceo, sec, lab)
    for (const { client } of [ceo, sec, lab]) {
      expect(await client.status()).toMatchObject({ memory: 3, skills: 1 })
      for (const { address, error } of await client.peers()) {
        expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
        expect(error).toBeNull()
      }
    }
  })

  test('exchanges with the first when the second is away', async () => {
    await sec.stop()
    await lab.client.putMemory({ scope: 'mesh', key: 'past/sec', value: 1 })
    await arrives(ceo, 'past/sec', 1)
    await ceo.client.putMemory({ scope: 'mesh', key: 'past/sec', value: 2 })
    await arrives(lab, 'past/sec', 2)
    await sec.start()
    await arrives(sec, 'past/sec', 2)
    await allEqual(ceo, sec, lab)
  })
})

describe('a ticket', () => {
  let alone: Machine

  beforeAll(async () => {
    ;[alone] = await fleet.start('alone')
  })

  const refused = (type: string, exit = 6) => ({ ok: false, exit, error: { type, field: 'ticket' } })
  const forged = (text: string, change: Partial<Ticket>) => encodeTicket({ ...parseTicket(text), ...change })

  test('is good once', async () => {
    const answer = await alone.json(['join', ticket])
    expect(answer).toMatchObject(refused('TICKET_USED'))
    expect(answer['error'].hint).toContain('mesh invite')
  })

  test('leads no machine to itself', async () => {
    const own = (await alone.mesh(['invite'])).stdout.trim()
    expect(await alone.json(['join', own])).toMatchObject(refused('TICKET_OWN'))
  })

  test('leads no member into its own mesh again', async () => {
    const { ticket: fresh } = await ceo.client.invite()
    expect(await sec.json(['join', fresh])).toMatchObject(refused('ALREADY_MEMBER'))
  })

  test('leads no machine with peers into another mesh: it must leave first', async () => {
    const { ticket: other } = await alone.client.invite()
    const answer = await sec.json(['join', other])
    expect(answer).toMatchObject({ ok: false, exit: 6, error: { type: 'HAS_PEERS' } })
    expect(answer['error'].message).toContain('mesh leave')
  })

  test('expires', async () => {
    const { ticket: fresh } = await ceo.client.invite()
    const expiresAt = Math.floor(Date.now() / 1000) - 1
    expect(await alone.json(['join', forged(fresh, { expiresAt })])).toMatchObject(refused('TICKET_EXPIRED'))
  })

  test('cannot be made up', async () => {
    const { ticket: fresh } = await ceo.client.invite()
    expect(await alone.json(['join', forged(fresh, { secret: new Uint8Array(16) })])).toMatchObject(
      refused('TICKET_UNKNOWN'),
    )
    // Nor can a true one lead into a mesh that the inviting machine is not in.
    const meshId = 'ab'.repeat(16)
    expect(await alone.json(['join', forged(fresh, { meshId })])).toMatchObject({ ok: false, exit: expect.any(Number) })
    expect(await alone.client.peers()).toEqual([])
    expect((await ceo.client.peers()).map(({ nodeId }) => nodeId)).toEqual(['lab', 'sec'])
  })

  test.each([
    ['torn', (text: string) => text.slice(0, -9)],
    ['garbled', (text: string) => text.replace(/(.{40})(.)/, (_, head, one) => `${head}${one === 'A' ? 'B' : 'A'}`)],
    ['of another version', (text: string) => text.replace('ticket-1', 'ticket-2')],
    ['no ticket at all', () => 'hello'],
    ['far too long', (text: string) => text + 'A'.repeat(20_000)],
  ])('that is %s is told so', async (_, damage) => {
    const answer = await alone.json(['join', '-'], { input: damage(ticket) })
    expect(answer).toMatchObject(refused('TICKET_MALFORMED'))
    expect(answer['error'].hint).toContain('mesh invite')
  })

  test('whose machine is away says that it was not reached', async () => {
    const [away] = await fleet.start('away')
    const { ticket: fresh } = await away.client.invite()
    await away.stop()
    expect(await alone.json(['join', fresh])).toMatchObject({
      ok: false,
      exit: 10,
      error: { type: 'PEER_UNREACHABLE' },
    })
  })

  test('is needed for a name that nobody has yet', async () => {
    const second = await fleet.make('sec')
    await second.start()
    const { ticket: fresh } = await ceo.client.invite()
    const answer = await second.json(['join', fresh])
    expect(answer).toMatchObject({ ok: false, exit: 6, error: { type: 'NAME_TAKEN', field: 'nodeId' } })
    expect(answer['error'].hint).toContain('MESH_NODE_ID')
    // The way out that it names, with the same ticket: refused before, it is not used up.
    await second.stop()
    await second.start({ MESH_NODE_ID: 'sec2' })
    expect(await second.json(['join', fresh])).toMatchObject({ exit: 0, members: ['ceo', 'lab', 'sec', 'sec2'] })
    await until('all know it', async () => {
      const members = await Promise.all([ceo, sec, lab].map(({ client }) => client.peers()))
      return members.every((peers) => peers.some(({ nodeId, connected }) => nodeId === 'sec2' && connected))
    })
  })

  test('refused changes nothing: the machine is alone still, with its own mesh', async () => {
    const { stdout, stderr, exit } = await alone.mesh(['join', ticket])
    expect({ exit, stdout }).toEqual({ exit: 6, stdout: '' })
    expect(stderr).toMatch(/^error: ticket: .*\nhint: .*\n$/)
    expect(await alone.client.status()).toMatchObject({ nodeId: 'alone', peers: [] })
    expect((await alone.json(['doctor'])).findings).toEqual([])
  })
})
