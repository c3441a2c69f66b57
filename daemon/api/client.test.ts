import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MeshError } from '../../crdt/errors.ts'
import type { JoinReport, SyncReport } from '../../transports/mesh.ts'
import { ApiError, createClient, type MeshClient, type Progress } from './client.ts'
import { interfere, type Lab, listenAnywhere, openLab } from './lab-suite.ts'

let lab: Lab
const clients: Record<string, MeshClient> = {}
const clientOf = (door: string): MeshClient => clients[door] as MeshClient

beforeAll(async () => {
  lab = await openLab()
  clients['socket'] = createClient({ env: { MESH_HOME: lab.layout.home } })
  clients['tcp'] = createClient({ home: lab.layout.home, url: lab.url })
})
afterAll(async () => {
  for (const client of Object.values(clients)) client.close()
  await lab.close()
})

describe.each(['socket', 'tcp'])('over %s', (door) => {
  const scope = `user:${door}`

  test('it says whom it asks', () => {
    expect(clientOf(door).target).toBe(door === 'tcp' ? lab.url : lab.layout.socketPath)
  })

  test('memory', async () => {
    const client = clientOf(door)
    for (const key of ['b', 'a/ö %2F?#', '..']) {
      const row = await client.putMemory({ scope, key, value: { n: [1, null] }, node_id: 'sec' })
      expect(row).toEqual({
        scope,
        key,
        value: { n: [1, null] },
        node_id: 'sec',
        updated_at: expect.any(Number),
        etag: expect.any(String),
      })
      expect(await client.getMemory(scope, key)).toEqual(row)
    }
    expect((await client.listMemory({ scope })).map(({ key }) => key)).toEqual(['..', 'a/ö %2F?#', 'b'])
    expect(await client.listMemory({ scope, prefix: 'a/ö', limit: 5 })).toHaveLength(1)
    expect(await client.listMemory({ scope: 'tenant:none' })).toEqual([])
    expect(await client.deleteMemory(scope, 'a/ö %2F?#')).toEqual({ deleted: true, scope, key: 'a/ö %2F?#' })
    await expect(client.getMemory(scope, 'a/ö %2F?#')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      field: 'key',
    })
    const seen: string[] = []
    for await (const row of client.eachMemory({ scope })) {
      seen.push(row.key)
      break
    }
    expect(seen).toEqual(['..'])
  })

  test('skills', async () => {
    const client = clientOf(door)
    const content = 'line\n\n]\n[\n,\nline,\n'
    const row = await client.putSkill({ name: 'deploy', content, scope })
    expect(row).toMatchObject({ name: 'deploy', source_node: 'ceo', content, path: null, scope })
    expect(await client.getSkill('deploy', scope)).toEqual(row)
    expect(await client.listSkills({ scope, etags: true })).toEqual([row])
    await expect(client.getSkill('deploy')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await client.deleteSkill('deploy', scope)).toEqual({ deleted: true, scope, name: 'deploy' })
  })

  test('import: once, with what was refused', async () => {
    const client = clientOf(door)
    const batch = {
      memory: [
        { scope, key: 'old', value: { a: 1 }, node_id: 'sec', ts: 1_700_000_000 },
        { scope: 'nowhere', key: 'x', value: 1 },
        { scope, key: '', value: 1 },
        { scope, key: 'no value' } as never,
        { scope, key: 'deep', value: JSON.parse('['.repeat(65) + ']'.repeat(65)) as never },
      ],
      skills: [
        { name: `old-${door}`, content: '# Old', source_node: 'sec', ts: 1_700_000_000 },
        { name: '../x', content: 'x' },
        'text' as never,
      ],
    }
    const first = await client.import(batch)
    expect(first).toMatchObject({ taken: 2, equal: 0, older: 0 })
    expect(first.refused.map(({ kind, key, code }) => [kind, key, code])).toEqual([
      ['memory', 'x', 'SCOPE_INVALID'],
      ['memory', '', 'KEY_INVALID'],
      ['memory', 'no value', 'REQUEST_INVALID'],
      ['memory', 'deep', 'VALUE_INVALID'],
      ['skill', '../x', 'NAME_INVALID'],
      ['skill', '', 'REQUEST_INVALID'],
    ])
    expect(first.refused[2]?.message).toContain('memory[3].value: is missing')
    const again = await client.import({ memory: batch.memory.slice(0, 1), skills: batch.skills.slice(0, 1) })
    expect(again).toEqual({ taken: 0, equal: 2, older: 0, expired: 0, refused: [] })
    expect(await client.getMemory(scope, 'old')).toMatchObject({ node_id: 'sec', updated_at: 1_700_000_000 })
    await client.putMemory({ scope, key: 'old', value: 'newer' })
    expect(await client.import({ memory: batch.memory.slice(0, 1) })).toMatchObject({ older: 1 })
    expect(await client.import({})).toEqual({ taken: 0, equal: 0, older: 0, expired: 0, refused: [] })
    const many = Array.from({ length: 501 }, (_, i) => ({ scope, key: `k${i}`, value: i }))
    await expect(client.import({ memory: many })).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', status: 413 })
    expect(await client.import({ memory: many.slice(1) })).toMatchObject({ taken: 500 })
  })

  test('the node and its mesh', async () => {
    const client = clientOf(door)
    expect(await client.health()).toMatchObject({ ok: true, service: 'openclaw-meshd' })
    expect(await client.status()).toMatchObject({ nodeId: 'ceo', home: lab.layout.home, peers: [] })
    expect(await client.peers()).toEqual([])
    await expect(client.removePeer('no body')).rejects.toMatchObject({ code: 'PEER_UNKNOWN', status: 404 })
    expect(await client.invite({ ttl_seconds: 60 })).toMatchObject({
      ticket: expect.stringMatching(/^mesh-ticket-1\./),
    })
    expect(await client.invite()).toMatchObject({ addresses: lab.mesh.addresses() })
    await expect(client.join('nonsense')).rejects.toMatchObject({ code: 'TICKET_MALFORMED', field: 'ticket' })
    await expect(client.leave()).rejects.toMatchObject({ code: 'NOT_IN_A_MESH' })
    expect(await client.sync()).toEqual({ equal: true, peers: [] })
    expect(await client.doctor()).toEqual({ ok: true, findings: [] })
    expect(await client.config()).toMatchObject({ sources: { nodeId: 'default' }, path: lab.layout.configPath })
  })

  test('long work tells its progress', async () => {
    const told: Progress[] = []
    using _ = interfere(lab.mesh, 'sync', async (options) => {
      for (let done = 0; done < 3; done++) options?.onProgress?.({ phase: 'fetch', peer: 'sec', done, total: 3 })
      return { equal: true, peers: [] }
    })
    await clientOf(door).sync({ onProgress: (progress) => told.push(progress) })
    expect(told.map(({ done }) => done)).toEqual([0, 1, 2])
  })

  test('long work tells its error', async () => {
    const full = new MeshError('STORAGE_FAILED', 'the disk is full', { hint: 'free some' })
    using _ = interfere(lab.mesh, 'sync', () => Promise.reject(full))
    const error = await clientOf(door)
      .sync()
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({
      code: 'STORAGE_FAILED',
      type: 'STORAGE_FAILED',
      message: 'the disk is full',
      hint: 'free some',
    })
  })

  test('reconciling ends when the caller goes away', async () => {
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    using _ = interfere(lab.mesh, 'sync', (options) => {
      begun.resolve()
      return new Promise<SyncReport>((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => {
          ended.resolve()
          reject(options.signal?.reason as Error)
        })
      })
    })
    const leaving = new AbortController()
    const failure = clientOf(door)
      .sync({ signal: leaving.signal })
      .catch((error: unknown) => error)
    await begun.promise
    leaving.abort(new Error('enough'))
    expect(await failure).toMatchObject({ message: 'enough' })
    await ended.promise
  })

  test('joining does not: once begun it is finished', async () => {
    const begun = Promise.withResolvers<AbortSignal | undefined>()
    const told = Promise.withResolvers<JoinReport>()
    using _ = interfere(lab.mesh, 'join', (_ticket, options) => {
      begun.resolve(options?.signal)
      return told.promise
    })
    const leaving = new AbortController()
    const failure = clientOf(door)
      .join('ticket', { signal: leaving.signal })
      .catch((error: unknown) => error)
    expect(await begun.promise).toBeUndefined()
    leaving.abort(new Error('enough'))
    expect(await failure).toMatchObject({ message: 'enough' })
    told.resolve({ meshId: 'm', members: [], vouched: 0 })
    expect(await clientOf(door).health()).toMatchObject({ ok: true })
  })

  test('a signal that is aborted already is honoured first', async () => {
    const signal = AbortSignal.abort(new Error('no'))
    await expect(clientOf(door).status({ signal })).rejects.toThrow('no')
    await expect(clientOf(door).listMemory({}, { signal })).rejects.toThrow('no')
  })

  test('a key that no URL can hold', async () => {
    await expect(clientOf(door).getMemory('mesh', '\ud800')).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      field: 'key',
    })
  })

  test('many calls at once over few connections', async () => {
    const client = clientOf(door)
    const keys = Array.from({ length: 200 }, (_, i) => `many/${i}`)
    await Promise.all(keys.map((key) => client.putMemory({ scope, key, value: key })))
    expect(await client.listMemory({ scope, prefix: 'many/' })).toHaveLength(200)
  })
})

describe('when there is no good answer', () => {
  test('no daemon: the way out names how to start it', async () => {
    const home = await mkdtemp(join(tmpdir(), 'client-'))
    try {
      const error = await createClient({ home })
        .status()
        .catch((caught: unknown) => caught)
      expect(error).toMatchObject({
        code: 'DAEMON_NOT_RUNNING',
        status: 0,
        hint: expect.stringContaining('`openclaw-meshd`'),
      })
      expect((error as ApiError).hint).toContain(home)
      await expect(createClient({ home }).listMemory()).rejects.toMatchObject({ code: 'DAEMON_NOT_RUNNING' })
      await expect(createClient({ home }).sync()).rejects.toMatchObject({ code: 'DAEMON_NOT_RUNNING' })
    } finally {
      await rm(home, { recursive: true })
    }
  })

  test('TCP without a daemon, and with a wrong token', async () => {
    const free = await listenAnywhere(() => {})
    const { port } = free
    await new Promise((resolve) => free.close(resolve))
    const nobody = createClient({ url: `http://127.0.0.1:${port}`, token: 'x' })
    await expect(nobody.status()).rejects.toMatchObject({ code: 'DAEMON_NOT_RUNNING' })
    const stranger = createClient({ home: lab.layout.home, url: lab.url, token: 'wrong' })
    await expect(stranger.status()).rejects.toMatchObject({ code: 'UNAUTHORIZED', status: 401, field: 'authorization' })
  })

  test('the token of the home is sent to no other machine', async () => {
    expect(() => createClient({ url: 'ftp://x' })).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', field: 'url' }),
    )
    expect(() => createClient({ url: 'nonsense' })).toThrow(ApiError)
    expect(() => createClient({ url: lab.url, token: 'a\nb' })).toThrow(ApiError)
    let sent = ''
    const listener = await listenAnywhere((socket) => {
      socket.once('data', (chunk) => {
        sent = String(chunk)
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      })
    }, '127.0.0.2')
    await createClient({ home: lab.layout.home, url: `http://127.0.0.2:${listener.port}` }).status()
    expect(sent).toContain('GET /status')
    expect(sent.toLowerCase()).not.toContain('authorization')
    listener.close()
  })

  test.each([
    ['silence', '', 'TIMED_OUT'],
    ['a head and silence', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'TIMED_OUT'],
    ['no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n?', 'ANSWER_INVALID'],
    ['a foreign error', 'HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops', 'ANSWER_INVALID'],
    ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":END', 'ANSWER_INVALID'],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n', 'ANSWER_INVALID'],
  ])('%s', async (_what, said, code) => {
    const server = await listenAnywhere((socket) => {
      socket.once('data', () => {
        if (said.endsWith('END')) socket.end(said.slice(0, -3))
        else if (said !== '') socket.write(said)
      })
    })
    const client = createClient({ url: `http://127.0.0.1:${server.port}`, token: 'x' })
    await expect(client.status({ timeoutMs: 150 })).rejects.toMatchObject({ code })
    client.close()
    server.close()
  })
})

test('it loads no dependency, and lets the process end', async () => {
  const program = `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { createClient } = await import(${JSON.stringify(new URL('./client.ts', import.meta.url).href)})
    const { ok } = await createClient({ home: ${JSON.stringify(lab.layout.home)} }).health()
    console.log(JSON.stringify({ ok, loaded: loaded.filter((url) => !url.startsWith('node:')) }))
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = (await Array.fromAsync(child.stdout)).join('')
  const { ok, loaded } = JSON.parse(said) as { ok: boolean; loaded: string[] }
  expect(ok).toBe(true)
  expect(loaded.map((url) => basename(url)).sort()).toEqual([
    'client-errors.ts',
    'client-http.ts',
    'client.ts',
    'errors.ts',
    'home.ts',
  ])
})
