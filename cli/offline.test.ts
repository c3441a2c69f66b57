import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EXIT } from './exit-codes.ts'
import { daemonEnv, inFolder, run } from './harness-suite.ts'

interface Found {
  readonly ok: boolean
  readonly findings: readonly { checkId: string; severity: string; path?: string; fixHint?: string }[]
}

async function doctor(home: string): Promise<Found> {
  const { exit, stdout } = await run(['doctor', '--json'], { env: daemonEnv(home) })
  const found = JSON.parse(stdout) as Found
  expect(exit).toBe(found.ok ? EXIT.ok : EXIT.failure)
  return found
}

const idsOf = ({ findings }: Found) => findings.map(({ checkId }) => checkId)

test('init makes a home once', async () => {
  await inFolder(async (folder) => {
    const home = join(folder, 'new')
    const first = await run(['init', '--home', home], { env: { ...daemonEnv(home), MESH_NODE_ID: 'ceo' } })
    expect(first.exit, first.stderr).toBe(EXIT.ok)
    expect(first.stdout).toMatch(new RegExp(`^made ${home}\nnode ceo {2}12D3KooW\\w+\n$`))
    const again = await run(['init', '--home', home, '--json'], { env: { ...daemonEnv(home), MESH_NODE_ID: 'ceo' } })
    expect(JSON.parse(again.stdout)).toMatchObject({ ok: true, created: false, home, nodeId: 'ceo' })
  })
})

describe('config', () => {
  test('check: good, and a key that is misspelt', async () => {
    await inFolder(async (home) => {
      const env = daemonEnv(home)
      const good = await run(['config', 'check'], { env })
      expect(good).toMatchObject({
        exit: EXIT.ok,
        stdout: expect.stringMatching(/^the configuration is good: no file .*config\.json5, \d+ from the environment/),
      })
      await mkdir(join(home, 'meshd'), { mode: 0o700 })
      await writeFile(join(home, 'meshd/config.json5'), '{ api: { prot: 5 } }')
      const bad = await run(['config', 'check', '--json'], { env })
      expect(bad.exit).toBe(EXIT.usage)
      expect(bad.stderr).toMatch(/api\.prot[\s\S]*api\.port/)
      expect(JSON.parse(bad.stdout)).toMatchObject({
        ok: false,
        error: { type: 'CONFIG_UNKNOWN_KEY', field: 'api.prot' },
      })
    })
  })

  test('show, without a daemon, shows what would be in force', async () => {
    await inFolder(async (home) => {
      const { exit, stdout, stderr } = await run(['config', 'show'], {
        env: { ...daemonEnv(home), MESH_NODE_ID: 'ceo' },
      })
      expect(exit, stderr).toBe(EXIT.ok)
      expect(stdout).toContain('nodeId\t"ceo"\tenvironment\n')
      expect(stderr).toContain('no daemon runs')
    })
  })
})

describe('doctor, without a daemon', () => {
  test('an empty home', async () => {
    await inFolder(async (folder) => {
      expect(idsOf(await doctor(join(folder, 'none')))).toEqual(['daemon.not-running', 'home.missing'])
    })
  })

  test('a home that is set up', async () => {
    await inFolder(async (home) => {
      await run(['init'], { env: daemonEnv(home) })
      expect(idsOf(await doctor(home))).toEqual(['daemon.not-running'])
    })
  })

  test('a bad configuration, with the way out', async () => {
    await inFolder(async (home) => {
      await mkdir(join(home, 'meshd'), { mode: 0o700 })
      await writeFile(join(home, 'meshd/config.json5'), '{ api: { prot: 5 } }', { mode: 0o600 })
      const { findings } = await doctor(home)
      expect(findings).toContainEqual(
        expect.objectContaining({
          checkId: 'config.invalid',
          severity: 'error',
          path: join(home, 'meshd/config.json5'),
        }),
      )
    })
  })

  test('secrets that others may read', async () => {
    await inFolder(async (home) => {
      await mkdir(join(home, 'meshd'))
      await chmod(join(home, 'meshd'), 0o755)
      await writeFile(join(home, 'meshd/token'), 'secret')
      await chmod(join(home, 'meshd/token'), 0o644)
      const { findings } = await doctor(home)
      expect(findings.filter(({ checkId }) => checkId === 'home.rights')).toEqual([
        expect.objectContaining({ severity: 'error', fixHint: `chmod 700 ${home}/meshd` }),
        expect.objectContaining({ severity: 'error', fixHint: `chmod 600 ${home}/meshd/token` }),
      ])
    })
  })

  test('a home that is a file', async () => {
    await inFolder(async (home) => {
      await writeFile(join(home, 'meshd'), '')
      expect(idsOf(await doctor(home))).toContain('home.not-a-folder')
    })
  })

  test('the socket of a daemon that was killed', async () => {
    await inFolder(async (home) => {
      await mkdir(join(home, 'meshd'), { mode: 0o700 })
      const path = join(home, 'meshd/api.sock')
      await leaveSocket(path)
      expect((await doctor(home)).findings).toContainEqual(
        expect.objectContaining({ checkId: 'socket.stale', severity: 'info', path }),
      )
    })
  })
})

/** Leaves a socket behind as a process does that is killed. */
async function leaveSocket(path: string): Promise<void> {
  const code = "require('node:net').createServer().listen(process.argv[1], () => console.log('up'))"
  const child = spawn(process.execPath, ['-e', code, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'close')
}
