import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { EXIT } from './exit-codes.ts'
import { inFolder, run } from './harness-suite.ts'
import { createProgram } from './program.ts'
import { packageVersion } from './version.ts'

const program = createProgram(() => async () => {}, { stdout: process.stdout, stderr: process.stderr, env: {} })

function commandsBelow(command: Command, path: readonly string[] = []): (readonly [path: string, command: Command])[] {
  return command.commands.flatMap((child) => {
    const here = [...path, child.name()]
    return [[here.join(' '), child] as const, ...commandsBelow(child, here)]
  })
}

const commands = commandsBelow(program)

describe('help', () => {
  test('`mesh` alone lists the commands, in groups', async () => {
    const { exit, stdout, stderr } = await run([])
    expect({ exit, stderr }).toEqual({ exit: EXIT.ok, stderr: '' })
    expect(stdout).toMatch(/^Usage: mesh <command>[\s\S]*Memory and skills:[\s\S]*The mesh:[\s\S]*This node:/)
    for (const command of program.commands) expect(stdout).toContain(`  ${command.name()}`)
  })

  test.each(commands.map(([path]) => path))('%s: purpose, examples, common options', async (path) => {
    const { exit, stdout } = await run([...path.split(' '), '--help'])
    expect(exit).toBe(EXIT.ok)
    expect(stdout).toMatch(new RegExp(`^Usage: mesh ${path} `))
    expect(stdout).toMatch(/\n\n[A-Z][^\n]*(\n[^\n]+)*\.\n\n/)
    expect(stdout).toMatch(/\nExamples:\n {2}\$ /)
    expect(stdout).toMatch(/--json[\s\S]*--home <dir>[\s\S]*--url <url>[\s\S]*--token-file <file>[\s\S]*--no-color/)
    expect(await run(['help', ...path.split(' ')])).toMatchObject({ exit: EXIT.ok, stdout })
  })

  test('topics', async () => {
    expect((await run(['help', 'exit-codes'])).stdout).toMatch(/ 8 {2}`sync` could not prove every peer equal/)
    expect((await run(['help', 'environment'])).stdout).toContain('MESH_HOME')
    expect(await run(['help', 'nothing'])).toMatchObject({ exit: EXIT.usage, stdout: '' })
  })

  test('a group alone shows its help, as an error', async () => {
    const { exit, stdout, stderr } = await run(['skill'])
    expect({ exit, stdout }).toEqual({ exit: EXIT.usage, stdout: '' })
    expect(stderr).toContain('Usage: mesh skill')
  })
})

test('--version', async () => {
  expect(await run(['--version'])).toEqual({ exit: EXIT.ok, stdout: `${packageVersion()}\n`, stderr: '' })
})

describe('wrong use', () => {
  test.each([
    [['pit'], "unknown command 'pit'", 'Did you mean put?'],
    [['skill', 'ptu'], "unknown command 'ptu'", 'Did you mean put?'],
    [['put', 'k', 'v', '--sope', 'x'], "unknown option '--sope'", 'Did you mean --scope?'],
    [['get'], "missing required argument 'key'", undefined],
    [['get', 'a', 'b'], 'too many arguments', undefined],
    [['put', 'k'], 'VALUE is missing', 'mesh put k'],
    [['ls', '--limit', '0'], 'whole number', undefined],
    [['invite', '--ttl', 'soon'], '--ttl: "soon" is no duration', '15m'],
    [['status', '--url', 'ftp://x'], '--url: "ftp://x" is no http address', 'http://127.0.0.1:4078'],
    [['status', '--token-file', 'x'], '--token-file goes with --url', undefined],
    [['token', 'path', '--url', 'http://127.0.0.1:1'], '--url makes no sense here', undefined],
    [['leave'], 'consent', 'give --yes'],
    [['peers', 'remove', 'sec'], 'consent', 'give --yes'],
    [['join', '-'], 'no ticket', undefined],
  ])('%j', async (argv, message, hint) => {
    const { exit, stdout, stderr } = await run(argv)
    expect({ exit, stdout }).toEqual({ exit: EXIT.usage, stdout: '' })
    expect(stderr).toContain(`error: `)
    expect(stderr).toContain(message)
    if (hint !== undefined) expect(stderr).toContain(hint)
    const asJson = await run([...argv, '--json'])
    expect(asJson.exit).toBe(EXIT.usage)
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      ok: false,
      error: { type: 'USAGE', message: expect.stringContaining(message) },
    })
  })
})

describe('without a daemon', () => {
  const calls = [
    'status',
    'get k',
    'put k v',
    'ls',
    'rm k',
    'skill ls',
    'sync',
    'invite',
    'join t',
    'leave --yes',
    'peers',
  ]
  test.each(calls)('`mesh %s` says so, with an exit code of its own', async (call) => {
    await inFolder(async (home) => {
      const { exit, stdout, stderr } = await run([...call.split(' '), '--home', home])
      expect({ exit, stdout }).toEqual({ exit: EXIT.notRunning, stdout: '' })
      expect(stderr).toBe(
        `error: no daemon answers at ${home}/meshd/api.sock\nhint: start it with \`openclaw-meshd\` (its home is ${home})\n`,
      )
    })
  })

  test('--json gives one document on stdout, and the words on stderr all the same', async () => {
    await inFolder(async (home) => {
      const { exit, stdout, stderr } = await run(['status', '--json'], { env: { MESH_HOME: home } })
      expect(exit).toBe(EXIT.notRunning)
      expect(JSON.parse(stdout)).toEqual({
        ok: false,
        error: {
          type: 'DAEMON_NOT_RUNNING',
          message: `no daemon answers at ${home}/meshd/api.sock`,
          hint: `start it with \`openclaw-meshd\` (its home is ${home})`,
        },
      })
      expect(stderr).toContain('error: no daemon answers')
    })
  })

  test('common options count before the command as well', async () => {
    await inFolder(async (home) => {
      const { stdout } = await run(['--json', '--home', home, 'peers', 'remove', 'sec', '--yes'])
      expect(JSON.parse(stdout)).toMatchObject({ error: { type: 'DAEMON_NOT_RUNNING' } })
    })
  })

  test('a home that cannot be is an error of its own', async () => {
    expect(await run(['status', '--home', 'a\0b'])).toMatchObject({ exit: EXIT.usage })
  })
})

describe('colour', () => {
  const failing = ['get']
  test('on a terminal', async () => {
    expect((await run(failing, { terminal: 80 })).stderr).toContain('\u001b[31merror:')
    expect((await run(['--help'], { terminal: 80 })).stdout).toContain('\u001b[1mUsage:')
  })

  test.each([
    ['not elsewhere', failing, {}, undefined],
    ['not with NO_COLOR', failing, { NO_COLOR: '1' }, 80],
    ['not on a terminal that knows none', failing, { TERM: 'dumb' }, 80],
    ['not with --no-color', [...failing, '--no-color'], {}, 80],
    ['not in help', ['put', '--help'], { NO_COLOR: '1' }, 80],
  ] as const)('%s', async (_when, argv, env, terminal) => {
    const { stdout, stderr } = await run(argv, { env, ...(terminal === undefined ? {} : { terminal }) })
    expect(stdout + stderr).not.toContain('\u001b')
  })

  test('an empty NO_COLOR counts as none', async () => {
    expect((await run(failing, { terminal: 80, env: { NO_COLOR: '' } })).stderr).toContain('\u001b[31m')
  })
})

test('what was typed is escaped where it comes back in an error (S-27)', async () => {
  const { stderr } = await run(['pit\u001b[2J\u202e'])
  expect(stderr).toContain('pit\\u001b[2J\\u202e')
})

test('an interrupted run ends with 130', async () => {
  const signal = AbortSignal.abort(new Error('interrupted'))
  const { exit, stdout } = await run(['status', '--json'], { signal })
  expect(exit).toBe(EXIT.interrupted)
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { type: 'INTERRUPTED' } })
})
