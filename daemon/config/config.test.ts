import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Environment } from '../home.ts'
import { CONFIG_KEYS, type LoadedConfig, loadConfig } from './index.ts'

let home: string
let path: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'config-'))
  await mkdir(join(home, 'meshd'))
  path = join(home, 'meshd', 'config.json5')
})
afterEach(() => rm(home, { recursive: true }))

async function load(file?: string, env: Environment = {}): Promise<LoadedConfig> {
  if (file !== undefined) await writeFile(path, file)
  return loadConfig({ home, env, hostname: 'Ceo-Mac.local' })
}

test('without a file and variables everything has its default', async () => {
  const { config, sources, path: at } = await load()
  expect(config).toEqual({
    nodeId: 'Ceo-Mac',
    log: { level: 'info' },
    api: { tcp: true, host: '127.0.0.1', port: 4078, auth: true, allowedHosts: [], tenantRate: 0 },
    p2p: { host: ['0.0.0.0', '::'], port: 4079, announce: [] },
    sync: { intervalSeconds: 60 },
    secrets: { guard: true, allow: [] },
    search: { enabled: true },
    files: { enabled: true, memoryJson: true, flatSkills: false },
  })
  expect(new Set(Object.values(sources))).toEqual(new Set(['default']))
  expect(at).toBe(path)
})

test('the environment stands above the file, the file above the defaults', async () => {
  const file = `{ // a comment
    nodeId: 'lab', api: { port: 1, auth: true, }, p2p: { host: '10.0.0.1', announce: ['/ip4/203.0.113.7/tcp/4079'] } }`
  const env = { MESH_API_PORT: '2', MESH_SYNC_INTERVAL_SECONDS: '7', MESH_FILES_MEMORY_JSON: 'false', MESH_HOME: home }
  const { config, sources } = await load(file, env)
  expect(config.nodeId).toBe('lab')
  expect(config.api.port).toBe(2)
  expect(config.p2p).toEqual({ host: ['10.0.0.1'], port: 4079, announce: ['/ip4/203.0.113.7/tcp/4079'] })
  expect(config.sync.intervalSeconds).toBe(7)
  expect(config.files.memoryJson).toBe(false)
  expect(sources).toMatchObject({
    nodeId: 'file',
    'api.port': 'environment',
    'api.auth': 'file',
    'api.host': 'default',
    'p2p.host': 'file',
    'sync.intervalSeconds': 'environment',
  })
})

test('every key has its variable by one rule, and a value of its kind in it is taken', async () => {
  expect(CONFIG_KEYS.map(({ key, variable }) => [key, variable])).toEqual([
    ['nodeId', 'MESH_NODE_ID'],
    ['log.level', 'MESH_LOG_LEVEL'],
    ['api.tcp', 'MESH_API_TCP'],
    ['api.host', 'MESH_API_HOST'],
    ['api.port', 'MESH_API_PORT'],
    ['api.auth', 'MESH_API_AUTH'],
    ['api.allowedHosts', 'MESH_API_ALLOWED_HOSTS'],
    ['api.tenantRate', 'MESH_API_TENANT_RATE'],
    ['p2p.host', 'MESH_P2P_HOST'],
    ['p2p.port', 'MESH_P2P_PORT'],
    ['p2p.announce', 'MESH_P2P_ANNOUNCE'],
    ['sync.intervalSeconds', 'MESH_SYNC_INTERVAL_SECONDS'],
    ['secrets.guard', 'MESH_SECRETS_GUARD'],
    ['secrets.allow', 'MESH_SECRETS_ALLOW'],
    ['search.enabled', 'MESH_SEARCH_ENABLED'],
    ['files.enabled', 'MESH_FILES_ENABLED'],
    ['files.memoryJson', 'MESH_FILES_MEMORY_JSON'],
    ['files.flatSkills', 'MESH_FILES_FLAT_SKILLS'],
  ])
  for (const { description } of CONFIG_KEYS.map(({ schema }) => schema)) expect(description).toMatch(/\w/)
  const { config } = await load(undefined, {
    MESH_P2P_HOST: '127.0.0.1, ::1',
    MESH_P2P_ANNOUNCE: 'ceo.example.org:4079,/dns4/ceo.example.org/tcp/4079',
    MESH_API_TCP: 'false',
    MESH_API_ALLOWED_HOSTS: 'localhost:14078, nas.local,[fd00::2]:80',
    MESH_LOG_LEVEL: '',
  })
  expect(config.p2p.host).toEqual(['127.0.0.1', '::1'])
  expect(config.p2p.announce).toEqual(['ceo.example.org:4079', '/dns4/ceo.example.org/tcp/4079'])
  expect(config.api.tcp).toBe(false)
  expect(config.api.allowedHosts).toEqual(['localhost:14078', 'nas.local', '[fd00::2]:80'])
  expect(config.log.level).toBe('info')
})

test('what was loaded cannot be changed', async () => {
  const { config, sources } = await load('{ p2p: { announce: ["a:1"] } }')
  expect(() => Object.assign(config.api, { port: 1 })).toThrow(TypeError)
  expect(() => (config.p2p.announce as string[]).push('b:1')).toThrow(TypeError)
  expect(Object.isFrozen(sources)).toBe(true)
})

test.each([
  ['ceo', 'ceo'],
  ['ceo.example.org', 'ceo'],
  ['Mac mini von Süß', 'Mac-mini-von-S'],
  ['-_x_-', 'x'],
  ['', 'node'],
  ['日本', 'node'],
  ['n'.repeat(80), 'n'.repeat(64)],
])('a machine called %j is node %j', async (hostname, nodeId) => {
  expect((await loadConfig({ home, env: {}, hostname })).config.nodeId).toBe(nodeId)
})

describe('what is wrong is named, with the way out', () => {
  test.each([
    ['{ api: { prot: 1 } }', {}, 'CONFIG_UNKNOWN_KEY', 'api.prot', 'did you mean api.port?'],
    ['{ api: { Port: 1 } }', {}, 'CONFIG_UNKNOWN_KEY', 'api.Port', 'did you mean api.port?'],
    ['{ nodeid: "x" }', {}, 'CONFIG_UNKNOWN_KEY', 'nodeid', 'did you mean nodeId?'],
    ['{ sync: { interval: 5 } }', {}, 'CONFIG_UNKNOWN_KEY', 'sync.interval', 'did you mean sync.intervalSeconds?'],
    ['{ quux: 1 }', {}, 'CONFIG_UNKNOWN_KEY', 'quux', 'known are nodeId, log.level'],
    ['{ __proto__: { x: 1 } }', {}, 'CONFIG_UNKNOWN_KEY', '__proto__', 'known are'],
    ['{ api: 4078 }', {}, 'CONFIG_INVALID', 'api', 'it may hold api.tcp, api.host'],
    ['[]', {}, 'CONFIG_INVALID', undefined, 'it may hold nodeId'],
    ['{ api: { port: "4078" } }', {}, 'CONFIG_INVALID', 'api.port', 'a whole number from 0'],
    ['{ api: { port: 70000 } }', {}, 'CONFIG_INVALID', 'api.port', 'and is 70000'],
    ['{ api: { port: 1.5 } }', {}, 'CONFIG_INVALID', 'api.port', 'and is 1.5'],
    ['{ api: { port: NaN } }', {}, 'CONFIG_INVALID', 'api.port', 'a whole number from 0'],
    ['{ api: { host: "ceo" } }', {}, 'CONFIG_INVALID', 'api.host', 'an IP address'],
    ['{ api: { allowedHosts: ["http://nas.local"] } }', {}, 'CONFIG_INVALID', 'api.allowedHosts', 'each with a port'],
    ['{ api: { allowedHosts: ["*"] } }', {}, 'CONFIG_INVALID', 'api.allowedHosts', 'nas.local:14078'],
    ['{ api: { allowedHosts: ["nas.local:"] } }', {}, 'CONFIG_INVALID', 'api.allowedHosts', 'and is'],
    ['{ nodeId: "a b" }', {}, 'CONFIG_INVALID', 'nodeId', '1 to 64 letters'],
    ['{ nodeId: { x: 1 } }', {}, 'CONFIG_INVALID', 'nodeId', '1 to 64 letters'],
    ['{ log: { level: "loud" } }', {}, 'CONFIG_INVALID', 'log.level', 'one of fatal, error'],
    ['{ p2p: { host: [] } }', {}, 'CONFIG_INVALID', 'p2p.host', 'a list of 1 to 16'],
    ['{ p2p: { announce: ["http://ceo"] } }', {}, 'CONFIG_INVALID', 'p2p.announce', 'host:port'],
    ['{ sync: { intervalSeconds: 0 } }', {}, 'CONFIG_INVALID', 'sync.intervalSeconds', 'from 1 to 86400'],
    ['{ files: { enabled: null } }', {}, 'CONFIG_INVALID', 'files.enabled', 'true or false'],
    ['{ api: { host: "0.0.0.0", auth: false } }', {}, 'CONFIG_INVALID', 'api.auth', 'set api.host to 127.0.0.1'],
    ['{ api: { host: "::", auth: false } }', {}, 'CONFIG_INVALID', 'api.auth', 'every machine'],
    ['', { MESH_API_PORT: 'abc' }, 'CONFIG_INVALID', 'api.port', 'MESH_API_PORT: must be a whole number'],
    ['', { MESH_API_AUTH: 'yes' }, 'CONFIG_INVALID', 'api.auth', 'MESH_API_AUTH: must be true or false'],
    ['', { MESH_API_PROT: '1' }, 'CONFIG_UNKNOWN_KEY', 'MESH_API_PROT', 'did you mean MESH_API_PORT?'],
    ['', { MESH_HOEM: '/x' }, 'CONFIG_UNKNOWN_KEY', 'MESH_HOEM', 'did you mean MESH_HOME?'],
    ['{ api: { port: 1 }', {}, 'CONFIG_UNREADABLE', undefined, 'is not JSON5'],
  ])('%s %j', async (file, env, code, field, part) => {
    const error: unknown = await load(file, env).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code, field: field ?? path })
    const { message, hint } = error as { message: string; hint: string }
    expect(`${message} ${hint}`).toContain(part)
    expect(hint).toMatch(/\w/)
  })

  test('a syntax error says where', async () => {
    await expect(load('{\n  api: {\n    port = 1\n')).rejects.toThrow(/3:10/)
  })

  test('a config file that cannot be read', async () => {
    await mkdir(path)
    await expect(load()).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE', field: path })
  })

  test('auth may be off on loopback, or where TCP is off', async () => {
    for (const api of [
      '{ auth: false }',
      '{ auth: false, host: "::1" }',
      '{ auth: false, host: "0.0.0.0", tcp: false }',
    ]) {
      expect((await load(`{ api: ${api} }`)).config.api.auth).toBe(false)
    }
  })
})
