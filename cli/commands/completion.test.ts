import { execFile, execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { inFolder, run, startDaemon, type TestDaemon } from '../harness-suite.ts'

let ceo: TestDaemon

beforeAll(async () => {
  ceo = await startDaemon('ceo')
  for (const key of ['project/plan', 'project/people', 'a:b:one', 'a:b:two', 'my key', '-dash', 'evil\u001b[2J']) {
    await ceo.run(['put', '--', key, '1'])
  }
  await ceo.run(['put', 'own', '1', '--scope', 'user:alice'])
  await ceo.run(['skill', 'put', 'weather', '-'], { input: 'x' })
  await ceo.run(['key', 'create', 'reports', '--read', 'mesh'])
})

afterAll(() => ceo?.stop())

/** What is offered behind these words, as zsh and fish ask: what kind of answer it is, then the words. */
async function offered(...words: string[]): Promise<string[]> {
  const { exit, stdout, stderr } = await ceo.run(['completion', 'zsh', '--', ...words])
  expect({ exit, stderr }).toEqual({ exit: EXIT.ok, stderr: '' })
  return stdout.trimEnd().split('\n')
}

describe('completion', () => {
  test.each([
    ['commands', ['re'], ['words', 'resolve', 'restore']],
    ['commands of a group, by its other name', ['skills', 'r'], ['words', 'rm']],
    ['options', ['put', 'k', '--t'], ['words', '--text', '--ttl', '--token-file']],
    ['keys', ['get', 'pro'], ['words', 'project/people', 'project/plan']],
    ['keys with colons', ['rm', 'a:b:'], ['words', 'a:b:one', 'a:b:two']],
    ['keys of the scope that was typed', ['get', '--scope', 'user:alice', 'o'], ['words', 'own']],
    ['and with an equals sign', ['--json', 'get', '-n', '--scope=user:alice', 'o'], ['words', 'own']],
    ['keys of all scopes for a list', ['ls', 'o'], ['words', 'own']],
    ['a key that looks like an option, behind --', ['get', '--', '-'], ['words', '-dash']],
    ['keys that a terminal cannot show are left out', ['get', 'evil'], ['words']],
    ['only the first argument of put is a key', ['put', 'k', 'pro'], ['words']],
    ['names of skills', ['skill', 'get', ''], ['words', 'weather']],
    ['names of skills by --skill', ['history', '--skill', 'w'], ['words', 'weather']],
    ['keys of the API', ['key', 'revoke', 'r'], ['words', 'reports']],
    ['members, beside the commands', ['peers', ''], ['words', 'ls', 'remove']],
    ['scopes', ['get', '-s', 'm'], ['words', 'mesh']],
    ['beginnings of scopes, which are no end', ['get', '--scope=us'], ['partial', '--scope=user:']],
    ['choices of an option', ['export', '--format', 'm'], ['words', 'memory-json']],
    ['choices of an argument', ['completion', ''], ['words', 'bash', 'zsh', 'fish']],
    ['topics', ['help', 'ex'], ['words', 'export', 'exit-codes']],
    ['commands behind help', ['help', 'skill', 'p'], ['words', 'put']],
    ['files', ['import', 'x'], ['files']],
    ['files of an option', ['--home', ''], ['files']],
    ['nothing, of a command that is none', ['nonsense', 'x', ''], ['words']],
  ])('%s', async (_what, words, expected) => {
    expect(await offered(...words)).toEqual(expected)
  })

  test('more than fit are not completed beyond what is certain', async () => {
    for (let i = 0; i < 51; i++) await ceo.run(['put', `many/a${String(i).padStart(2, '0')}`, '1'])
    const [kind, ...words] = await offered('get', 'many/')
    expect([kind, words.length, words[0]]).toEqual(['partial', 51, 'many/'])
    expect((await offered('get', 'many/a5'))[0]).toBe('words')
  })

  test('without a daemon commands are completed all the same, and all else is silence', async () => {
    await inFolder(async (home) => {
      const env = { MESH_HOME: home }
      const ask = async (...words: string[]) => (await run(['completion', 'fish', '--', ...words], { env })).stdout
      expect(await ask('stat')).toBe('words\nstatus\n')
      expect(await ask('get', 'pro')).toBe('words\n')
      // The line says where the daemon is.
      expect(await ask('get', '--home', ceo.home, 'my')).toBe('words\nmy key\n')
      expect(await ask('get', '--url', 'no url', 'my')).toBe('words\n')
    })
  })

  test('a daemon that says nothing is not waited for longer than a second', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const before = performance.now()
    expect(await offered('--url', `http://127.0.0.1:${port}`, 'get', 'pro')).toEqual(['words'])
    expect(performance.now() - before).toBeLessThan(3000)
    silent.close()
  })

  test('an unknown shell is wrong use; --json has the script', async () => {
    expect((await ceo.run(['completion', 'tcsh'])).exit).toBe(EXIT.usage)
    const { stdout } = await ceo.run(['completion', 'bash'])
    expect(await ceo.json(['completion', 'bash'])).toMatchObject({ ok: true, shell: 'bash', script: stdout })
  })
})

describe('in bash', () => {
  const main = fileURLToPath(new URL('../main.ts', import.meta.url))

  /** What bash has in COMPREPLY when Tab is pressed behind each of these lines. */
  async function pressTab(folder: string, lines: readonly string[]): Promise<string[]> {
    await mkdir(join(folder, 'bin'))
    const program = join(folder, 'bin/mesh')
    await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`)
    await chmod(program, 0o755)
    const script = `
      eval "$(mesh completion bash)"
      complete -p mesh >/dev/null || exit 1
      for COMP_LINE; do
        COMP_POINT=\${#COMP_LINE}
        _mesh_complete
        printf '%s|' "\${COMPREPLY[@]}"
        echo
      done`
    const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, MESH_HOME: ceo.home, LC_ALL: 'C.UTF-8' }
    const options = { env, cwd: folder }
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script, 'bash', ...lines], options)
    expect(stderr).toBe('')
    return stdout.trimEnd().split('\n')
  }

  test('keys with slashes, colons and spaces fit what bash replaces; nothing that was typed is run', async () => {
    await inFolder(async (folder) => {
      const lines = ['mesh get pro', 'mesh get a:b:t', 'mesh get "my', 'mesh get my', 'mesh get "$(touch x)`touch x`']
      expect(await pressTab(folder, lines)).toEqual([
        'project/people|project/plan|',
        'two|',
        'my key|',
        'my\\ key|',
        '|',
      ])
      expect(await readdir(folder)).toEqual(['bin'])
    })
  })

  test('the script is one that bash takes', async () => {
    const { stdout } = await ceo.run(['completion', 'bash'])
    expect(execFileSync('bash', ['-n'], { input: stdout, encoding: 'utf8' })).toBe('')
  })
})
