import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { layoutOf, resolveHome } from './home.ts'

describe('resolveHome', () => {
  test.each([
    [{ MESH_HOME: '/a', OPENCLAW_STATE_DIR: '/b', OPENCLAW_HOME: '/c' }, '/a'],
    [{ OPENCLAW_STATE_DIR: '/b', OPENCLAW_HOME: '/c' }, '/b'],
    [{ OPENCLAW_HOME: '/c' }, '/c/.openclaw'],
    [{ MESH_HOME: '', OPENCLAW_STATE_DIR: ' ', OPENCLAW_HOME: '/c' }, '/c/.openclaw'],
    [{ MESH_HOME: '~', HOME: '/home/ceo' }, '/home/ceo'],
    [{ MESH_HOME: '~/state', HOME: '/home/ceo' }, '/home/ceo/state'],
    [{ OPENCLAW_HOME: '~', HOME: '/home/ceo' }, '/home/ceo/.openclaw'],
    [{ MESH_HOME: '~sec/state' }, resolve('~sec/state')],
    [{ MESH_HOME: 'relative/state' }, resolve('relative/state')],
    [{ HOME: '/home/ceo' }, '/home/ceo/.openclaw'],
    [{}, join(homedir(), '.openclaw')],
  ])('%j is %s', (env, home) => expect(resolveHome(env)).toBe(home))

  test('a path that no file system takes is refused by the name of its variable', () => {
    expect(() => resolveHome({ OPENCLAW_HOME: '/a\0b' })).toThrow(
      expect.objectContaining({ code: 'HOME_INVALID', field: 'OPENCLAW_HOME' }),
    )
  })
})

describe('layoutOf', () => {
  test('everything lies below the home', () => {
    expect(layoutOf('/home/ceo/.openclaw')).toEqual({
      home: '/home/ceo/.openclaw',
      meshDir: '/home/ceo/.openclaw/mesh',
      meshdDir: '/home/ceo/.openclaw/meshd',
      databasePath: '/home/ceo/.openclaw/meshd/db',
      configPath: '/home/ceo/.openclaw/meshd/config.json5',
      agentTokenPath: '/home/ceo/.openclaw/meshd/agent-token',
      searchPath: '/home/ceo/.openclaw/meshd/search.sqlite',
      tokenPath: '/home/ceo/.openclaw/meshd/token',
      socketPath: '/home/ceo/.openclaw/meshd/api.sock',
    })
  })

  test('a socket path longer than the system takes is replaced by a short one of this user and home', () => {
    const long = (name: string) => layoutOf(`/${'x'.repeat(90)}/${name}`).socketPath
    expect(Buffer.byteLength(long('a'))).toBeLessThanOrEqual(100)
    expect(long('a')).toBe(long('a'))
    expect(long('a')).not.toBe(long('b'))
  })

  test('two spellings of one home have one short socket path, before and after it exists', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'home-'))
    try {
      const real = join(folder, 'y'.repeat(90))
      await mkdir(real)
      await symlink(real, join(folder, 'z'.repeat(90)))
      const before = layoutOf(join(folder, 'z'.repeat(90), 'state')).socketPath
      expect(before).toBe(layoutOf(join(real, 'state')).socketPath)
      await mkdir(join(real, 'state', 'meshd'), { recursive: true })
      expect(layoutOf(join(folder, 'z'.repeat(90), 'state')).socketPath).toBe(before)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
