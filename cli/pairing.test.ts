import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from './exit-codes.ts'
import { startDaemon, type TestDaemon } from './harness-suite.ts'

let ceo: TestDaemon
let sec: TestDaemon

beforeAll(async () => {
  ;[ceo, sec] = await Promise.all([startDaemon('ceo'), startDaemon('sec')])
})

afterAll(() => Promise.all([ceo?.stop(), sec?.stop()]))

test('two machines, one ticket, one memory; and apart again', async () => {
  await ceo.run(['put', 'from-ceo', 'one'])
  await sec.run(['put', 'from-sec', 'two'])

  const invited = await ceo.run(['invite', '--ttl', '2h'])
  expect(invited.exit).toBe(EXIT.ok)
  expect(invited.stdout).toMatch(/^mesh-ticket-1\.\S+\n$/)
  expect(invited.stderr).toMatch(/mesh join.*\n.*\(2 hours\)\. Treat it like a password/)

  const joined = await sec.run(['join', '-'], { input: invited.stdout })
  expect(joined.exit, joined.stderr).toBe(EXIT.ok)
  expect(joined.stdout).toMatch(/^joined mesh \S+\nmembers: ceo, sec\nbrought along: 1 entry\n$/)
  expect(await sec.json(['join', invited.stdout.trim()])).toMatchObject({ exit: EXIT.refused, ok: false })

  const synced = await ceo.run(['sync'])
  expect(synced).toMatchObject({ exit: EXIT.ok, stderr: 'all equal\n' })
  expect(synced.stdout).toMatch(/^✓ sec {2}equal {2}sent \d+ entr/)
  expect((await sec.run(['get', 'from-ceo'])).stdout).toBe('one\n')
  expect((await ceo.run(['get', 'from-sec'])).stdout).toBe('two\n')
  const [here, there] = await Promise.all([ceo.json(['status']), sec.json(['status'])])
  expect(here['digest']).toBe(there['digest'])

  expect((await ceo.run(['peers'])).stdout).toMatch(/^sec\t12D3KooW\w+\tconnected\tequal\t/)
  expect((await ceo.run(['peers', 'sec'], { terminal: 100, env: { NO_COLOR: '1' } })).stdout).toMatch(
    /^ +NAME[^\n]*\n● +sec /,
  )
  expect(await ceo.run(['peers', 'lab'])).toMatchObject({ exit: EXIT.notFound })

  // Someone who does not answer with yes changes nothing.
  const unsure = await sec.run(['leave'], { terminal: 80, input: 'n\n' })
  expect(unsure.exit).toBe(EXIT.failure)
  expect(unsure.stderr).toContain('nothing changed')
  expect(await sec.run(['leave'], { terminal: 80, input: '' })).toMatchObject({ exit: EXIT.failure })

  const left = await sec.run(['leave'], { terminal: 80, input: 'y\n' })
  expect(left.exit, left.stderr).toBe(EXIT.ok)
  expect(left.stdout).toMatch(/^left the mesh \(1 member told\)\nalone again, as mesh \S+\n$/)
  expect((await sec.run(['get', 'from-ceo'])).stdout).toBe('one\n')
  expect(await sec.json(['peers'])).toMatchObject({ peers: [] })
})

test('a member that is gone: sync says so and is not ok; removing it mends that', async () => {
  const lab = await startDaemon('lab')
  const { ticket } = (await ceo.json(['invite'])) as { ticket?: string }
  expect(await lab.json(['join', ticket ?? ''])).toMatchObject({
    exit: EXIT.ok,
    members: expect.arrayContaining(['ceo', 'lab']),
  })
  await lab.stop()

  const failed = await ceo.run(['sync'])
  expect(failed.exit).toBe(EXIT.incomplete)
  expect(failed.stdout).toMatch(/^✗ lab {2}not equal {2}/m)
  expect(await ceo.json(['sync'])).toMatchObject({ ok: false, error: { type: 'SYNC_INCOMPLETE' }, equal: false })

  expect(await ceo.run(['peers', 'remove', 'lab'])).toMatchObject({ exit: EXIT.usage })
  const removed = await ceo.run(['peers', 'remove', 'lab'], { terminal: 80, input: 'yes\n' })
  expect(removed.stdout).toMatch(/^lab removed \(12D3KooW\w+\)\n$/)
  expect(await ceo.run(['sync'])).toMatchObject({ exit: EXIT.ok })
})
