import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
})

afterAll(() => ceo?.stop())

describe('memory', () => {
  test('put says what happened, get gives the value', async () => {
    expect(await ceo.run(['put', 'project-plan', 'ship on Friday'])).toEqual({
      exit: EXIT.ok,
      stdout: 'mesh/project-plan put (ceo, just now)\n',
      stderr: '',
    })
    expect(await ceo.run(['get', 'project-plan'])).toEqual({ exit: EXIT.ok, stdout: 'ship on Friday\n', stderr: '' })
  })

  test('JSON goes in and comes out; --json is the whole entry', async () => {
    await ceo.run(['put', 'limits', '{"cpu":2,"tags":["a"]}', '--node-id', 'planner'])
    expect((await ceo.run(['get', 'limits'])).stdout).toBe('{\n  "cpu": 2,\n  "tags": [\n    "a"\n  ]\n}\n')
    expect(await ceo.json(['get', 'limits'])).toEqual({
      exit: EXIT.ok,
      ok: true,
      scope: 'mesh',
      key: 'limits',
      value: { cpu: 2, tags: ['a'] },
      node_id: 'planner',
      updated_at: expect.any(Number),
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
    })
  })

  test.each([
    ['text', 'hello\n', 'hello'],
    ['only the last line end goes', 'a\n\n', 'a\n'],
    ['JSON', '{"a":1}\n', { a: 1 }],
    ['nothing', '', ''],
  ])('- reads standard input: %s', async (_what, input, value) => {
    await ceo.run(['put', 'piped', '-'], { input })
    expect(await ceo.json(['get', 'piped'])).toMatchObject({ value })
  })

  test.each([
    ['too much', new Uint8Array(2 * 1024 * 1024 + 1).fill(120), 'standard input holds more than 2 MiB'],
    ['not UTF-8', Uint8Array.of(0xff, 0xfe), 'standard input is not UTF-8'],
  ])('standard input that cannot be put: %s', async (_what, input, message) => {
    const { exit, stderr } = await ceo.run(['put', 'piped', '-'], { input })
    expect(exit).toBe(EXIT.refused)
    expect(stderr).toContain(message)
  })

  test('what the daemon refuses: exit code 6, with its code and field', async () => {
    expect(await ceo.json(['put', 'k', 'v', '--scope', 'nowhere'])).toMatchObject({
      exit: EXIT.refused,
      ok: false,
      error: { type: 'SCOPE_INVALID', field: expect.stringContaining('scope') },
    })
    expect(await ceo.json(['put', 'k'.repeat(1025), 'v'])).toMatchObject({
      exit: EXIT.refused,
      error: { type: 'KEY_TOO_LARGE' },
    })
  })

  test('scopes are apart; keys may hold anything', async () => {
    const key = 'a/b: ü%2F?#&'
    await ceo.run(['put', key, 'one'])
    await ceo.run(['put', key, 'two', '--scope', 'user:alice'])
    expect((await ceo.run(['get', key])).stdout).toBe('one\n')
    expect((await ceo.run(['get', key, '--scope', 'user:alice'])).stdout).toBe('two\n')
    await ceo.run(['put', 'dash', '--', '--json'])
    expect((await ceo.run(['get', 'dash'])).stdout).toBe('--json\n')
  })

  test('rm deletes; what is not there is exit code 5', async () => {
    await ceo.run(['put', 'gone', '1'])
    expect(await ceo.run(['rm', 'gone'])).toMatchObject({ exit: EXIT.ok, stdout: 'mesh/gone deleted\n' })
    for (const call of ['rm gone', 'get gone']) {
      const { exit, stdout, stderr } = await ceo.run(call.split(' '))
      expect({ exit, stdout }).toEqual({ exit: EXIT.notFound, stdout: '' })
      expect(stderr).toMatch(/^error: /)
    }
    expect(await ceo.json(['rm', 'gone'])).toMatchObject({
      exit: EXIT.notFound,
      ok: false,
      error: { type: 'NOT_FOUND' },
    })
  })

  test('ls: tabs for programs, a table that fits for people, one document with --json', async () => {
    await ceo.run(['put', 'list/wide', `long ${'x'.repeat(500)}`])
    await ceo.run(['put', 'list/json', '{"a":"\\t"}'])
    const { stdout } = await ceo.run(['ls', 'list/'])
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t').slice(0, 4)),
    ).toEqual([
      ['mesh', 'list/json', '{"a":"\\t"}', 'ceo'],
      ['mesh', 'list/wide', JSON.stringify(`long ${'x'.repeat(500)}`), 'ceo'],
    ])
    const table = await ceo.run(['ls', 'list/'], { terminal: 60, env: { NO_COLOR: '1' } })
    expect(table.stdout).toMatch(/^SCOPE +KEY +VALUE +NODE +AGE\nmesh +list\/json /)
    for (const line of table.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
    const { memory } = (await ceo.json(['ls', 'list/', '--limit', '1'])) as { memory?: unknown[] }
    expect(memory).toMatchObject([{ key: 'list/json', value: { a: '\t' } }])
    expect(await ceo.run(['ls', 'nothing-here'], { terminal: 60 })).toMatchObject({ exit: EXIT.ok, stdout: '' })
  })

  test('ls --scopes: how much is in each scope, skills too', async () => {
    await ceo.run(['put', 'counted', '1', '--scope', 'tenant:counted'])
    await ceo.run(['skill', 'put', 'counted', '-', '--scope', 'tenant:counted'], { input: '# x' })
    expect(await ceo.json(['ls', '--scopes'])).toMatchObject({
      ok: true,
      scopes: expect.arrayContaining([{ scope: 'tenant:counted', memory: 1, skills: 1, conflicts: 0 }]),
    })
    expect((await ceo.run(['ls', '--scopes'])).stdout).toContain('tenant:counted\t1\t1\t0\n')
    const table = await ceo.run(['ls', '--scopes'], { terminal: 60, env: { NO_COLOR: '1' } })
    expect(table.stdout).toMatch(/^SCOPE +MEMORY +SKILLS +IN CONFLICT\n/)
    expect(table.stdout).toMatch(/\ntenant:counted +1 +1 +0\n/)
    expect(await ceo.json(['ls', 'list/', '--scopes'])).toMatchObject({
      exit: EXIT.usage,
      error: { field: '--scopes' },
    })
  })

  test('what could trick a terminal is shown as escapes, and comes raw into a file (S-27)', async () => {
    const value = 'two\nlines\u001b[31m\u202e'
    await ceo.run(['put', 'evil\u001b[2J\r\n', '-'], { input: value })
    const listed = await ceo.run(['ls', 'evil'])
    expect(listed.stdout).toContain('evil\\u001b[2J\\r\\n\t"two\\nlines\\u001b[31m\\u202e"')
    const table = await ceo.run(['ls', 'evil'], { terminal: 80, env: { NO_COLOR: '1' } })
    expect(table.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    const shown = await ceo.run(['get', 'evil\u001b[2J\r\n'], { terminal: 80 })
    expect(shown.stdout).toBe('two\nlines\\u001b[31m\\u202e\n')
    expect((await ceo.run(['get', 'evil\u001b[2J\r\n'])).stdout).toBe(`${value}\n`)
  })
})
