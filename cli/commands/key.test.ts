import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

test('a key is made, listed without its secret, and revoked', async () => {
  const made = await ceo.run(['key', 'create', 'reports', '--read', 'mesh', '-r', 'user:*', '--rate', '60'])
  expect([made.exit, made.stdout]).toEqual([EXIT.ok, expect.stringMatching(/^mk_[a-z2-7]{8}_[\w-]{43}\n$/)])
  const [, id = '', secret = ''] = /^mk_([a-z2-7]{8})_(.+)$/.exec(made.stdout.trim()) ?? []
  const listed = await ceo.run(['key', 'ls'])
  expect(listed.stdout).toMatch(new RegExp(`^reports\t${id}\tmesh user:\\*\t\t\t60\t20\\d\\d-`))
  expect(listed.stdout).not.toContain(secret)
  const table = await ceo.run(['key', 'ls'], { terminal: 80 })
  expect(table.stdout).toContain('60/min')
  expect(await ceo.json(['key', 'create', 'reports', '--read', 'mesh'])).toMatchObject({
    ok: false,
    error: { type: 'KEY_NAME_TAKEN', field: 'name' },
  })
  expect(await ceo.json(['key', 'revoke', 'reports', '--yes'])).toMatchObject({ ok: true, name: 'reports', id })
  expect(await ceo.json(['key', 'revoke', 'reports', '--yes'])).toMatchObject({ error: { type: 'NOT_FOUND' } })
  expect((await ceo.json(['key', 'ls']))['keys']).toEqual([])
})

test('a tenant’s key has what the tenant has; what makes no sense is said', async () => {
  expect(await ceo.json(['key', 'create', 'acme', '--tenant', 'acme'])).toMatchObject({
    tenant: 'acme',
    read: ['tenant:acme', 'user:acme:*'],
    write: ['tenant:acme', 'user:acme:*'],
  })
  expect(await ceo.json(['key', 'create', 'x', '--tenant', 'acme', '--read', 'mesh'])).toMatchObject({
    error: { type: 'KEY_REFUSED', field: 'read[0]' },
  })
  expect(await ceo.json(['key', 'create', 'x', '--rate', 'fast'])).toMatchObject({
    exit: EXIT.usage,
    error: { type: 'USAGE', field: '--rate' },
  })
})

test('the agents’ token is shown, and replaced without the operator’s', async () => {
  const show = async (...more: string[]) => (await ceo.run(['token', 'show', ...more])).stdout
  const [operator, agent] = [await show(), await show('--agent')]
  expect(agent).toMatch(/^[\w-]{43}\n$/)
  expect(agent).not.toBe(operator)
  await ceo.run(['token', 'rotate', '--agent'])
  expect([await show(), (await show('--agent')) === agent]).toEqual([operator, false])
})
