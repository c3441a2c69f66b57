import { once } from 'node:events'
import { chmod, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { SyncReport } from '../../transports/mesh.ts'
import { createClient } from './client.ts'
import { interfere, type Lab, type LabInit, listenAnywhere, openLab, post } from './lab-suite.ts'

let lab: Lab

async function open(init?: LabInit): Promise<Lab> {
  lab = await openLab(init)
  return lab
}
afterEach(() => lab.close())

describe('starting', () => {
  test('the socket of a daemon that died is taken away', async () => {
    await open()
    await lab.api.stop()
    const { socketPath } = lab.layout
    const dead = createServer().listen(`${socketPath}.dead`)
    await rename(`${socketPath}.dead`, socketPath)
    await new Promise((resolve) => dead.close(resolve))
    const api = await lab.another()
    await api.start()
    expect((await lab.local('/health')).status).toBe(200)
    await api.stop()
  })

  test('S-07: a daemon that lives is left alone', async () => {
    await open()
    const second = await lab.another()
    await expect(second.start()).rejects.toMatchObject({ code: 'ALREADY_RUNNING', field: lab.layout.socketPath })
    await second.stop()
    expect((await lab.local('/health')).status).toBe(200)
  })

  test('a port in use is named, and nothing listens afterwards', async () => {
    await open()
    const taken = await listenAnywhere(() => {})
    try {
      await expect(openLab({ env: { MESH_API_PORT: String(taken.port) } })).rejects.toMatchObject({
        code: 'API_PORT_IN_USE',
        field: 'api.port',
        message: expect.stringContaining(`127.0.0.1:${taken.port}`),
        hint: expect.stringContaining('MESH_API_PORT'),
      })
    } finally {
      taken.close()
    }
  })

  test('an address that is not this machine’s', async () => {
    await open()
    await expect(openLab({ env: { MESH_API_HOST: '203.0.113.7' } })).rejects.toMatchObject({
      code: 'API_LISTEN_FAILED',
      field: 'api.host',
    })
  })

  test('what is no socket is not removed', async () => {
    await open()
    await lab.api.stop()
    await writeFile(lab.layout.socketPath, 'precious')
    await expect((await lab.another()).start()).rejects.toMatchObject({
      code: 'API_LISTEN_FAILED',
      field: lab.layout.socketPath,
    })
    expect((await stat(lab.layout.socketPath)).size).toBe(8)
  })

  test('rights of others to the folder are taken back', async () => {
    await open()
    await lab.api.stop()
    await chmod(dirname(lab.layout.socketPath), 0o777)
    const api = await lab.another()
    await api.start()
    expect((await stat(dirname(lab.layout.socketPath))).mode & 0o777).toBe(0o700)
    await api.stop()
  })

  test('a home too deep for a socket has it elsewhere, with the same rights, where the client finds it', async () => {
    await open({ below: join('d'.repeat(60), 'e'.repeat(60)) })
    const { socketPath, home } = lab.layout
    expect(socketPath.startsWith(home)).toBe(false)
    const folder = await stat(dirname(socketPath))
    expect([folder.mode & 0o777, folder.uid]).toEqual([0o700, process.getuid?.()])
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
    expect(await createClient({ home }).health()).toMatchObject({ ok: true })
    await lab.api.stop()
    await rm(dirname(socketPath), { recursive: true })
  })

  test('TCP can be switched off', async () => {
    await open({ env: { MESH_API_TCP: 'false' } })
    expect(lab.api.url()).toBeUndefined()
    expect((await lab.local('/status')).json).toMatchObject({ api: { url: null } })
  })

  test('over IPv6 as well', async () => {
    await open({ env: { MESH_API_HOST: '::1' } })
    expect(lab.url).toBe(`http://[::1]:${lab.port}`)
    const client = createClient({ home: lab.layout.home, url: lab.url })
    expect(await client.status()).toMatchObject({ nodeId: 'ceo' })
  })

  test('a folder that leads elsewhere through a link of this user’s is followed', async () => {
    await open()
    await lab.api.stop()
    const folder = dirname(lab.layout.socketPath)
    await rename(folder, `${folder}-moved`)
    await symlink(`${folder}-moved`, folder)
    const api = await lab.another()
    await api.start()
    expect((await lab.local('/health')).status).toBe(200)
    await api.stop()
    await mkdir(folder, { recursive: true })
  })
})

describe('stopping', () => {
  /** Work that begins when `begun` resolves and ends with `end`. */
  function work<T>() {
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<T>()
    return {
      begun: begun.promise,
      end: ended.resolve,
      run: () => {
        begun.resolve()
        return ended.promise
      },
    }
  }

  test('what is under way is finished and answered; nobody new is let in', async () => {
    await open()
    const { begun, end, run } = work<{ meshId: string; told: number }>()
    using _ = interfere(lab.mesh, 'leave', run)
    const answer = lab.local('/leave', post({}))
    await begun
    const stopped = lab.api.stop()
    await expect(lab.local('/health')).rejects.toThrow()
    end({ meshId: 'm', told: 2 })
    expect(await answer).toMatchObject({ status: 200, json: { told: 2 } })
    await stopped
    await lab.api.stop()
    await expect(stat(lab.layout.socketPath)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('reconciling is told to end', async () => {
    await open()
    using _ = interfere(lab.mesh, 'sync', (options) => {
      options?.onProgress?.({ phase: 'compare', done: 0 })
      return new Promise<SyncReport>((_resolve, reject) => {
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error))
      })
    })
    const client = createClient({ home: lab.layout.home })
    const first = Promise.withResolvers<void>()
    const failure = client.sync({ onProgress: () => first.resolve() }).catch((error: unknown) => error)
    await first.promise
    await lab.api.stop()
    expect(await failure).toMatchObject({ code: 'STOPPING' })
  })

  test('what does not end is cut when the time is over', async () => {
    await open({ limits: { drainMs: 50 } })
    const { begun, run } = work<never>()
    using _ = interfere(lab.mesh, 'leave', run)
    const answer = lab.local('/leave', post({})).catch((error: unknown) => error)
    await begun
    await lab.api.stop()
    expect(await answer).toBeInstanceOf(Error)
  })

  test('idle connections do not hold it up', async () => {
    await open({ limits: { drainMs: 60_000 } })
    const client = createClient({ home: lab.layout.home })
    await client.health()
    const silent = connect(lab.port, '127.0.0.1')
    await new Promise((resolve) => silent.once('connect', resolve))
    const began = performance.now()
    await lab.api.stop()
    expect(performance.now() - began).toBeLessThan(5_000)
    silent.destroy()
  })
})

describe('S-18: slow and idle connections', () => {
  const closed = (socket: Socket) =>
    new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += String(chunk)
      })
      socket.on('error', () => {})
      socket.once('close', () => resolve(text))
    })

  test('those that say nothing, or say it too slowly, are cut', async () => {
    await open({ limits: { headersMs: 200, requestMs: 200 } })
    const beginnings = [
      '',
      'GET /health HTTP/1.1\r\nHost: 127.0.0.1',
      `PUT /mesh/memory HTTP/1.1\r\nHost: 127.0.0.1:${lab.port}\r\nX-API-Key: ${await lab.token()}\r\nContent-Length: 100\r\n\r\n{`,
    ]
    for (const beginning of beginnings) {
      const socket = connect(lab.port, '127.0.0.1')
      socket.write(beginning)
      const text = await closed(socket)
      if (text !== '') expect(text).toContain('REQUEST_TOO_SLOW')
    }
    expect((await lab.tcp('/health')).status).toBe(200)
  })

  test('thousands of them keep no healthy caller out', async () => {
    await open({ limits: { maxConnections: 20 } })
    const sockets: Socket[] = []
    // In waves, for the system lets only some hundred wait to be accepted.
    for (let wave = 0; wave < 10; wave++) {
      const more = Array.from({ length: 200 }, () => connect(lab.port, '127.0.0.1'))
      sockets.push(...more)
      for (const socket of more) socket.on('error', () => {})
      await Promise.all(more.map((socket) => once(socket, 'connect')))
      expect((await lab.tcp('/health')).status).toBe(200)
      expect((await lab.local('/health')).status).toBe(200)
    }
    await vi.waitFor(() => expect(sockets.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(20), {
      timeout: 10_000,
    })
    for (const socket of sockets) socket.destroy()
  })

  test('requests at once are counted', async () => {
    await open({ limits: { maxRequests: 2 } })
    const ended = Promise.withResolvers<SyncReport>()
    let running = 0
    const both = Promise.withResolvers<void>()
    using _ = interfere(lab.mesh, 'sync', () => {
      if (++running === 2) both.resolve()
      return ended.promise
    })
    const answers = [lab.local('/sync', post({})), lab.local('/sync', post({}))]
    await both.promise
    const third = await lab.local('/status')
    expect([third.status, third.headers['retry-after'], third.json]).toMatchObject([
      429,
      '1',
      { code: 'TOO_MANY_REQUESTS' },
    ])
    ended.resolve({ equal: true, peers: [] })
    for (const answer of answers) expect((await answer).status).toBe(200)
    expect((await lab.local('/status')).status).toBe(200)
  })

  test('what is no HTTP is answered in JSON', async () => {
    await open()
    const socket = connect(lab.port, '127.0.0.1')
    socket.write('nonsense\r\n\r\n')
    const text = await closed(socket)
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'REQUEST_MALFORMED' })
  })
})
